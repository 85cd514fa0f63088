"""From a source's bytes to squares of pixels: upright, sRGB, without frames if asked, no picture twice."""

import hashlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.config.types import Progress
from impasto.data.border_crop import Box, find_frame
from impasto.data.decode import Decoded, decode
from impasto.data.entry import Entry, Unreadable
from impasto.data.inventory import Duplicate, Inventory, LeftOut, Picture
from impasto.data.near_duplicates import Thumbnail, near_pairs, thumbnail
from impasto.data.sources import ImageSource
from impasto.errors import ImpastoError


@dataclass(frozen=True, slots=True)
class Square:
    """A picture's middle square, (size, size, 3) uint8, with what is known of the picture, the digest of the square's
    pixels and a thumbnail to compare it by."""

    picture: Picture
    pixels: NDArray[np.uint8]
    digest: bytes
    thumbnail: Thumbnail


def collect(
    source: ImageSource,
    size: int,
    keep: Callable[[NDArray[np.uint8]], object],
    *,
    crop_frames: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Inventory:
    """Decode every entry of a source, hand each distinct picture on, and tell what became of all.

    Args:
        source: an open source.
        size: side of the squares in pixels.
        keep: is given each picture's pixels, (size, size, 3) uint8, in the order of the survey's pictures.
        crop_frames: take borders, mounts and frames off first.
        workers: threads; as many as there are processors if not given.
        progress: is told how many entries are done, and of how many (None if that is not known).

    Raises:
        ImpastoError: not one usable picture is left.
    """
    survey = Inventory(source=source.name, size=size, junk=source.junk)
    fingerprint = hashlib.sha256(str(size).encode())
    first_of: dict[str, str] = {}
    thumbnails: list[Thumbnail] = []
    for done, outcome in enumerate(squares(source.entries(), size, crop_frames, workers), 1):
        match outcome:
            case LeftOut():
                survey.left_out.append(outcome)
            case Square(picture, pixels, digest, small):
                original = first_of.setdefault(picture.digest, picture.name)
                if len(first_of) == len(survey.pictures):
                    survey.duplicates.append(Duplicate(name=picture.name, of=original))
                else:
                    survey.pictures.append(picture)
                    thumbnails.append(small)
                    fingerprint.update(digest)
                    keep(pixels)
        if progress is not None:
            progress(done, source.total)
    if not survey.pictures:
        raise ImpastoError(_nothing_left(survey))
    survey.fingerprint = fingerprint.hexdigest()
    names = [picture.name for picture in survey.pictures]
    survey.near_duplicates = [(names[i], names[j]) for i, j in near_pairs(np.stack(thumbnails))]
    return survey


def squares(
    entries: Iterator[Entry], size: int, crop_frames: bool = False, workers: int | None = None
) -> Iterator[Square | LeftOut]:
    """Every entry's middle square, scaled to ``size`` with Lanczos' filter, or why it has none, in their order.

    Entries are worked on by threads, as Pillow lets go of Python's lock, a few at a time, to spare the memory; the
    outcome does not depend on how many.
    """
    threads = workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(threads, thread_name_prefix="clean")
    waiting: deque[Future[Square | LeftOut]] = deque()
    try:
        while True:
            for entry in itertools.islice(entries, 4 * threads - len(waiting)):
                waiting.append(pool.submit(_square, entry, size, crop_frames))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _square(entry: Entry, size: int, crop_frames: bool) -> Square | LeftOut:
    # A JPEG may be decoded smaller, if that leaves Lanczos' filter enough pixels, and frames room to come off.
    at_least = size * (4 if crop_frames else 2)
    try:
        decoded = decode(entry.read(), at_least)
    except Unreadable as reason:
        return LeftOut(name=entry.name, reason=str(reason))
    image = decoded.image
    pixels = np.asarray(image)
    box = find_frame(pixels) if crop_frames else Box(0, 0, *image.size)
    left, top, right, bottom = _middle_square(box)
    if (left, top, right, bottom) != (0, 0, size, size) or image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS, (left, top, right, bottom))
    content = hashlib.sha256(pixels.data).digest()
    square = pixels if image is decoded.image else np.asarray(image)
    picture = Picture(
        name=entry.name,
        format=decoded.format,
        mode=decoded.mode,
        width=decoded.width,
        height=decoded.height,
        digest=hashlib.sha256(f"{decoded.width} {decoded.height} ".encode() + content).hexdigest(),
        frame=_at_full_size(box, decoded),
    )
    digest = content if square is pixels else hashlib.sha256(square.data).digest()
    return Square(picture, square, digest, thumbnail(image))


def _middle_square(box: Box) -> tuple[float, float, float, float]:
    width, height = box.right - box.left, box.bottom - box.top
    side = min(width, height)
    left, top = box.left + (width - side) / 2, box.top + (height - side) / 2
    return left, top, left + side, top + side


def _at_full_size(box: Box, decoded: Decoded) -> tuple[int, int, int, int] | None:
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


def _nothing_left(survey: Inventory) -> str:
    reasons = "; ".join(f"{each.name}: {each.reason}" for each in survey.left_out[:3])
    more = len(survey.left_out) - 3
    return (
        f"There is no usable picture in {survey.source} ({reasons}{f'; and {more:,} more' if more > 0 else ''}): "
        "give JPEG, PNG, WebP, TIFF, BMP or GIF files."
    )
