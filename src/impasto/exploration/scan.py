"""Measure every image of a data set in one pass, and keep an evenly spaced sample of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.config.types import Pixels, Progress
from impasto.data.inventory import Inventory
from impasto.data.pixel_store import PixelStore, is_pack, load_images
from impasto.data.preprocess import Square, build_inventory, decode_squares
from impasto.data.sources import open_source
from impasto.exploration.image_statistics import Measurements, measure_image
from impasto.exploration.results import ImageStatistics

#: Side in pixels of the squares that are measured, unless a pack is smaller.
SIZE = 256
#: Maximum number of images that are compared with each other, at quadratic cost.
SAMPLE = 400


@dataclass(frozen=True)
class Scan:
    """Measurements of a data set.

    Attributes:
        inventory: images and left-out files.
        statistics: of every image, in order, without palettes.
        histogram: (3, 256), fraction of all pixels by channel and level.
        power: (S/2,), sum of the images' power by spatial frequency.
        sample: indices of the sampled images.
        squares: the sampled images, (n, S, S, 3).
    """

    inventory: Inventory
    statistics: list[ImageStatistics]
    histogram: NDArray[np.float64]
    power: NDArray[np.float64]
    sample: list[int]
    squares: Pixels

    @property
    def names(self) -> list[str]:
        """Names of the sampled images."""
        return [self.statistics[number].name for number in self.sample]


def common_size(*sources: str) -> int:
    """Return the side at which all sources can be measured; packs cannot be enlarged."""
    return min([SIZE, *(PixelStore.open(source).size for source in sources if is_pack(source))])


def scan_source(source: str, size: int, *, crop_frames: bool = False, progress: Progress | None = None) -> Scan:
    """Measure every image of a source as a square of ``size`` pixels, with at most ``2 * SAMPLE`` of them in memory.

    Raises:
        ImpastoError: the source has no usable image.
    """
    measured = _Accumulator()
    if is_pack(source):
        store = load_images(source, size, crop_frames=crop_frames)
        inventory = store.inventory
        for done, image in enumerate(store.pixels, 1):
            measured.add(_resize(image, size))
            if progress is not None:
                progress(done, len(store.pixels))
    else:  # threads decode while this one measures
        with open_source(source) as opened:
            inventory = build_inventory(opened, size, measured.add, crop_frames=crop_frames, progress=progress)
    names = [picture.name for picture in inventory.pictures]
    chosen = np.linspace(0, len(measured.squares) - 1, min(SAMPLE, len(measured.squares))).round().astype(int)
    return Scan(
        inventory=inventory,
        statistics=[
            ImageStatistics(
                name=name,
                brightness=each.brightness,
                contrast=each.contrast,
                colourfulness=each.colourfulness,
                sharpness=each.sharpness,
            )
            for name, each in zip(names, measured.measures, strict=True)
        ],
        histogram=measured.histogram / measured.histogram.sum(axis=1, keepdims=True),
        power=measured.power,
        sample=[measured.numbers[place] for place in chosen],
        squares=np.stack([measured.squares[place] for place in chosen]),
    )


def load_squares(source: str, names: list[str], size: int, crop_frames: bool) -> dict[str, Pixels]:
    """Return the squares of some images by name, decoded again."""
    wanted = set(names)
    if is_pack(source):
        store = PixelStore.open(source)
        found = zip(store.names, store.pixels, strict=True)
        return {name: _resize(image, size) for name, image in found if name in wanted}
    with open_source(source) as opened:
        chosen = (entry for entry in opened.entries() if entry.name in wanted)
        squares = [each for each in decode_squares(chosen, size, crop_frames) if isinstance(each, Square)]
    return {each.picture.name: each.pixels for each in squares}


class _Accumulator:
    """Measurements of all images, and every n-th image; n doubles when there are too many."""

    def __init__(self) -> None:
        self.measures: list[Measurements] = []
        self.histogram = np.zeros((3, 256))
        self.power = np.zeros(0)
        self.squares: list[Pixels] = []
        self.numbers: list[int] = []
        self._every = 1

    def add(self, image: Pixels) -> None:
        measured = measure_image(image)
        number = len(self.measures)
        self.histogram += measured.histogram
        self.power = measured.power + (self.power if number else 0)
        # Drop the arrays of each image: only their sums are needed.
        self.measures.append(Measurements(**{**vars(measured), "histogram": _EMPTY, "power": _EMPTY}))
        if number % self._every == 0:
            self.squares.append(image.copy())
            self.numbers.append(number)
        if len(self.squares) > 2 * SAMPLE:
            self._every *= 2
            del self.squares[1::2], self.numbers[1::2]


#: Replaces arrays that have been added to the sums.
_EMPTY: NDArray[np.int64] = np.zeros(0, np.int64)


def _resize(image: Pixels, size: int) -> Pixels:
    if len(image) == size:
        return np.asarray(image)
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))
