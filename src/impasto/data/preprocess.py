"""Preprocess a data source: decode, crop frames, crop to the centre square, resize, and drop duplicates."""

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from impasto.config.types import Pixels, Progress
from impasto.data.border_crop import Box, find_content_box
from impasto.data.decode import Decoded, TooManyPixelsError, decode
from impasto.data.entry import MAX_IN_FLIGHT_BYTES, Entry, UnreadableError
from impasto.data.formats import supported_formats
from impasto.data.inventory import Duplicate, ImageRecord, Inventory, LeftOut
from impasto.data.near_duplicates import Thumbnail, find_near_duplicates, thumbnail
from impasto.data.sources import ImageSource
from impasto.errors import ImpastoError

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


def build_inventory(
    source: ImageSource,
    size: int,
    add: Callable[[Pixels], object],
    *,
    crop_frames: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Inventory:
    """Decode all entries of a source, pass each distinct image on, and return the inventory of the source.

    Args:
        source: an open source.
        size: side of the squares in pixels.
        add: called with the pixels (size, size, 3) of each image, in the order of the inventory.
        crop_frames: crop borders, mounts and frames first.
        workers: number of threads; by default the number of processors.
        progress: called with the number of entries done and their total (None if unknown).

    Raises:
        ImpastoError: the source has no usable image.
    """
    inventory = Inventory(source=source.name, size=size, junk=source.junk)
    fingerprint = hashlib.sha256(str(size).encode())
    first_of: dict[str, str] = {}
    thumbnails: list[Thumbnail] = []
    for done, outcome in enumerate(decode_squares(source.entries(), size, crop_frames, workers), 1):
        match outcome:
            case LeftOut():
                inventory.left_out.append(outcome)
            case Square(picture, pixels, digest, small):
                original = first_of.setdefault(picture.digest, picture.name)
                if len(first_of) == len(inventory.pictures):
                    inventory.duplicates.append(Duplicate(name=picture.name, of=original))
                else:
                    inventory.pictures.append(picture)
                    thumbnails.append(small)
                    fingerprint.update(digest)
                    add(pixels)
        if progress is not None:
            progress(done, source.total)
    if not inventory.pictures:
        raise ImpastoError(_no_usable_image(inventory))
    inventory.fingerprint = fingerprint.hexdigest()
    names = [picture.name for picture in inventory.pictures]
    inventory.near_duplicates = [(names[i], names[j]) for i, j in find_near_duplicates(np.stack(thumbnails))]
    return inventory


def decode_squares(
    entries: Iterator[Entry], size: int, crop_frames: bool = False, workers: int | None = None
) -> Iterator[Square | LeftOut]:
    """Yield the centre square of each entry, resized to ``size`` by Lanczos filter, or why there is none, in order.

    Entries are decoded by threads (Pillow releases the GIL), only a few ahead to bound the memory. The result does not
    depend on the number of threads.
    """
    threads = workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(threads, thread_name_prefix="preprocess")
    waiting: deque[tuple[Future[Square | LeftOut], int]] = deque()
    bytes_ahead = 0
    try:
        while True:
            while len(waiting) < 4 * threads and bytes_ahead < MAX_IN_FLIGHT_BYTES:
                entry = next(entries, None)
                if entry is None:
                    break
                waiting.append((pool.submit(_square, entry, size, crop_frames), entry.size))
                bytes_ahead += entry.size
            if not waiting:
                return
            done, bytes_done = waiting.popleft()
            bytes_ahead -= bytes_done
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _square(entry: Entry, size: int, crop_frames: bool) -> Square | LeftOut:
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


def _no_usable_image(inventory: Inventory) -> str:
    reasons = "; ".join(f"{each.name}: {each.reason}" for each in inventory.left_out[:3])
    more = len(inventory.left_out) - 3
    return (
        f"There is no usable image in {inventory.source} ({reasons}{f'; and {more:,} more' if more > 0 else ''}): "
        f"give {supported_formats()} files."
    )
