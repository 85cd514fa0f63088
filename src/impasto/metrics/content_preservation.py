"""Content preservation: how similar translations are to their source images, by every pair metric."""

from collections.abc import Iterable

import numpy as np
import torch

from impasto.config.types import Pixels, Values
from impasto.errors import ImpastoError
from impasto.metrics.base import PairMetric, pair_metrics, standard_error
from impasto.metrics.results import Content, Value

BLOCK = 1 << 18  #: pixels of source images compared at once: four images of 256×256


def smallest_side() -> int:
    """Return the least side in pixels at which every pair metric can be computed."""
    return max(metric.smallest for metric in pair_metrics().values())


def content_preservation(pairs: Iterable[tuple[Pixels, Pixels]], device: torch.device) -> Content:
    """Compare source images with their translations.

    Args:
        pairs: blocks of source images and translations, both uint8 (n, S, S, 3); at least one block.
        device: where to compute.

    Returns:
        The mean of each pair metric, with its standard error.

    Raises:
        ImpastoError: the images are smaller than :func:`smallest_side`.
    """
    metrics = {name: metric(device) for name, metric in pair_metrics().items()}
    found: dict[str, list[Values]] = {name: [] for name in metrics}
    size = 0
    for sources, images in pairs:
        size = images.shape[1]
        for name, values in compare_pairs(metrics, sources, images).items():
            found[name].append(values)
    each = {name: np.concatenate(values) for name, values in found.items()}
    return Content(
        pairs=len(next(iter(each.values()))),
        size=size,
        values={name: Value(value=float(values.mean()), error=standard_error(values)) for name, values in each.items()},
    )


def compare_pairs(metrics: dict[str, PairMetric], sources: Pixels, images: Pixels) -> dict[str, Values]:
    """Return each metric of uint8 images (N, S, S, 3), pair by pair: (N,).

    Raises:
        ValueError: the shapes differ.
        ImpastoError: the images are too small for a metric.
    """
    if sources.shape != images.shape:
        raise ValueError(f"source images and translations differ in shape: {sources.shape} and {images.shape}")
    side, smallest = min(sources.shape[1:3]), max(metric.smallest for metric in metrics.values())
    if side < smallest:
        raise ImpastoError(f"Content preservation needs images of at least {smallest} pixels; these have {side}.")
    size = max(1, BLOCK // side**2)
    found: dict[str, list[torch.Tensor]] = {name: [torch.empty(0)] for name in metrics}
    for first in range(0, len(sources), size):
        for name, metric in metrics.items():
            pair = (torch.from_numpy(each[first : first + size]).to(metric.device) for each in (sources, images))
            found[name].append(metric.compute(*pair).cpu())
    return {name: torch.cat(values).double().numpy() for name, values in found.items()}
