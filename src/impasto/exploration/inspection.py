"""A close look at some pictures of a set, each decoded once more: their frames, and what was put on them."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.data.border_crop import Box, find_frame
from impasto.data.decode import decode
from impasto.data.entry import Unreadable
from impasto.data.pixel_store import PixelStore, is_pack
from impasto.data.sources import open_source
from impasto.exploration.contact_sheet import Crop
from impasto.exploration.results import Framed, Shares, Watermark
from impasto.exploration.watermarks import find_watermarks

SEEN_AT = 480  # pixels that the short side of a larger picture is decoded to at least
SHOWN = 400  # pixels of the long side of a picture that is kept to be shown
MOST_SHOWN = 48

#: One picture's name, and how to get its pixels, (H, W, 3) uint8; it may raise Unreadable.
_Pixels = tuple[str, Callable[[], NDArray[np.uint8]]]


@dataclass
class Inspection:
    """What a close look found, in the order of the set; ``crops`` and ``marked`` hold the first few, to show."""

    framed: list[Framed] = field(default_factory=list)
    marks: list[Watermark] = field(default_factory=list)
    crops: list[Crop] = field(default_factory=list)
    marked: list[Crop] = field(default_factory=list)


@dataclass(frozen=True)
class _Seen:
    framed: Framed | None
    marks: list[Watermark]
    crop: Crop | None
    marked: list[Crop]


def inspect_images(source: str, names: Collection[str]) -> Inspection:
    """Look for frames, watermarks, signatures and seals on the pictures of a source that have one of ``names``.

    What cannot be read is passed over, as are names that the source has not. Marks are looked for inside the frame
    alone, as that is what would be learned.

    Args:
        source: whatever :func:`impasto.data.sources.open_source` opens, or a pack.

    Raises:
        ImpastoError: the source cannot be opened.
    """
    found, wanted = Inspection(), frozenset(names)
    with ExitStack() as stack:
        pictures = _pack(source, wanted) if is_pack(source) else _source(source, wanted, stack)
        for name, pixels in pictures:  # one by one: two threads of many short steps only wait for each other
            seen = _look(name, pixels)
            if seen.framed:
                found.framed.append(seen.framed)
            if seen.crop and len(found.crops) < MOST_SHOWN:
                found.crops.append(seen.crop)
            found.marks += seen.marks
            found.marked += seen.marked[: MOST_SHOWN - len(found.marked)]
    return found


def _pack(source: str, wanted: frozenset[str]) -> Iterator[_Pixels]:
    store = PixelStore.open(source)
    for name, pixels in zip(store.names, store.pixels, strict=True):
        if name in wanted:
            yield name, partial(np.asarray, pixels)


def _source(source: str, wanted: frozenset[str], stack: ExitStack) -> Iterator[_Pixels]:
    def pixels(read: Callable[[], bytes]) -> NDArray[np.uint8]:
        return np.asarray(decode(read(), SEEN_AT).image)

    for entry in stack.enter_context(open_source(source)).entries():
        if entry.name in wanted:
            yield entry.name, partial(pixels, entry.read)


def _look(name: str, pixels: Callable[[], NDArray[np.uint8]]) -> _Seen:
    try:
        rgb = pixels()
    except Unreadable:
        return _Seen(None, [], None, [])
    height, width = rgb.shape[:2]
    box = find_frame(rgb)
    inside = rgb[box.top : box.bottom, box.left : box.right]
    marks = [
        Watermark(name=name, kind=kind, box=_outwards(shares, box, width, height), why=why)
        for kind, shares, why in find_watermarks(inside)
    ]
    marked = [crop(name, mark.box, rgb) for mark in marks]
    if box == (0, 0, width, height):
        return _Seen(None, marks, None, marked)
    framed = Framed(name=name, box=(box.left / width, box.top / height, box.right / width, box.bottom / height))
    return _Seen(framed, marks, crop(name, framed.box, rgb), marked)


def _outwards(shares: Shares, box: Box, width: int, height: int) -> Shares:
    """Shares of what is inside the frame, as shares of the whole."""
    across, down = box.right - box.left, box.bottom - box.top
    left, top, right, bottom = shares
    return (
        (box.left + left * across) / width,
        (box.top + top * down) / height,
        (box.left + right * across) / width,
        (box.top + bottom * down) / height,
    )


def crop(name: str, shares: Shares, rgb: NDArray[np.uint8]) -> Crop:
    """A part of a picture, to show, the picture at most ``SHOWN`` pixels long."""
    small = Image.fromarray(rgb)
    small.thumbnail((SHOWN, SHOWN))
    left, top, right, bottom = shares
    box = (
        round(left * small.width),
        round(top * small.height),
        max(round(right * small.width), round(left * small.width) + 1),
        max(round(bottom * small.height), round(top * small.height) + 1),
    )
    return Crop(name, small, box)
