"""Measure every image of a data set in one pass, and keep an evenly spaced sample of them."""

from array import array
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.config.types import Pixels, Progress
from impasto.data.inventory import Inventory, LeftOut
from impasto.data.pixel_store import PixelStore, is_pack, load_images
from impasto.data.preprocess import Square, build_inventory, decode_squares
from impasto.data.sources import ImageSource, open_source
from impasto.errors import ImpastoError
from impasto.exploration.image_statistics import STATISTICS, Measurements, measure_image
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


def scan_source(
    source: str,
    size: int,
    *,
    crop_frames: bool = False,
    progress: Progress | None = None,
    remote: ImageSource | None = None,
) -> Scan:
    """Measure every image of a source as a square of ``size`` pixels, with at most ``2 * SAMPLE`` of them in memory.

    Args:
        source: a pack, or what :func:`~impasto.data.sources.open_source` opens.
        size: side of the squares.
        crop_frames: crop borders, mounts and frames first.
        progress: called with the number of images done and their total.
        remote: the open source, if workers on a Ray cluster are to measure it.

    Raises:
        ImpastoError: the source has no usable image.
    """
    measured = _Accumulator()
    if remote is None and is_pack(source):
        store = load_images(source, size, crop_frames=crop_frames)
        inventory = store.inventory
        for done, image in enumerate(store.pixels, 1):
            measured.add(_resize(image, size))
            if progress is not None:
                progress(done, len(store.pixels))
    elif remote is not None:
        inventory = _scan_remote(remote, size, measured, crop_frames, progress)
    else:  # threads decode while this one measures
        with open_source(source) as opened:
            inventory = build_inventory(opened, size, measured.add, crop_frames=crop_frames, progress=progress)
    names = (picture.name for picture in inventory.pictures)
    rows = (
        measured.measures[first : first + len(STATISTICS)]
        for first in range(0, len(measured.measures), len(STATISTICS))
    )
    chosen = np.linspace(0, len(measured.squares) - 1, min(SAMPLE, len(measured.squares))).round().astype(int)
    sample = [measured.numbers[place] for place in chosen]
    if remote is None:
        squares = [measured.squares[place] for place in chosen]
    else:  # only now is it known which they are
        sampled = [inventory.pictures[number].name for number in sample]
        found = load_squares(source, sampled, size, crop_frames, remote)
        missing = [name for name in sampled if name not in found]
        if missing:
            raise ImpastoError(f"{missing[0]} in {source} can no longer be read: explore again.")
        squares = [found[name] for name in sampled]
    return Scan(
        inventory=inventory,
        statistics=[
            ImageStatistics(name, brightness, contrast, colourfulness, sharpness)
            for name, (brightness, contrast, colourfulness, sharpness) in zip(names, rows, strict=True)
        ],
        histogram=measured.histogram / measured.histogram.sum(axis=1, keepdims=True),
        power=measured.power,
        sample=sample,
        squares=np.stack(squares),
    )


def _scan_remote(
    source: ImageSource, size: int, measured: "_Accumulator", crop_frames: bool, progress: Progress | None
) -> Inventory:
    from impasto.exploration.ray_scan import scan_on_cluster

    newest: Measurements

    def outcomes() -> Iterator[Square | LeftOut]:
        nonlocal newest
        for each in scan_on_cluster(source, size, crop_frames=crop_frames):
            if isinstance(each, LeftOut):
                yield each
            else:
                square, newest = each
                yield square

    return build_inventory(
        source,
        size,
        lambda pixels: measured.add_measured(newest, pixels),  # of the square that was yielded last
        crop_frames=crop_frames,
        progress=progress,
        outcomes=outcomes(),
    )


def load_squares(
    source: str, names: list[str], size: int, crop_frames: bool, remote: ImageSource | None = None
) -> dict[str, Pixels]:
    """Return the squares of some images by name, decoded again; of the open source ``remote`` if it is given."""
    wanted = set(names)
    if remote is None and is_pack(source):
        store = PixelStore.open(source)
        found = zip(store.names, store.pixels, strict=True)
        return {name: _resize(image, size) for name, image in found if name in wanted}
    with nullcontext(remote) if remote is not None else open_source(source) as opened:
        chosen = (entry for entry in opened.entries() if entry.name in wanted)
        squares = [each for each in decode_squares(chosen, size, crop_frames) if isinstance(each, Square)]
    return {each.picture.name: each.pixels for each in squares}


class _Accumulator:
    """Measurements of all images, and every n-th image; n doubles when there are too many."""

    def __init__(self) -> None:
        self.measures = array("d")  # STATISTICS of one image after the other
        self.histogram = np.zeros((3, 256))
        self.power = np.zeros(0)
        self.squares: list[Pixels] = []
        self.numbers: list[int] = []
        self._every = 1

    def add(self, image: Pixels) -> None:
        self.add_measured(measure_image(image), image)

    def add_measured(self, measured: Measurements, image: Pixels) -> None:
        number = len(self.measures) // len(STATISTICS)
        self.histogram += measured.histogram
        self.power = measured.power + (self.power if number else 0)
        self.measures.extend(getattr(measured, name) for name in STATISTICS)
        if number % self._every == 0:
            self.squares.append(image.copy())
            self.numbers.append(number)
        if len(self.squares) > 2 * SAMPLE:
            self._every *= 2
            del self.squares[1::2], self.numbers[1::2]


def _resize(image: Pixels, size: int) -> Pixels:
    if len(image) == size:
        return np.asarray(image)
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))
