"""Inspect some images of a data set at higher resolution for frames, watermarks, signatures and seals."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.data.border_crop import Box, find_content_box
from impasto.data.decode import decode
from impasto.data.entry import UnreadableError
from impasto.data.pixel_store import PixelStore, is_pack
from impasto.data.sources import ImageSource, open_source
from impasto.exploration.contact_sheet import Crop
from impasto.exploration.results import DetectedFrame, RelativeBox, Watermark
from impasto.exploration.watermarks import find_watermarks

MIN_SIDE = 480  # pixels of the shorter side that images are decoded at
CROP_SIDE = 400  # pixels of the longer side of images in the report
MAX_CROPS = 48

#: Name of an image, and a function that returns its pixels (H, W, 3) or raises UnreadableError.
_NamedImage = tuple[str, Callable[[], NDArray[np.uint8]]]


@dataclass
class Inspection:
    """Findings in the order of the data set, with crops of the first :data:`MAX_CROPS` for the report."""

    frames: list[DetectedFrame] = field(default_factory=list)
    watermarks: list[Watermark] = field(default_factory=list)
    crops: list[Crop] = field(default_factory=list)
    watermark_crops: list[Crop] = field(default_factory=list)


@dataclass(frozen=True)
class _Findings:
    frame: DetectedFrame | None
    watermarks: list[Watermark]
    crop: Crop | None
    watermark_crops: list[Crop]


def inspect_images(source: str, names: Collection[str], remote: ImageSource | None = None) -> Inspection:
    """Search the images of a source with the given names for frames, and inside these for watermarks.

    Unreadable images and unknown names are skipped.

    Args:
        source: any source of :func:`impasto.data.sources.open_source`, or a pack.
        names: of the images to inspect.
        remote: the open source, if it is not one of these.

    Raises:
        ImpastoError: the source cannot be opened.
    """
    found, wanted = Inspection(), frozenset(names)
    with ExitStack() as stack:
        if remote is None and is_pack(source):
            images = _pack(source, wanted)
        else:
            images = _source(stack.enter_context(open_source(source)) if remote is None else remote, wanted)
        for name, pixels in images:  # sequential: the work is many short numpy calls that hold the GIL
            findings = _inspect(name, pixels)
            if findings.frame:
                found.frames.append(findings.frame)
            if findings.crop and len(found.crops) < MAX_CROPS:
                found.crops.append(findings.crop)
            found.watermarks += findings.watermarks
            found.watermark_crops += findings.watermark_crops[: MAX_CROPS - len(found.watermark_crops)]
    return found


def _pack(source: str, wanted: frozenset[str]) -> Iterator[_NamedImage]:
    store = PixelStore.open(source)
    for name, pixels in zip(store.names, store.pixels, strict=True):
        if name in wanted:
            yield name, partial(np.asarray, pixels)


def _source(source: ImageSource, wanted: frozenset[str]) -> Iterator[_NamedImage]:
    def pixels(read: Callable[[], bytes]) -> NDArray[np.uint8]:
        return np.asarray(decode(read(), MIN_SIDE).image)

    for entry in source.entries():
        if entry.name in wanted:
            yield entry.name, partial(pixels, entry.read)


def _inspect(name: str, pixels: Callable[[], NDArray[np.uint8]]) -> _Findings:
    try:
        rgb = pixels()
    except UnreadableError:
        return _Findings(None, [], None, [])
    height, width = rgb.shape[:2]
    box = find_content_box(rgb)
    inside = rgb[box.top : box.bottom, box.left : box.right]
    watermarks = [
        Watermark(name=name, kind=kind, box=_to_full_image(shares, box, width, height), reason=reason)
        for kind, shares, reason in find_watermarks(inside)
    ]
    watermark_crops = [make_crop(name, mark.box, rgb) for mark in watermarks]
    if box == (0, 0, width, height):
        return _Findings(None, watermarks, None, watermark_crops)
    frame = DetectedFrame(name=name, box=(box.left / width, box.top / height, box.right / width, box.bottom / height))
    return _Findings(frame, watermarks, make_crop(name, frame.box, rgb), watermark_crops)


def _to_full_image(shares: RelativeBox, box: Box, width: int, height: int) -> RelativeBox:
    """Convert a box relative to the inside of a frame to one relative to the full image."""
    across, down = box.right - box.left, box.bottom - box.top
    left, top, right, bottom = shares
    return (
        (box.left + left * across) / width,
        (box.top + top * down) / height,
        (box.left + right * across) / width,
        (box.top + bottom * down) / height,
    )


def make_crop(name: str, shares: RelativeBox, rgb: NDArray[np.uint8]) -> Crop:
    """Return a box of an image that is reduced to at most :data:`CROP_SIDE` pixels, for the report."""
    small = Image.fromarray(rgb)
    small.thumbnail((CROP_SIDE, CROP_SIDE))
    left, top, right, bottom = shares
    box = (
        round(left * small.width),
        round(top * small.height),
        max(round(right * small.width), round(left * small.width) + 1),
        max(round(bottom * small.height), round(top * small.height) + 1),
    )
    return Crop(name, small, box)
