"""Feature extraction, with a cache on disk."""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from impasto.cache import cache_folder
from impasto.config.types import Features, Pixels
from impasto.files import DiskFullError, atomic_write
from impasto.metrics.feature_extractors import FeatureExtractor

#: Batch sizes, fixed so that the features of an image do not depend on the number of images. Small batches fit a CPU's
#: cache: 240 images per second in batches of 8, 129 in batches of 64.
CPU_BLOCK, GPU_BLOCK = 8, 64
#: Increase when the same images get other features, or another spectrum, for another reason than the network.
VERSION = 2


def extract(
    network: FeatureExtractor,
    images: Iterable[Pixels],
    progress: Callable[[int], object] | None = None,
) -> Features:
    """Return features (N, D) of uint8 images (S, S, 3), in order, with one batch in memory at a time.

    ``progress`` is called with the number of images done.
    """
    found = [np.empty((0, network.dimension), np.float32)]
    done = 0
    for features in extract_batches(network, images):
        found.append(features)
        done += len(features)
        if progress is not None:
            progress(done)
    return np.concatenate(found)


def extract_batches(network: FeatureExtractor, images: Iterable[Pixels]) -> Iterator[Features]:
    """Yield features (B, D) of uint8 images (S, S, 3), batch by batch."""
    size = CPU_BLOCK if network.device.type == "cpu" else GPU_BLOCK
    source = iter(images)
    while block := list(islice(source, size)):
        filled = block + [block[-1]] * (size - len(block))
        pixels = torch.from_numpy(np.stack(filled))
        yield network.features(pixels)[: len(block)].cpu().numpy()


def cached_features(
    network: FeatureExtractor, content: str, compute: Callable[[], dict[str, NDArray[np.generic]]]
) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of ``compute``, from the cache if they are there.

    Args:
        network: part of the key.
        content: digest of everything else that the arrays depend on.
        compute: called if the cache has no intact file for the key.
    """
    key = hashlib.sha256(f"{VERSION}/{network.name}/{network.identity}/{content}".encode()).hexdigest()
    path = cache_folder() / "features" / f"{key[:32]}.npz"
    arrays = _load(path)
    if arrays is not None:
        return arrays
    arrays = compute()
    # The cache only saves time: a full disk or a read-only home is not an error.
    with contextlib.suppress(OSError, DiskFullError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as part, part.open("wb") as file:
            np.savez(file, checksum=np.array(_checksum(arrays)), **arrays)  # type: ignore[arg-type]
    return arrays


def _load(path: Path) -> dict[str, NDArray[np.generic]] | None:
    """Return the arrays of a file, or None if it is missing or its checksum is wrong."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays if arrays.pop("checksum").item() == _checksum(arrays) else None
    except Exception:  # a damaged zip raises many kinds
        return None


def _checksum(arrays: dict[str, NDArray[np.generic]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode() + arrays[name].tobytes())
    return digest.hexdigest()
