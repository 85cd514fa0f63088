"""One pass over a set of pictures: each is measured, some are kept to be compared with each other, none else stays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.config.types import Pixels, Progress
from impasto.data.inventory import Inventory
from impasto.data.pixel_store import PixelStore, gather, is_pack
from impasto.data.preprocess import Square, collect, squares
from impasto.data.sources import open_source
from impasto.exploration.image_statistics import Measures, measure
from impasto.exploration.results import ImageStatistics

#: Side of the squares that are measured, if no pack is smaller.
SIZE = 256
#: Pictures of a set that are compared with each other, at most: what that takes grows with the square.
SAMPLE = 400


@dataclass(frozen=True)
class Look:
    """What a pass over a set leaves.

    Attributes:
        inventory: what there is, and what was left out.
        looks: of every picture, in order, without palettes.
        histogram: (3, 256) shares of the pixels of all, by channel and level.
        power: (S/2,) sum over all pictures of their power by spatial frequency.
        sample: numbers of the pictures that were kept, evenly spread over the set.
        squares: those pictures, uint8 (n, S, S, 3).
    """

    inventory: Inventory
    looks: list[ImageStatistics]
    histogram: NDArray[np.float64]
    power: NDArray[np.float64]
    sample: list[int]
    squares: Pixels

    @property
    def names(self) -> list[str]:
        """Of the sample."""
        return [self.looks[number].name for number in self.sample]


def common_size(*sources: str) -> int:
    """The side at which the pictures of all sources can be measured: a pack cannot be enlarged."""
    return min([SIZE, *(PixelStore.open(source).size for source in sources if is_pack(source))])


def look(source: str, size: int, *, crop_frames: bool = False, progress: Progress | None = None) -> Look:
    """Measures every picture of a source as a square of ``size`` pixels, holding at most ``2 * SAMPLE`` of them.

    Raises :class:`impasto.errors.ImpastoError` if there is no usable picture.
    """
    kept = _Kept()
    if is_pack(source):
        store = gather(source, size, crop_frames=crop_frames)
        survey = store.inventory
        for done, picture in enumerate(store.pixels, 1):
            kept.add(_sized(picture, size))
            if progress is not None:
                progress(done, len(store.pixels))
    else:  # decoded by threads, while this one measures
        with open_source(source) as opened:
            survey = collect(opened, size, kept.add, crop_frames=crop_frames, progress=progress)
    names = [picture.name for picture in survey.pictures]
    chosen = np.linspace(0, len(kept.squares) - 1, min(SAMPLE, len(kept.squares))).round().astype(int)
    return Look(
        inventory=survey,
        looks=[
            ImageStatistics(
                name=name,
                brightness=each.brightness,
                contrast=each.contrast,
                colourfulness=each.colourfulness,
                sharpness=each.sharpness,
            )
            for name, each in zip(names, kept.measures, strict=True)
        ],
        histogram=kept.histogram / kept.histogram.sum(axis=1, keepdims=True),
        power=kept.power,
        sample=[kept.numbers[place] for place in chosen],
        squares=np.stack([kept.squares[place] for place in chosen]),
    )


def see(source: str, names: list[str], size: int, crop_frames: bool) -> dict[str, Pixels]:
    """The squares of a few pictures by name, decoded once more."""
    wanted = set(names)
    if is_pack(source):
        store = PixelStore.open(source)
        found = zip(store.names, store.pixels, strict=True)
        return {name: _sized(picture, size) for name, picture in found if name in wanted}
    with open_source(source) as opened:
        chosen = (entry for entry in opened.entries() if entry.name in wanted)
        seen = [each for each in squares(chosen, size, crop_frames) if isinstance(each, Square)]
    return {each.picture.name: each.pixels for each in seen}


class _Kept:
    """Measures of all pictures so far, and every n-th of them: n doubles when there are too many."""

    def __init__(self) -> None:
        self.measures: list[Measures] = []
        self.histogram = np.zeros((3, 256))
        self.power = np.zeros(0)
        self.squares: list[Pixels] = []
        self.numbers: list[int] = []
        self._every = 1

    def add(self, picture: Pixels) -> None:
        measured = measure(picture)
        number = len(self.measures)
        self.histogram += measured.histogram
        self.power = measured.power + (self.power if number else 0)
        # The sums have what these hold for each picture.
        self.measures.append(Measures(**{**vars(measured), "histogram": NOTHING, "power": NOTHING}))
        if number % self._every == 0:
            self.squares.append(picture.copy())
            self.numbers.append(number)
        if len(self.squares) > 2 * SAMPLE:
            self._every *= 2
            del self.squares[1::2], self.numbers[1::2]


#: In place of arrays that are summed up.
NOTHING: NDArray[np.int64] = np.zeros(0, np.int64)


def _sized(picture: Pixels, size: int) -> Pixels:
    if len(picture) == size:
        return np.asarray(picture)
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.LANCZOS))
