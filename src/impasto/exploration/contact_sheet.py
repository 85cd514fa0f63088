"""Sheets to look at before anyone trains: what is in a set, and what cropping the frames would do to it."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from impasto.data.image_grid import tile

PANEL = (240, 200)  # room for a picture before cropping, and again for it after
PANELS = (2 * PANEL[0] + 12, PANEL[1] + 2)  # both, their edges and what is between them
COLUMNS = 3  # of such pairs on a page
GAP = 8
STRIP = 20  # height of a line of text
INK = (40, 40, 40)
BOX = (230, 30, 30)
EDGE = (190, 190, 190)  # else white paper and the white sheet run together


class Crop(NamedTuple):
    """A picture and the part of it that would be kept: (left, top, right, bottom) in its pixels."""

    name: str
    before: Image.Image
    box: tuple[int, int, int, int]


def contact_sheet(
    pictures: NDArray[np.uint8], title: str, captions: Sequence[str] | None = None, limit: int = 100
) -> Image.Image:
    """One titled sheet of the pictures, uint8 RGB of shape (N, S, S, 3), each with its caption under it.

    They are shown as large as they are. Of more than ``limit`` pictures, that many are shown, evenly spread
    over the set; the title line says so.
    Raises ValueError if there is no picture, or not one caption for each.
    """
    count = len(pictures)
    if captions is not None and len(captions) != count:
        raise ValueError(f"{count} pictures have {len(captions)} captions")
    shown = np.linspace(0, count - 1, min(count, limit)).round().astype(int)
    cells = []
    for i in shown:
        picture = Image.fromarray(pictures[i])
        cells.append(picture if captions is None else _captioned(picture, _label(i + 1, captions[i])))
    many = f"{count:,} pictures" if len(shown) == count else f"{len(shown):,} of {count:,} pictures"
    return _titled(_tiled(cells, None, GAP), f"{title}: {many}")


def before_after(crops: Iterable[Crop], per_page: int = 24) -> list[Image.Image]:
    """Pages that show each crop: the whole picture with its box, the part inside beside it, the name below.

    Crops are drawn as they come, so an iterator keeps one large picture in memory at a time.
    """
    return _pages(((crop.name, pair(crop)) for crop in crops), "Before and after cropping", per_page)


def marked(marks: Iterable[Crop], per_page: int = 24) -> list[Image.Image]:
    """Pages that show where in its picture each mark is, and the mark with what is around it; else as
    :func:`before_after`."""
    return _pages(((mark.name, around(mark)) for mark in marks), "Suspected marks", per_page)


def pair(crop: Crop) -> Image.Image:
    """The boxed picture and the part inside, side by side, both as large as they fit, with a thin edge."""
    whole = crop.before.convert("RGB")
    return _side_by_side(_boxed(whole, crop.box), whole.crop(crop.box))


def around(mark: Crop) -> Image.Image:
    """The boxed picture, and the box with half as much again on each side of it."""
    whole = mark.before.convert("RGB")
    left, top, right, bottom = mark.box
    more = max(right - left, bottom - top) // 2
    wider = max(left - more, 0), max(top - more, 0), min(right + more, whole.width), min(bottom + more, whole.height)
    inside = left - wider[0], top - wider[1], right - wider[0], bottom - wider[1]
    return _side_by_side(_boxed(whole, mark.box), _boxed(whole.crop(wider), inside))


def scattered(pictures: Sequence[NDArray[np.uint8]], cells: NDArray[np.int64], width: int, side: int) -> Image.Image:
    """Squares, each uint8 (S, S, 3), at their cells, int (N, 2) of column and row, on white.

    The sheet is at most ``width`` pixels wide, and a square at most ``side``.
    Raises ValueError if there is no picture, or not one cell for each.
    """
    if len(pictures) != len(cells):
        raise ValueError(f"{len(pictures)} pictures have {len(cells)} cells")
    corner = cells.min(axis=0)
    columns, rows = (int(count) for count in cells.max(axis=0) - corner + 1)
    side = max(1, min(side, width // columns))
    sheet = Image.new("RGB", (columns * side, rows * side), "white")
    for picture, (column, row) in zip(pictures, cells - corner, strict=True):
        # A white pixel between neighbours; else two dark pictures run together.
        small = Image.fromarray(picture).resize((max(side - 1, 1),) * 2, Image.Resampling.BOX)
        sheet.paste(small, (int(column) * side, int(row) * side))
    return sheet


def _pages(pairs: Iterable[tuple[str, Image.Image]], title: str, per_page: int) -> list[Image.Image]:
    cells = [_captioned(_standing(two), _label(number, name)) for number, (name, two) in enumerate(pairs, start=1)]
    pages = [cells[start : start + per_page] for start in range(0, len(cells), per_page)]
    return [
        _titled(_tiled(page, min(COLUMNS, len(page)), 3 * GAP), f"{title}, page {number} of {len(pages)}")
        for number, page in enumerate(pages, start=1)
    ]


def _standing(two: Image.Image) -> Image.Image:
    """A pair on the caption's line, in room that is the same for all."""
    room = Image.new("RGB", PANELS, "white")
    room.paste(two, (0, room.height - two.height))
    return room


def _boxed(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """The picture as large as it fits a panel, with a box around a part of it."""
    fitted = ImageOps.contain(picture, PANEL)
    scale = fitted.width / picture.width
    left, top, right, bottom = (round(edge * scale) for edge in box)
    # Never less than a dot, however small the part is.
    ImageDraw.Draw(fitted).rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), outline=BOX, width=2)
    return fitted


def _side_by_side(*pictures: Image.Image) -> Image.Image:
    """Pictures as large as they fit a panel, with a thin edge, on one line."""
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


def _titled(sheet: Image.Image, title: str) -> Image.Image:
    page = ImageOps.expand(sheet, (GAP, STRIP + 2 * GAP, GAP, GAP), "white")
    return _written(page, _drawable(title), (GAP, GAP), page.width - 2 * GAP, 15)


def _captioned(picture: Image.Image, text: str) -> Image.Image:
    cell = ImageOps.expand(picture, (0, 0, 0, STRIP), "white")
    return _written(cell, text, (0, picture.height + 3), cell.width, 11)


def _written(picture: Image.Image, text: str, place: tuple[int, int], width: int, size: int) -> Image.Image:
    """The picture with the text on it, which loses its middle where it is longer than ``width`` pixels."""
    font = ImageFont.truetype(_font_file(), size)
    kept = len(text)
    shown = text
    while kept and font.getlength(shown) > width:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    ImageDraw.Draw(picture).text(place, shown, INK, font)
    return picture


def _label(number: int, name: str) -> str:
    """The name, or as much of it as the font can draw with the picture's number in front, to find it by."""
    drawable = _drawable(name)
    return name if drawable == name else f"#{number} {drawable}"


def _drawable(text: str) -> str:
    """The text, with … for what the font has no glyph for: empty boxes would tell nothing."""
    return re.sub("…+", "…", "".join(c if ord(c) in _glyphs() and c.isprintable() else "…" for c in text))


@cache
def _font_file() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(_font_file())).get_charmap())
