"""Sliced Wasserstein distance between the patches of two sets of pictures, level by level of a Laplacian pyramid.

Karras et al. 2018, "Progressive Growing of GANs" (arXiv:1710.10196), section 5: needs no trained network, and sees
colour and texture at each scale, but not whether a picture makes sense.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 7  #: side of a patch, in pixels
PATCHES = 16384  #: patches compared at each level
SLICES = 256  #: random directions
SMALLEST = 16  #: side of the coarsest level


def sliced_wasserstein(first: np.ndarray, second: np.ndarray, seed: int = 0) -> dict[str, float]:
    """The distance × 1000 between pictures, both uint8 (N, S, S, 3), with numbers N that may differ.

    Returns ``swd``, the mean over the levels, and ``swd_<side>`` for each level. Zero for the same pictures.
    """
    levels: dict[str, float] = {}
    pairs = zip(_pyramid(first), _pyramid(second), strict=True)
    for one, two in pairs:
        levels[f"swd_{one.shape[-1]}"] = 1000 * _distance(_patches(one, seed), _patches(two, seed), seed)
    return {"swd": sum(levels.values()) / len(levels)} | levels


def _pyramid(pictures: np.ndarray) -> list[Tensor]:
    """Differences between each size and the next coarser one, and the coarsest, all (N, 3, S, S) in −1…1."""
    level = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    levels = []
    while level.shape[-1] > SMALLEST:
        coarse = F.avg_pool2d(level, 2)
        levels.append(level - F.interpolate(coarse, scale_factor=2, mode="bilinear"))
        level = coarse
    return [*levels, level]


def _patches(level: Tensor, seed: int) -> Tensor:
    """Random patches (PATCHES, 3·PATCH²). Unlike the paper's they keep their mean, so that a wrong colour counts."""
    rng = torch.Generator().manual_seed(seed)
    count, _, side, _ = level.shape
    which = torch.randint(count, (PATCHES,), generator=rng)
    top, left = torch.randint(side - PATCH + 1, (2, PATCHES), generator=rng)
    reach = torch.arange(PATCH)
    rows, columns = (top[:, None] + reach)[:, :, None], (left[:, None] + reach)[:, None, :]
    patches = level.permute(0, 2, 3, 1)[which[:, None, None], rows, columns]  # (P, 7, 7, 3)
    return patches.flatten(1)


def _distance(a: Tensor, b: Tensor, seed: int) -> float:
    rng = torch.Generator().manual_seed(seed)
    directions = torch.randn(a.shape[1], SLICES, generator=rng)
    directions /= directions.norm(dim=0)
    return float((torch.sort(a @ directions, dim=0)[0] - torch.sort(b @ directions, dim=0)[0]).abs().mean())
