"""Contact sheets of data sets, and sheets of crops and watermarks."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from impasto.data.image_grid import tile

PANEL = (240, 200)  # maximum size of an image, before and after cropping
PANELS = (2 * PANEL[0] + 12, PANEL[1] + 2)  # of a pair with its edges and gap
COLUMNS = 3  # of pairs on a page
GAP = 8
STRIP = 20  # height of a line of text
INK = (40, 40, 40)
BOX = (230, 30, 30)
EDGE = (190, 190, 190)  # separates white paper from the white sheet


class Crop(NamedTuple):
    """An image and a box (left, top, right, bottom) in its pixels."""

    name: str
    before: Image.Image
    box: tuple[int, int, int, int]


def contact_sheet(
    pictures: NDArray[np.uint8], title: str, captions: Sequence[str] | None = None, limit: int = 100
) -> Image.Image:
    """Return a titled grid of images (N, S, S, 3), uint8, with captions, at their own size.

    Of more than ``limit`` images, that many evenly spaced ones are shown; the title gives both numbers.

    Raises:
        ValueError: there is no image, or not one caption for each.
    """
    count = len(pictures)
    if captions is not None and len(captions) != count:
        raise ValueError(f"{count} images have {len(captions)} captions")
    shown = np.linspace(0, count - 1, min(count, limit)).round().astype(int)
    cells = []
    for i in shown:
        picture = Image.fromarray(pictures[i])
        cells.append(picture if captions is None else _add_caption(picture, _label(i + 1, captions[i])))
    many = f"{count:,} images" if len(shown) == count else f"{len(shown):,} of {count:,} images"
    return _add_title(_tiled(cells, None, GAP), f"{title}: {many}")


def crop_pages(crops: Iterable[Crop], per_page: int = 24) -> list[Image.Image]:
    """Return pages that show each crop: the image with its box, the inside of the box, and the name.

    ``crops`` is consumed lazily, so an iterator keeps one large image in memory at a time.
    """
    return _pages(((crop.name, crop_pair(crop)) for crop in crops), "Before and after cropping", per_page)


def watermark_pages(watermarks: Iterable[Crop], per_page: int = 24) -> list[Image.Image]:
    """Return pages that show each watermark in its image and enlarged, as :func:`crop_pages` does crops."""
    return _pages(((mark.name, watermark_pair(mark)) for mark in watermarks), "Suspected watermarks", per_page)


def crop_pair(crop: Crop) -> Image.Image:
    """Return the image with its box, and the inside of the box, side by side."""
    whole = crop.before.convert("RGB")
    return _side_by_side(_draw_box(whole, crop.box), whole.crop(crop.box))


def watermark_pair(mark: Crop) -> Image.Image:
    """Return the image with its box, and the box enlarged by half its size on each side, side by side."""
    whole = mark.before.convert("RGB")
    left, top, right, bottom = mark.box
    more = max(right - left, bottom - top) // 2
    wider = max(left - more, 0), max(top - more, 0), min(right + more, whole.width), min(bottom + more, whole.height)
    inside = left - wider[0], top - wider[1], right - wider[0], bottom - wider[1]
    return _side_by_side(_draw_box(whole, mark.box), _draw_box(whole.crop(wider), inside))


def scatter_images(
    pictures: Sequence[NDArray[np.uint8]], cells: NDArray[np.int64], width: int, side: int
) -> Image.Image:
    """Place square images, each uint8 (S, S, 3), at grid cells, int (N, 2) of column and row, on white.

    Args:
        pictures: the images.
        cells: column and row of each.
        width: maximum width of the result in pixels.
        side: maximum side of an image in pixels.

    Raises:
        ValueError: there is no image, or not one cell for each.
    """
    if len(pictures) != len(cells):
        raise ValueError(f"{len(pictures)} images have {len(cells)} cells")
    corner = cells.min(axis=0)
    columns, rows = (int(count) for count in cells.max(axis=0) - corner + 1)
    side = max(1, min(side, width // columns))
    sheet = Image.new("RGB", (columns * side, rows * side), "white")
    for picture, (column, row) in zip(pictures, cells - corner, strict=True):
        # A white pixel separates neighbours.
        small = Image.fromarray(picture).resize((max(side - 1, 1),) * 2, Image.Resampling.BOX)
        sheet.paste(small, (int(column) * side, int(row) * side))
    return sheet


def _pages(pairs: Iterable[tuple[str, Image.Image]], title: str, per_page: int) -> list[Image.Image]:
    cells = [
        _add_caption(_align_bottom(two), _label(number, name)) for number, (name, two) in enumerate(pairs, start=1)
    ]
    pages = [cells[start : start + per_page] for start in range(0, len(cells), per_page)]
    return [
        _add_title(_tiled(page, min(COLUMNS, len(page)), 3 * GAP), f"{title}, page {number} of {len(pages)}")
        for number, page in enumerate(pages, start=1)
    ]


def _align_bottom(two: Image.Image) -> Image.Image:
    """Pad a pair to a common size, aligned at the bottom."""
    room = Image.new("RGB", PANELS, "white")
    room.paste(two, (0, room.height - two.height))
    return room


def _draw_box(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Fit an image into a panel and draw a box on it."""
    fitted = ImageOps.contain(picture, PANEL)
    scale = fitted.width / picture.width
    left, top, right, bottom = (round(edge * scale) for edge in box)
    # At least a dot for tiny boxes.
    ImageDraw.Draw(fitted).rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), outline=BOX, width=2)
    return fitted


def _side_by_side(*pictures: Image.Image) -> Image.Image:
    """Fit images into panels with a thin edge, side by side."""
    edged = [ImageOps.expand(ImageOps.contain(picture, PANEL), 1, EDGE) for picture in pictures]
    width, height = sum(each.width + GAP for each in edged) - GAP, max(each.height for each in edged)
    sheet = Image.new("RGB", (width, height), "white")
    place = 0
    for each in edged:
        sheet.paste(each, (place, height - each.height))
        place += each.width + GAP
    return sheet


def _tiled(cells: Sequence[Image.Image], columns: int | None, gap: int) -> Image.Image:
    return tile(np.stack([np.asarray(cell) for cell in cells]), columns, gap)


def _add_title(sheet: Image.Image, title: str) -> Image.Image:
    page = ImageOps.expand(sheet, (GAP, STRIP + 2 * GAP, GAP, GAP), "white")
    return _draw_text(page, _drawable(title), (GAP, GAP), page.width - 2 * GAP, 15)


def _add_caption(picture: Image.Image, text: str) -> Image.Image:
    cell = ImageOps.expand(picture, (0, 0, 0, STRIP), "white")
    return _draw_text(cell, text, (0, picture.height + 3), cell.width, 11)


def _draw_text(picture: Image.Image, text: str, place: tuple[int, int], width: int, size: int) -> Image.Image:
    """Draw text on an image; text longer than ``width`` pixels loses its middle."""
    font = ImageFont.truetype(_font_file(), size)
    kept = len(text)
    shown = text
    while kept and font.getlength(shown) > width:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    ImageDraw.Draw(picture).text(place, shown, INK, font)
    return picture


def _label(number: int, name: str) -> str:
    """Return the name; if the font cannot draw all of it, with the image's number in front."""
    drawable = _drawable(name)
    return name if drawable == name else f"#{number} {drawable}"


def _drawable(text: str) -> str:
    """Replace characters without a glyph in the font by …."""
    return re.sub("…+", "…", "".join(c if ord(c) in _glyphs() and c.isprintable() else "…" for c in text))


@cache
def _font_file() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(_font_file())).get_charmap())
