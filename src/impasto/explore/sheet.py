"""Sheets to look at before anyone trains: what is in a set, and what cropping the frames would do to it."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from impasto.grid import tile

PANEL = (240, 200)  # room for a picture before cropping, and again for it after
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
    cells = [_captioned(_pair(crop), _label(number, crop.name)) for number, crop in enumerate(crops, start=1)]
    pages = [cells[start : start + per_page] for start in range(0, len(cells), per_page)]
    return [
        _titled(
            _tiled(page, min(COLUMNS, len(page)), 3 * GAP),
            f"Before and after cropping, page {number} of {len(pages)}",
        )
        for number, page in enumerate(pages, start=1)
    ]


def _pair(crop: Crop) -> Image.Image:
    """The boxed picture and the part inside, side by side, both as large as they fit, with a thin edge."""
    whole = crop.before.convert("RGB")
    before = ImageOps.contain(whole, PANEL)
    scale = before.width / whole.width
    left, top, right, bottom = (round(edge * scale) for edge in crop.box)
    ImageDraw.Draw(before).rectangle((left, top, right - 1, bottom - 1), outline=BOX, width=2)
    after = ImageOps.contain(whole.crop(crop.box), PANEL)
    pair = Image.new("RGB", (2 * PANEL[0] + GAP + 4, PANEL[1] + 2), "white")
    place = 0
    for picture in (before, after):
        edged = ImageOps.expand(picture, 1, EDGE)
        pair.paste(edged, (place, pair.height - edged.height))
        place += edged.width + GAP
    return pair


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
