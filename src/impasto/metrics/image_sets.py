"""The two sides of an evaluation: pictures in files, in a store, or by a style; all give features and pictures."""

import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import islice
from pathlib import PurePosixPath
from statistics import median_low
from typing import Protocol, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from impasto.config.types import Features, Pixels, Progress
from impasto.data.augment import shrink, to_float, to_pixels
from impasto.data.entry import Entry, Unreadable
from impasto.data.inventory import LeftOut
from impasto.data.pixel_store import PixelStore, is_pack
from impasto.data.preprocess import Square, squares
from impasto.data.sources import open_source
from impasto.errors import ImpastoError
from impasto.inference.translator import Painter, load
from impasto.metrics.checkerboard import Spectrum
from impasto.metrics.feature_extractors import FeatureExtractor
from impasto.metrics.features import CPU_BLOCK, cached_features, extract
from impasto.metrics.results import Side
from impasto.style import Card, find_style

#: ImageSet of a side that are scored at most, unless asked for: what pairs of them cost grows with the square.
MOST = 10_000
#: ImageSet that a style makes to be scored, unless asked for.
MADE = 1_000
#: The largest side at which pictures in files are compared, unless asked for: the competition's.
LARGEST = 256
#: Files whose sizes are looked at to know a folder's size.
MEASURED = 64


class ImageSet(ABC):
    """ImageSet of one side, all brought to ``size`` pixels. Numbers are places among those that are scored."""

    size: int
    count: int  #: how many are to be scored
    spectrum: Spectrum  #: of all, once features have been asked for

    def features(self, network: FeatureExtractor, progress: Progress | None = None) -> Features:
        """Features (N, D) of all, in order; N is below ``count`` where some cannot be read."""
        return self._known(self._measured(network, progress))

    def _measured(self, network: FeatureExtractor, progress: Progress | None) -> dict[str, NDArray[np.generic]]:
        """Features and spectrum, by looking once at each picture."""
        spectrum = Spectrum()
        features = extract(network, spectrum.passing(self.stream()), _told(progress, self.count))
        return {"features": features, "sums": spectrum.sums, "counts": spectrum.counts}

    def _known(self, measured: dict[str, NDArray[np.generic]]) -> Features:
        self.spectrum = Spectrum(measured["sums"].astype(np.float64), measured["counts"].astype(np.int64))
        return measured["features"].astype(np.float32)

    @abstractmethod
    def stream(self) -> Iterator[Pixels]:
        """All that can be read, in order, each uint8 (size, size, 3); only a few are in memory at a time."""

    @abstractmethod
    def pick(self, numbers: Iterable[int]) -> Pixels:
        """The pictures with those numbers, uint8 (n, size, size, 3)."""

    @abstractmethod
    def names(self) -> list[str]:
        """What each is called, once all have been looked at."""

    @abstractmethod
    def side(self) -> Side:
        """What a person should know of them, once all have been looked at."""


class FileImages(ImageSet):
    """ImageSet of any source of files, decoded a few at a time. They are known by their bytes: features of the same
    files are found again wherever those lie."""

    def __init__(self, spec: str, size: int, count: int | None) -> None:
        self.spec, self.size = spec, size
        with open_source(spec) as source:
            found = [(entry.name, _digest(entry)) for entry in source.entries()]
        self._there = len(found)
        self._chosen = _spread(self._there, count or MOST)
        self._names = [found[place][0] for place in self._chosen]
        self._digests = [found[place][1] for place in self._chosen]
        self.count = len(self._chosen)
        self._readable: NDArray[np.int64] = np.arange(self.count)
        self._left_out: list[tuple[int, str]] = []

    def features(self, network: FeatureExtractor, progress: Progress | None = None) -> Features:
        content = hashlib.sha256(b"".join(self._digests)).hexdigest()

        def compute() -> dict[str, NDArray[np.generic]]:
            measured = self._measured(network, progress)
            return measured | {"readable": self._readable, "left_out": np.array(json.dumps(self._left_out))}

        arrays = cached_features(network, f"files/{self.size}/{content}", compute)
        self._readable = arrays["readable"].astype(np.int64)
        self._left_out = json.loads(str(arrays["left_out"]))
        return self._known(arrays)

    def stream(self) -> Iterator[Pixels]:
        readable: list[int] = []
        left_out: list[tuple[int, str]] = []
        for number, outcome in enumerate(self._squares(self._chosen)):
            if isinstance(outcome, Square):
                readable.append(number)
                yield outcome.pixels
            else:
                left_out.append((number, outcome.reason))
        if not readable:
            reason = f"{self._names[0]}: {left_out[0][1]}"
            raise ImpastoError(f"There is no usable picture in {self.spec} ({reason}): give JPEG, PNG … files.")
        self._readable, self._left_out = np.array(readable, np.int64), left_out

    def pick(self, numbers: Iterable[int]) -> Pixels:
        wanted = [int(self._readable[number]) for number in numbers]
        ordered = sorted(set(wanted))
        found = dict(zip(ordered, self._squares([self._chosen[each] for each in ordered]), strict=True))
        chosen = [found[each] for each in wanted]
        gone = [each.name for each in chosen if not isinstance(each, Square)]
        if gone:
            raise ImpastoError(f"{gone[0]} in {self.spec} could be read before and cannot now: evaluate again.")
        return np.stack([each.pixels for each in chosen if isinstance(each, Square)])

    def find(self, names: Sequence[str]) -> dict[int, int]:
        """Which of the pictures has the name of which of ``names``, without its ending: places here by places there.

        Folders count where they are the same on both sides; else the last part does, where only one on each side has
        it.

        Raises:
            ImpastoError: it cannot be told which is which.
        """
        whole = {_without_ending(name): place for place, name in enumerate(self._names)}
        found = {whole[key]: place for place, name in enumerate(names) if (key := _without_ending(name)) in whole}
        if found:
            return found
        here, there = ([PurePosixPath(name).stem for name in each] for each in (self._names, names))
        twice = [stem for stem in set(here) & set(there) if here.count(stem) > 1 or there.count(stem) > 1]
        if twice:
            raise ImpastoError(f"Several pictures are called {min(twice)}, in {self.spec} or among what was painted.")
        return {here.index(stem): place for place, stem in enumerate(there) if stem in here}

    def read(self, places: Mapping[int, int]) -> Iterator[tuple[int, Pixels]]:
        """The pictures at those places that can be read, each with the number that it goes by."""
        ordered = sorted(places)
        for place, outcome in zip(ordered, self._squares([self._chosen[each] for each in ordered]), strict=True):
            if isinstance(outcome, Square):
                yield places[place], outcome.pixels

    def names(self) -> list[str]:
        return [self._names[place] for place in self._readable]

    def side(self) -> Side:
        return Side(
            name=os.fsencode(self.spec).decode("utf-8", "replace"),
            there=self._there,
            scored=len(self._readable),
            duplicates=len(self._readable) - len({self._digests[place] for place in self._readable}),
            left_out=[(self._names[place], reason) for place, reason in self._left_out],
        )

    def _squares(self, places: list[int]) -> Iterator[Square | LeftOut]:
        """The squares at those places of the source, in order."""
        wanted = set(places)
        with open_source(self.spec) as source:
            chosen = (entry for place, entry in enumerate(source.entries()) if place in wanted)
            yield from squares(chosen, self.size)


class StoreImages(ImageSet):
    """ImageSet of a store: a pack, or what a training learns from."""

    def __init__(
        self, store: PixelStore, size: int, count: int | None = None, indices: NDArray[np.int64] | None = None
    ) -> None:
        self.store, self.size = store, size
        among = np.arange(len(store.pixels)) if indices is None else indices
        self._there = len(among)
        self._chosen = among[_spread(self._there, count or MOST)]
        self.count = len(self._chosen)

    def features(self, network: FeatureExtractor, progress: Progress | None = None) -> Features:
        content = hashlib.sha256(self.store.fingerprint.encode() + self._chosen.astype("<i8").tobytes()).hexdigest()
        return self._known(
            cached_features(network, f"store/{self.size}/{content}", lambda: self._measured(network, progress))
        )

    def stream(self) -> Iterator[Pixels]:
        for first in range(0, self.count, 64):
            yield from self.pick(range(first, min(first + 64, self.count)))

    def pick(self, numbers: Iterable[int]) -> Pixels:
        pixels = self.store.pixels[self._chosen[list(numbers)]]
        if self.store.size == self.size:
            return pixels
        shrunk: Pixels = to_pixels(shrink(to_float(torch.from_numpy(pixels)), self.size)).numpy()
        return shrunk

    def names(self) -> list[str]:
        return [self.store.names[place] for place in self._chosen]

    def side(self) -> Side:
        return Side(name=self.store.inventory.source, there=self._there, scored=self.count)


class GeneratedImages(ImageSet):
    """ImageSet that a style makes out of nothing: those numbered 0, 1, … of a seed."""

    def __init__(self, painter: Painter, name: str, size: int, count: int | None, seed: int) -> None:
        self.painter, self.name, self.size, self.seed = painter, name, size, seed
        self.count = count or MADE
        self._different: set[bytes] = set()

    def stream(self) -> Iterator[Pixels]:
        for picture in self.painter.stream(self.count, self.seed):
            self._different.add(_fingerprint(picture))
            yield self._sized(picture)

    def pick(self, numbers: Iterable[int]) -> Pixels:
        made = [next(self.painter.stream(1, self.seed, number)) for number in numbers]
        return np.stack([self._sized(picture) for picture in made])

    def names(self) -> list[str]:
        return [f"{number:05d}" for number in range(self.count)]

    def side(self) -> Side:
        return Side(
            name=self.name,
            domains=self.painter.card.domains,
            there=self.count,
            scored=self.count,
            duplicates=self.count - len(self._different),
        )

    def _sized(self, picture: Pixels) -> Pixels:
        if len(picture) == self.size:
            return picture
        return np.asarray(Image.fromarray(picture).resize((self.size, self.size), Image.Resampling.LANCZOS))


class Translator(Protocol):
    """A painter of photos."""

    @property
    def card(self) -> Card: ...

    def paint_pixels(self, pixels: Pixels) -> Pixels:
        """Paintings of photos, both uint8 (B, H, W, 3)."""


class TranslatedImages(ImageSet):
    """Paintings that a style makes of photos, called as those are. A painting is made again when it is picked."""

    def __init__(self, painter: Translator, name: str, photos: ImageSet) -> None:
        self.painter, self.name, self.photos = painter, name, photos
        self.size, self.count = photos.size, photos.count
        self._different: set[bytes] = set()

    def stream(self) -> Iterator[Pixels]:
        for _, paintings in self.pairs():
            for painting in paintings:
                self._different.add(_fingerprint(painting))
                yield painting

    def pick(self, numbers: Iterable[int]) -> Pixels:
        return self.painter.paint_pixels(self.photos.pick(numbers))

    def pairs(self) -> Iterator[tuple[Pixels, Pixels]]:
        """Photos and their paintings, both uint8 (n, size, size, 3), in order, a few at a time."""
        photos = self.photos.stream()
        while block := list(islice(photos, CPU_BLOCK)):
            yield np.stack(block), self.painter.paint_pixels(np.stack(block))

    def names(self) -> list[str]:
        return self.photos.names()

    def side(self) -> Side:
        photos = self.photos.side()
        return Side(
            name=self.name,
            domains=self.painter.card.domains,
            there=photos.there,
            scored=photos.scored,
            duplicates=photos.scored - len(self._different),
            left_out=photos.left_out,
        )


Opened = str | PixelStore | Painter


def look(spec: str, device: str, *, reverse: bool = False) -> Opened:
    """What a side's name stands for: a style at work, a store, or the name of a source of files. With ``reverse``, a
    style at work in its reverse direction."""
    style = find_style(spec)
    if style.suffix == ".safetensors" or (style / "run.json").is_file():
        return load(spec, device, reverse=reverse)
    if reverse:
        raise ImpastoError(f"{spec} is not a style and has no reverse direction: leave out --reverse.")
    return PixelStore.open(spec) if is_pack(spec) else spec


def own_size(opened: Opened) -> int:
    """The side of its pictures in pixels; of files, the lower median of the short sides of some, 256 at most."""
    if not isinstance(opened, str):
        return opened.size
    with open_source(opened) as source:
        sizes = [size for size in map(_short_side, islice(source.entries(), MEASURED)) if size]
    return min(median_low(sizes), LARGEST) if sizes else LARGEST


def translates(opened: Opened) -> TypeGuard[Painter]:
    """Whether it is a style that makes paintings of photos."""
    return isinstance(opened, Painter) and opened.style.recipe.translates


def open_side(opened: Opened, name: str, size: int, count: int | None, seed: int) -> ImageSet:
    """The pictures of a side, at ``size``."""
    match opened:
        case Painter():
            return GeneratedImages(opened, name, size, count, seed)
        case PixelStore():
            return StoreImages(opened, size, count)
        case str():
            return FileImages(opened, size, count)


def _spread(there: int, most: int) -> list[int]:
    """At most that many places of those there, in order: chosen at random where not all are, always the same."""
    if there <= most:
        return list(range(there))
    return sorted(np.random.default_rng(0).choice(there, most, replace=False).tolist())


def _digest(entry: Entry) -> bytes:
    try:
        return hashlib.sha256(entry.read()).digest()
    except Unreadable as reason:
        return hashlib.sha256(f"unreadable: {reason}".encode()).digest()


def _fingerprint(picture: Pixels) -> bytes:
    return hashlib.blake2b(picture.tobytes(), digest_size=16).digest()


def _without_ending(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _short_side(entry: Entry) -> int | None:
    try:
        with Image.open(BytesIO(entry.read())) as image:
            return min(image.size)
    except (Unreadable, OSError, ValueError, Image.DecompressionBombError):
        return None


def _told(progress: Progress | None, total: int) -> Callable[[int], object] | None:
    return None if progress is None else lambda done: progress(done, total)
