"""Image sets of an evaluation: the contract, files, and pixel stores."""

import hashlib
import json
import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray

from impasto.config.types import Features, Pixels, Progress
from impasto.data.augment import resize, to_float, to_pixels
from impasto.data.entry import Entry, UnreadableError
from impasto.data.formats import supported_formats
from impasto.data.inventory import LeftOut
from impasto.data.pixel_store import PixelStore
from impasto.data.preprocess import Square, decode_squares
from impasto.data.sources import ImageSource, open_source
from impasto.errors import ImpastoError
from impasto.metrics.checkerboard import Spectrum
from impasto.metrics.feature_extractors import FeatureExtractor
from impasto.metrics.features import cached_features, extract_batches
from impasto.metrics.moments import MAX_SAMPLE, FeatureCollector, Moments, halves, sample_numbers
from impasto.metrics.results import ImageSetSummary

#: Default maximum of images in a set, of which all metrics compare all.
MAX_IMAGES = MAX_SAMPLE
#: Part of the names of cached features; raised when files are decoded to other pixels than before.
DECODER = 2
#: Bytes of the digest of a file.
DIGEST = 32


class ImageSet(ABC):
    """Images resized to ``size`` pixels.

    Once features have been computed, the images that they are of are numbered from 0: all readable ones, or the sample
    of a set of more than :data:`~impasto.metrics.moments.MAX_SAMPLE`.
    """

    size: int
    count: int  #: images in the set, unreadable ones included
    spectrum: Spectrum  #: of all images, once features have been computed
    moments: tuple[Moments, ...] = ()  #: of the newest features of all images, in halves; none if all were kept

    def features(self, network: FeatureExtractor, progress: Progress | None = None) -> Features:
        """Return features (N, D) of all readable images in order, or of a sample; N ≤ ``count``."""
        return self._keep(self._measure(network, progress))

    def _measure(self, network: FeatureExtractor, progress: Progress | None) -> dict[str, NDArray[np.generic]]:
        """Compute features and spectrum in one pass."""
        spectrum, collected, done = Spectrum(), FeatureCollector(network.dimension, self.count), 0
        for features in extract_batches(network, spectrum.observe(self.stream())):
            collected.add(features)
            done += len(features)
            if progress is not None:
                progress(done, self.count)
        return collected.arrays() | {"sums": spectrum.sums, "counts": spectrum.counts}

    def _cached(
        self,
        network: FeatureExtractor,
        content: str,
        compute: Callable[[], dict[str, NDArray[np.generic]]],
    ) -> dict[str, NDArray[np.generic]]:
        """Return the arrays of ``compute``, from the cache if they are there for that content of the set."""
        kept = len(sample_numbers(self.count))
        return cached_features(network, content + (f"/sample of {kept}" if kept < self.count else ""), compute)

    def _keep(self, measured: dict[str, NDArray[np.generic]]) -> Features:
        self.spectrum = Spectrum(measured["sums"].astype(np.float64), measured["counts"].astype(np.int64))
        self.moments = halves(measured)
        return measured["features"].astype(np.float32)

    @abstractmethod
    def stream(self) -> Iterator[Pixels]:
        """Yield all readable images in order, each uint8 (size, size, 3), with few in memory at a time."""

    def pick(self, numbers: Iterable[int]) -> Pixels:
        """Return the images with those numbers, uint8 (n, size, size, 3)."""
        sample = sample_numbers(self.count)
        return self._load([int(sample[number]) for number in numbers])

    @abstractmethod
    def _load(self, readable: Sequence[int]) -> Pixels:
        """Return images by their place among all readable ones, uint8 (n, size, size, 3)."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the name of each numbered image, once features have been computed."""

    @abstractmethod
    def summary(self) -> ImageSetSummary:
        """Return the summary of the set, once features have been computed."""

    def pairs(self) -> Iterator[tuple[Pixels, Pixels]] | None:
        """Return blocks of source images and their translations, both uint8 (n, size, size, 3), in order.

        None for images that are not translations, or whose sources are not known.
        """
        return None


class FileImages(ImageSet):
    """Images of any source of files, decoded a few at a time. Features are cached by the files' content."""

    def __init__(self, spec: str, size: int, count: int | None, source: ImageSource | None = None) -> None:
        """
        Args:
            spec: name of the source.
            size: side of the images in pixels.
            count: maximum number of images; by default :data:`MAX_IMAGES`.
            source: the source, if it has been opened. It is closed with the last reference to the set.
        """
        self.spec, self.size = spec, size
        self._source = source or open_source(spec)
        weakref.finalize(self, self._source.close)
        total = self._source.total
        self._available = sum(1 for _ in self._source.entries()) if total is None else total
        if self._available > (most := count or MAX_IMAGES):
            self._source.choose(_subset(self._available, most))
        self._names = [entry.name for entry in self._source.entries()]
        self.count = len(self._names)
        self._digests = bytearray()  # of all files
        self._readable: NDArray[np.int64] = np.arange(self.count)
        self._left_out: list[tuple[int, str]] = []

    def features(self, network: FeatureExtractor, progress: Progress | None = None) -> Features:
        if not self._digests:
            for entry in self._source.entries():
                self._digests += _digest(entry)
        content = hashlib.sha256(self._digests).hexdigest()

        def compute() -> dict[str, NDArray[np.generic]]:
            measured = self._measure(network, progress)
            return measured | {"readable": self._readable, "left_out": np.array(json.dumps(self._left_out))}

        arrays = self._cached(network, f"files/{DECODER}/{self.size}/{content}", compute)
        self._readable = arrays["readable"].astype(np.int64)
        self._left_out = json.loads(str(arrays["left_out"]))
        return self._keep(arrays)

    def stream(self) -> Iterator[Pixels]:
        left_out: list[tuple[int, str]] = []
        for number, outcome in enumerate(decode_squares(self._source.entries(), self.size)):
            if isinstance(outcome, Square):
                yield outcome.pixels
            else:
                left_out.append((number, outcome.reason))
        self._leave_out(left_out)

    def _leave_out(self, left_out: list[tuple[int, str]]) -> None:
        """Record the unreadable files: their places and the reasons."""
        readable = np.ones(self.count, bool)
        readable[[place for place, _ in left_out]] = False
        if not readable.any():
            reason = f"{self._names[0]}: {left_out[0][1]}"
            message = f"There is no readable image in {self.spec} ({reason})"
            raise ImpastoError(f"{message}: give {supported_formats()} files.")
        self._readable, self._left_out = np.flatnonzero(readable).astype(np.int64), left_out

    def _load(self, readable: Sequence[int]) -> Pixels:
        wanted = [int(self._readable[place]) for place in readable]
        ordered = sorted(set(wanted))
        found = dict(zip(ordered, self._squares(ordered), strict=True))
        chosen = [found[each] for each in wanted]
        changed = [each.name for each in chosen if not isinstance(each, Square)]
        if changed:
            raise ImpastoError(f"{changed[0]} in {self.spec} can no longer be read: evaluate again.")
        return np.stack([each.pixels for each in chosen if isinstance(each, Square)])

    def match_names(self, names: Sequence[str]) -> dict[int, int]:
        """Match this set's images to ``names`` without file extension: indices of names by indices of images.

        Whole paths are matched first; if none is equal, file names that are unique on both sides.

        Raises:
            ImpastoError: a file name is ambiguous.
        """
        paths = {_without_extension(name): place for place, name in enumerate(self._names)}
        found = {paths[key]: place for place, name in enumerate(names) if (key := _without_extension(name)) in paths}
        if found:
            return found
        here, there = (_places_by_stem(each) for each in (self._names, names))
        shared = here.keys() & there.keys()
        twice = [stem for stem in shared if len(here[stem]) > 1 or len(there[stem]) > 1]
        if twice:
            raise ImpastoError(f"Several images are named {min(twice)}, in {self.spec} or among the fakes.")
        return {here[stem][0]: there[stem][0] for stem in there if stem in shared}

    def read(self, places: Mapping[int, int]) -> Iterator[tuple[int, Pixels]]:
        """Yield the readable images among those indices, each with the index that it is mapped to."""
        ordered = sorted(places)
        for place, outcome in zip(ordered, self._squares(ordered), strict=True):
            if isinstance(outcome, Square):
                yield places[place], outcome.pixels

    def names(self) -> list[str]:
        sample = sample_numbers(self.count)
        return [self._names[place] for place in self._readable[sample[sample < len(self._readable)]]]

    def summary(self) -> ImageSetSummary:
        return ImageSetSummary(
            name=os.fsencode(self.spec).decode("utf-8", "replace"),
            there=self._available,
            scored=len(self._readable),
            duplicates=len(self._readable) - count_distinct(self._digests, DIGEST, self._readable)
            if self._digests
            else 0,
            left_out=[(self._names[place], reason) for place, reason in self._left_out],
        )

    def _squares(self, places: list[int]) -> Iterator[Square | LeftOut]:
        """Yield the images at those places, in order, cropped to squares."""
        wanted = set(places)
        chosen = (entry for place, entry in enumerate(self._source.entries()) if place in wanted)
        yield from decode_squares(chosen, self.size)


class StoreImages(ImageSet):
    """Images of a pixel store: a pack, or a training set."""

    def __init__(
        self, store: PixelStore, size: int, count: int | None = None, indices: NDArray[np.int64] | None = None
    ) -> None:
        self.store, self.size = store, size
        among = np.arange(len(store.pixels)) if indices is None else indices
        self._available = len(among)
        self._chosen = among[_subset(self._available, count or MAX_IMAGES)]
        self.count = len(self._chosen)

    def features(self, network: FeatureExtractor, progress: Progress | None = None) -> Features:
        content = hashlib.sha256(self.store.fingerprint.encode() + self._chosen.astype("<i8").tobytes()).hexdigest()
        return self._keep(
            self._cached(network, f"store/{self.size}/{content}", lambda: self._measure(network, progress))
        )

    def stream(self) -> Iterator[Pixels]:
        for first in range(0, self.count, 64):
            yield from self._load(range(first, min(first + 64, self.count)))

    def _load(self, readable: Sequence[int]) -> Pixels:
        pixels = self.store.pixels[self._chosen[list(readable)]]
        if self.store.size == self.size:
            return pixels
        shrunk: Pixels = to_pixels(resize(to_float(torch.from_numpy(pixels)), self.size)).numpy()
        return shrunk

    def names(self) -> list[str]:
        names = self.store.names
        return [names[index] for index in self._chosen[sample_numbers(self.count)]]

    def summary(self) -> ImageSetSummary:
        return ImageSetSummary(name=self.store.source, there=self._available, scored=self.count)


def _subset(available: int, most: int) -> list[int]:
    """Return indices in order: all, or a random subset of ``most``, always the same."""
    if available <= most:
        return list(range(available))
    return sorted(np.random.default_rng(0).choice(available, most, replace=False).tolist())


def count_distinct(digests: bytes | bytearray, size: int, places: NDArray[np.int64] | None = None) -> int:
    """Return the number of different ones among digests of ``size`` bytes, or among those at some places."""
    each = np.frombuffer(bytes(digests), f"S{size}")
    return len(np.unique(each if places is None else each[places]))


def digest_of(content: bytes | UnreadableError) -> bytes:
    """Return the digest of a file's content, or of the reason why it cannot be read: :data:`DIGEST` bytes."""
    return hashlib.sha256(content if isinstance(content, bytes) else f"unreadable: {content}".encode()).digest()


def _digest(entry: Entry) -> bytes:
    try:
        return digest_of(entry.read())
    except UnreadableError as reason:
        return digest_of(reason)


def _places_by_stem(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the indices of names by their file name without extension."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(PurePosixPath(name).stem, []).append(place)
    return places


def _without_extension(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))
