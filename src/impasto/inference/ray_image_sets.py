"""Image files and packs whose features are computed by the workers of a Ray cluster."""

import hashlib
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Features, Floats, Pixels, Progress
from impasto.data.entry import Entry, File, UnreadableError, raise_unreadable
from impasto.data.pack_files import INDEX
from impasto.data.pixel_store import PixelStore, is_pack, local
from impasto.data.places import access_errors, is_address, open_place
from impasto.data.preprocess import Square, decode_squares
from impasto.data.sources import ImageSource
from impasto.files import user_path
from impasto.inference.remote_photos import open_remote_source
from impasto.metrics.checkerboard import Spectrum, periodogram
from impasto.metrics.feature_extractors import FeatureExtractor
from impasto.metrics.features import extract
from impasto.metrics.image_sets import FileImages, ImageSet, StoreImages, digest_of
from impasto.metrics.moments import FeatureCollector
from impasto.ray_pool import DEATHS, PoolWorker, compute

#: Images that a worker gets at a time, a multiple of the batch size of networks.
CHUNK = 64

#: How a worker opens a feature network: its registered name and the file of its weights, by its name in results.
Networks = Mapping[str, tuple[str, Path | None]]


@dataclass(frozen=True)
class FeatureTask:
    """What each worker receives: the network, the side of the images, and the pack that they are in."""

    network: str
    weights: Path | None
    size: int
    pack: str | None = None


@dataclass(frozen=True)
class FeatureItem:
    """An image: a file, or an index of the pack."""

    image: File | int
    deaths: int = 0


@dataclass(frozen=True)
class Measured:
    """What an image set needs of one image.

    Attributes:
        digest: of the file.
        features: (D,); None if it is unreadable.
        periodogram: see :func:`~impasto.metrics.checkerboard.periodogram`.
        reason: why it is unreadable.
    """

    digest: bytes = b""
    features: Floats | None = None
    periodogram: Floats | None = None
    reason: str = ""


def opens_on_cluster(spec: str) -> bool:
    """Whether workers can read a source's image files: it is no pack or list, and none that is downloaded or bundled.

    Raises ImpastoError for an address that cannot be opened.
    """
    if is_address(spec):
        place = open_place(spec)
        with access_errors(spec):
            return not place.files.isfile(posixpath.join(place.path, INDEX))
    return spec != "-" and not spec.startswith(("sample:", "kaggle:", "hf:")) and not is_pack(spec)


def open_cluster_set(
    resolved: str | PixelStore, spec: str, size: int, count: int | None, networks: Networks
) -> ImageSet:
    """Return images whose features workers compute.

    Args:
        resolved: a pack, or the name of a source for which :func:`opens_on_cluster`.
        spec: the pack as the user wrote it.
        size: side in pixels.
        count: maximum number of images.
        networks: how workers open them.
    """
    if isinstance(resolved, PixelStore):
        path = spec if is_address(spec) else str(user_path(local(spec)).resolve())
        return ClusterStoreImages(resolved, path, size, count, networks)
    return ClusterFileImages(open_remote_source(resolved), size, count, networks)


class ClusterFileImages(FileImages):
    """Image files, which each worker reads from where they are. Features are not cached."""

    def __init__(self, source: ImageSource, size: int, count: int | None, networks: Networks) -> None:
        super().__init__(source.name, size, count, source)
        self._networks = networks

    def features(self, network: FeatureExtractor, progress: Progress | None = None) -> Features:
        task = FeatureTask(*self._networks[network.name], self.size)
        left_out: list[tuple[int, str]] = []
        digests = bytearray()

        def results() -> Iterator[Measured]:
            items = (FeatureItem(file) for file in self._source.files())
            for place, result in enumerate(_measure(task, items)):
                digests.extend(result.digest)
                if result.reason:
                    left_out.append((place, result.reason))
                yield result

        arrays = _collect(results(), network, self.count, progress)
        self._digests = digests
        self._leave_out(left_out)
        return self._keep(arrays)


class ClusterStoreImages(StoreImages):
    """Images of a pack, at an address or on a disk that all workers share. Features are not cached."""

    def __init__(self, store: PixelStore, path: str, size: int, count: int | None, networks: Networks) -> None:
        super().__init__(store, size, count)
        self._path, self._networks = path, networks

    def features(self, network: FeatureExtractor, progress: Progress | None = None) -> Features:
        task = FeatureTask(*self._networks[network.name], self.size, self._path)
        items = (FeatureItem(int(index)) for index in self._chosen)
        return self._keep(_collect(_measure(task, items), network, self.count, progress))


class FeatureWorker(PoolWorker):
    """Holds a network and measures images with it."""

    def __init__(self, task: FeatureTask) -> None:
        import torch

        from impasto.device import choose_device
        from impasto.metrics.feature_extractors import open_feature_extractor

        torch.set_num_threads(1)
        self._size = task.size
        self._network = open_feature_extractor(task.network, choose_device("auto"), task.weights)
        self._store = None if task.pack is None else PixelStore.open(task.pack)

    def work(self, items: list[FeatureItem]) -> list[Measured]:
        """Measure images of the pack, or else files."""
        if self._store is not None:
            indices = np.array([item.image for item in items], np.int64)
            images = list(StoreImages(self._store, self._size, len(items), indices).stream())
            return self._measured(images, [b""] * len(items))
        digests: list[bytes] = []
        files = [item.image for item in items if isinstance(item.image, File)]
        outcomes = list(decode_squares(_read(files, digests), self._size, workers=1))
        squares = [each.pixels for each in outcomes if isinstance(each, Square)]
        known = [digest for digest, each in zip(digests, outcomes, strict=True) if isinstance(each, Square)]
        found = iter(self._measured(squares, known))
        return [
            next(found) if isinstance(each, Square) else Measured(digest, reason=each.reason)
            for digest, each in zip(digests, outcomes, strict=True)
        ]

    def _measured(self, images: list[Pixels], digests: list[bytes]) -> list[Measured]:
        features = extract(self._network, images)
        return [
            Measured(digest, row, periodogram(image))
            for digest, row, image in zip(digests, features, images, strict=True)
        ]


def _read(files: list[File], digests: list[bytes]) -> Iterator[Entry]:
    """Yield files as entries that have been read, and append their digests."""
    for file in files:
        try:
            data = file.read()
        except UnreadableError as error:
            digests.append(digest_of(error))
            yield Entry(file.name, partial(raise_unreadable, str(error)))
        else:
            digests.append(digest_of(data))
            yield Entry(file.name, partial(bytes, data), len(data))


def _measure(task: FeatureTask, items: Iterator[FeatureItem]) -> Iterator[Measured]:
    """Yield what workers measure, in order."""
    reason = f"{DEATHS} workers died while they measured it"
    chunks = iter(lambda: list(islice(items, CHUNK)), [])
    for _, result in compute(FeatureWorker, task, lambda workers: chunks, in_order=True):
        yield result or Measured(hashlib.sha256(reason.encode()).digest(), reason=reason)


def _collect(
    results: Iterator[Measured], network: FeatureExtractor, count: int, progress: Progress | None
) -> dict[str, NDArray[Any]]:
    """Return the arrays of an image set, as if they had been computed here."""
    spectrum, collected = Spectrum(), FeatureCollector(network.dimension, count)
    for done, result in enumerate(results, 1):
        if result.features is not None:
            collected.add(result.features[None])
            spectrum.add_periodogram(result.periodogram)
        if progress is not None:
            progress(done, count)
    return collected.arrays() | {"sums": spectrum.sums, "counts": spectrum.counts}
