"""Preprocess a data source: decode, crop frames, crop to the centre square, resize, and drop duplicates."""

import hashlib
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.config.types import Pixels, Progress
from impasto.data.border_crop import Box, find_content_box
from impasto.data.decode import Decoded, TooManyPixelsError, decode
from impasto.data.digest_index import DigestIndex
from impasto.data.entry import MAX_IN_FLIGHT_BYTES, Entry, UnreadableError
from impasto.data.formats import supported_formats
from impasto.data.inventory import MAX_LISTED, Duplicate, ImageRecord, Inventory, LeftOut, Summary
from impasto.data.near_duplicates import NearDuplicates, Thumbnail, thumbnail
from impasto.data.sources import ImageSource
from impasto.errors import ImpastoError
from impasto.ordered_map import Result, ordered_map

#: Images of more pixels are decoded one at a time, as each takes hundreds of megabytes.
LARGE_PIXELS = 1 << 25
_one_large_image = threading.Lock()


@dataclass(frozen=True, slots=True)
class Square:
    """The centre square of an image.

    Attributes:
        picture: record of the image.
        pixels: (size, size, 3).
        digest: SHA-256 of ``pixels``.
        thumbnail: for near-duplicate detection.
    """

    picture: ImageRecord
    pixels: Pixels
    digest: bytes
    thumbnail: Thumbnail


class Collector(ABC):
    """Takes the squares of a source in order, of which it drops exact duplicates, and counts what it takes.

    It takes 16 bytes of memory an image, and that of a window of thumbnails.

    Attributes:
        summary: of what has been taken.
    """

    def __init__(self, sources: list[str], size: int, junk: int = 0) -> None:
        self.summary = Summary(sources=sources, size=size, junk=junk)
        self._known, self._near, self._count = DigestIndex(), NearDuplicates(), 0
        self._fingerprint = hashlib.sha256(str(size).encode())

    def take(self, outcome: Square | LeftOut) -> None:
        """Take the next entry of the source."""
        if isinstance(outcome, LeftOut):
            self.summary.count_left_out(outcome)
            self._leave_out(outcome)
            return
        picture = outcome.picture
        earlier = self._known.add(bytes.fromhex(picture.digest), self._count)
        if earlier is not None:
            duplicate = Duplicate(name=picture.name, of=self._name(earlier))
            self.summary.count_duplicate(duplicate)
            self._drop(duplicate)
            return
        self.summary.count(picture)
        self._keep(outcome)
        self._pairs(self._near.add(outcome.thumbnail))

    def finish(self) -> None:
        """End the source. Raises ImpastoError if it had no usable image."""
        if not self.summary.pictures and not self.summary.duplicates:
            raise ImpastoError(_no_usable_image(self.summary))
        self._pairs(self._near.finish())
        self.summary.fingerprint = self._fingerprint.hexdigest()

    def _keep(self, square: Square) -> None:
        """Store an image."""
        self._count += 1
        self._fingerprint.update(square.digest)

    def _pairs(self, pairs: NDArray[np.int64]) -> None:
        if len(pairs):
            first = ((self._name(one), self._name(other)) for one, other in pairs[:MAX_LISTED].tolist())
            self.summary.count_near_duplicates(len(pairs), first)
            self._link(pairs)

    @abstractmethod
    def _name(self, position: int) -> str:
        """Return the name of an image that was kept."""

    @abstractmethod
    def _leave_out(self, each: LeftOut) -> None:
        """Store a file that is left out."""

    @abstractmethod
    def _drop(self, each: Duplicate) -> None:
        """Store an exact duplicate."""

    @abstractmethod
    def _link(self, pairs: NDArray[np.int64]) -> None:
        """Store pairs (M, 2) of near duplicates, by position."""


class _InventoryBuilder(Collector):
    """Collects an inventory in memory."""

    def __init__(self, source: ImageSource, size: int, add: Callable[[Pixels], object]) -> None:
        super().__init__([source.name], size)
        self.inventory = Inventory(source=source.name, size=size, junk=source.junk)
        self._add = add

    def finish(self) -> None:
        super().finish()
        self.inventory.fingerprint = self.summary.fingerprint

    def _keep(self, square: Square) -> None:
        super()._keep(square)
        self.inventory.pictures.append(square.picture)
        self._add(square.pixels)

    def _name(self, position: int) -> str:
        return self.inventory.pictures[position].name

    def _leave_out(self, each: LeftOut) -> None:
        self.inventory.left_out.append(each)

    def _drop(self, each: Duplicate) -> None:
        self.inventory.duplicates.append(each)

    def _link(self, pairs: NDArray[np.int64]) -> None:
        self.inventory.near_duplicates += [(self._name(one), self._name(other)) for one, other in pairs.tolist()]


def build_inventory(
    source: ImageSource,
    size: int,
    add: Callable[[Pixels], object],
    *,
    crop_frames: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    outcomes: Iterator[Square | LeftOut] | None = None,
) -> Inventory:
    """Decode all entries of a source, pass each distinct image on, and return the inventory of the source.

    Args:
        source: an open source.
        size: side of the squares in pixels.
        add: called with the pixels (size, size, 3) of each image, in the order of the inventory.
        crop_frames: crop borders, mounts and frames first.
        workers: number of threads; by default the number of processors.
        progress: called with the number of entries done and their total (None if unknown).
        outcomes: of all entries in order, if they are decoded elsewhere.

    Raises:
        ImpastoError: the source has no usable image.
    """
    builder = _InventoryBuilder(source, size, add)
    collect(source, builder, crop_frames=crop_frames, workers=workers, progress=progress, outcomes=outcomes)
    return builder.inventory


def collect(
    source: ImageSource,
    collector: Collector,
    *,
    crop_frames: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    outcomes: Iterator[Square | LeftOut] | None = None,
) -> None:
    """Decode all entries of a source for a collector; other arguments and errors as in :func:`build_inventory`."""
    squares = outcomes or decode_squares(source.entries(), collector.summary.size, crop_frames, workers)
    for done, outcome in enumerate(squares, 1):
        collector.take(outcome)
        if progress is not None:
            progress(done, source.total)
    collector.finish()


def decode_squares(
    entries: Iterator[Entry], size: int, crop_frames: bool = False, workers: int | None = None
) -> Iterator[Square | LeftOut]:
    """Yield the :func:`read_square` of each entry, in order."""
    return in_threads(partial(read_square, size=size, crop_frames=crop_frames), entries, workers)


def in_threads(
    work: Callable[[Entry], Result], entries: Iterator[Entry], workers: int | None = None
) -> Iterator[Result]:
    """Yield the result of ``work`` for each entry, in order, from threads: by default one for each processor.

    Pillow and numpy release the GIL. Entries are worked on only a few ahead, to bound the memory.
    """
    threads = workers or os.cpu_count() or 1
    size = attrgetter("size")
    for _, result in ordered_map(work, entries, threads, ahead=4 * threads, size=size, capacity=MAX_IN_FLIGHT_BYTES):
        yield result


def read_square(entry: Entry, size: int, crop_frames: bool = False) -> Square | LeftOut:
    """Return the centre square of an entry, resized to ``size`` by Lanczos filter, or why there is none."""
    # JPEGs may be decoded smaller, with enough pixels left for the Lanczos filter and for cropping a frame.
    min_side = size * (4 if crop_frames else 2)
    try:
        data = entry.read()
        try:
            return _crop(entry.name, decode(data, min_side, LARGE_PIXELS), size, crop_frames)
        except TooManyPixelsError:
            with _one_large_image:
                return _crop(entry.name, decode(data, min_side), size, crop_frames)
    except UnreadableError as reason:
        return LeftOut(name=entry.name, reason=str(reason))


def _crop(name: str, decoded: Decoded, size: int, crop_frames: bool) -> Square:
    image = decoded.image
    pixels = np.asarray(image)
    box = find_content_box(pixels) if crop_frames else Box(0, 0, *image.size)
    left, top, right, bottom = _centre_square(box)
    if (left, top, right, bottom) != (0, 0, size, size) or image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS, (left, top, right, bottom))
    content = hashlib.sha256(pixels.data).digest()
    square = pixels if image is decoded.image else np.asarray(image)
    picture = ImageRecord(
        name=name,
        format=decoded.format,
        mode=decoded.mode,
        width=decoded.width,
        height=decoded.height,
        digest=hashlib.sha256(f"{decoded.width} {decoded.height} ".encode() + content).hexdigest(),
        frame=_scale_to_full_size(box, decoded),
    )
    digest = content if square is pixels else hashlib.sha256(square.data).digest()
    return Square(picture, square, digest, thumbnail(image))


def _centre_square(box: Box) -> tuple[float, float, float, float]:
    width, height = box.right - box.left, box.bottom - box.top
    side = min(width, height)
    left, top = box.left + (width - side) / 2, box.top + (height - side) / 2
    return left, top, left + side, top + side


def _scale_to_full_size(box: Box, decoded: Decoded) -> tuple[int, int, int, int] | None:
    width, height = decoded.image.size
    if box == (0, 0, width, height):
        return None
    across, down = decoded.width / width, decoded.height / height
    return (
        round(box.left * across),
        round(box.top * down),
        round(box.right * across),
        round(box.bottom * down),
    )


def _no_usable_image(summary: Summary) -> str:
    reasons = "; ".join(summary.listed.get("left_out", [])[:3])
    more = summary.left_out - 3
    return (
        f"There is no usable image in {summary.source} ({reasons}{f'; and {more:,} more' if more > 0 else ''}): "
        f"give {supported_formats()} files."
    )
