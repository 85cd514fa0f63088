"""Pictures into features, and features cached_features so that the same pictures are looked at once."""

import contextlib
import hashlib
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from impasto.cache import cache_folder
from impasto.files import DiskFullError, atomic_write
from impasto.metrics.feature_extractors import FeatureExtractor

#: Pictures computed together, always, so that the features of a picture do not depend on how many there are. On a CPU
#: few at a time stay in its cache: 240 pictures a second in blocks of 8, 129 in blocks of 64.
CPU_BLOCK, GPU_BLOCK = 8, 64
#: Goes up when the same pictures get other features, or another spectrum, for another reason than the network.
VERSION = 2


def extract(
    network: FeatureExtractor,
    pictures: Iterable[NDArray[np.uint8]],
    progress: Callable[[int], object] | None = None,
) -> NDArray[np.float32]:
    """Features (N, D) of pictures that are uint8 (S, S, 3), in their order; only a few are in memory at a time."""
    size = CPU_BLOCK if network.device.type == "cpu" else GPU_BLOCK
    source, found = iter(pictures), [np.empty((0, network.dimension), np.float32)]
    done = 0
    while block := list(islice(source, size)):
        filled = block + [block[-1]] * (size - len(block))
        pixels = torch.from_numpy(np.stack(filled))
        found.append(network.features(pixels)[: len(block)].cpu().numpy())
        done += len(block)
        if progress is not None:
            progress(done)
    return np.concatenate(found)


def cached_features(
    network: FeatureExtractor, content: str, compute: Callable[[], dict[str, NDArray[np.generic]]]
) -> dict[str, NDArray[np.generic]]:
    """The arrays that ``compute`` finds, or found before for the same network and ``content``, a digest of all that
    they depend on. A damaged file is computed anew."""
    key = hashlib.sha256(f"{VERSION}/{network.name}/{network.identity}/{content}".encode()).hexdigest()
    path = cache_folder() / "features" / f"{key[:32]}.npz"
    arrays = _load(path)
    if arrays is not None:
        return arrays
    arrays = compute()
    # To keep them saves time and no more: a full disk or a home that cannot be written to is no failure here.
    with contextlib.suppress(OSError, DiskFullError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as part, part.open("wb") as file:
            np.savez(file, checksum=np.array(_checksum(arrays)), **arrays)  # type: ignore[arg-type]
    return arrays


def _load(path: Path) -> dict[str, NDArray[np.generic]] | None:
    """What a file holds, None if it is not there or not atomic_write: its checksum is beside the arrays."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays if arrays.pop("checksum").item() == _checksum(arrays) else None
    except Exception:  # whatever a damaged zip makes its readers stumble over
        return None


def _checksum(arrays: dict[str, NDArray[np.generic]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode() + arrays[name].tobytes())
    return digest.hexdigest()
