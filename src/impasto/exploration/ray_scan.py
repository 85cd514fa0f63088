"""Images that are measured for an exploration by the workers of a Ray cluster."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from impasto.data.entry import File
from impasto.data.inventory import LeftOut
from impasto.data.preprocess import Square, decode_squares
from impasto.data.sources import ImageSource
from impasto.exploration.image_statistics import Measurements, measure_image
from impasto.ray_pool import DEATHS, PoolWorker, compute

#: Images that a worker gets at a time.
CHUNK = 16


@dataclass(frozen=True)
class ScanTask:
    """What each worker receives: the side of the squares, and whether frames are cropped."""

    size: int
    crop_frames: bool


@dataclass(frozen=True)
class ScanItem:
    """An image file."""

    file: File
    deaths: int = 0


#: A square without its pixels and what was measured of it, or why there is none.
Scanned = tuple[Square, Measurements] | LeftOut


class ScanWorker(PoolWorker):
    """Decodes and measures images."""

    def __init__(self, task: ScanTask) -> None:
        self._task = task

    def work(self, items: list[ScanItem]) -> list[Scanned]:
        """Measure images."""
        entries = (item.file.entry() for item in items)
        return [
            each
            if isinstance(each, LeftOut)
            else (replace(each, pixels=each.pixels[:0].copy()), _compact(measure_image(each.pixels)))
            for each in decode_squares(entries, self._task.size, self._task.crop_frames, workers=1)
        ]


def scan_on_cluster(source: ImageSource, size: int, *, crop_frames: bool) -> Iterator[Scanned]:
    """Yield what workers find in each file of a source, in order, from wherever it can be read by all of them."""
    items = (ScanItem(file) for file in source.files())
    chunks = iter(lambda: list(islice(items, CHUNK)), [])
    for item, found in compute(ScanWorker, ScanTask(size, crop_frames), lambda workers: chunks, in_order=True):
        yield found or LeftOut(name=item.file.name, reason=f"{DEATHS} workers died while they measured it")


def _compact(measured: Measurements) -> Measurements:
    return replace(measured, histogram=measured.histogram.astype(np.uint32))
