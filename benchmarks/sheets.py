"""Reproduce the image sheets in docs/ with any style.

python benchmarks/sheets.py hundred PHOTOS --out OUT.jpg [--style monet]   100 photos, evenly spaced by name, at 256 px
python benchmarks/sheets.py like PHOTOS --out OUT.jpg --reference A.jpg …  four photos in the moods of references
python benchmarks/sheets.py pairs PHOTO… --out OUT.jpg     squares of photos, each with its painting
python benchmarks/sheets.py large PHOTO… --out OUT.jpg     at 2,000 px, each with a crop of its centre
python benchmarks/sheets.py brushes PHOTO --out OUT.jpg    options of a painting
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from impasto.data.image_grid import tile
from impasto.inference.load import load_translator
from impasto.inference.translator import Translator

SIDE, LARGE = 256, 2000
#: Size of a crop at full resolution; the downscaled painting next to it has the same height.
PART = (480, 320)


def chosen(photos: Path, count: int) -> list[Path]:
    """Return so many files of a folder, evenly spaced by name: reproducible and uncurated."""
    files = sorted(photos.glob("*.jpg"))
    return [files[number] for number in np.linspace(0, len(files) - 1, count).round().astype(int)]


def square(path: Path) -> Image.Image:
    with Image.open(path) as image:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return (
            image.convert("RGB")
            .crop((left, top, left + side, top + side))
            .resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        )


def hundred(translator: Translator, photos: Path) -> Image.Image:
    return tile(np.stack([np.asarray(translator.paint(square(path))) for path in chosen(photos, 100)]), columns=10)


def like(translator: Translator, photos: Path, references: Sequence[Path]) -> Image.Image:
    """The first row shows the references, the first column the photos, the second each in its default mood."""
    blank = np.full((SIDE, SIDE, 3), 255, np.uint8)
    cells = [blank, blank, *(np.asarray(square(path)) for path in references)]
    for path in chosen(photos, 4):
        photo = square(path)
        cells += [np.asarray(photo), np.asarray(translator.paint(photo))]
        cells += [np.asarray(translator.paint(photo, like=reference)) for reference in references]
    return tile(np.stack(cells), columns=2 + len(references))


def pairs(translator: Translator, photos: Sequence[Path]) -> Image.Image:
    """The centre, left and right square of each photo (of a small one only the centre), each with its painting."""
    cells = []
    for path in photos:
        with Image.open(path) as image:
            photo, side = image.convert("RGB"), min(image.size)
        parts = [((photo.width - side) // 2, side), (0, side // 2), (photo.width - side // 2, side // 2)]
        for left, part in parts if side >= 2 * SIDE else parts[:1]:
            top = photo.height - part
            cut = photo.crop((left, top, left + part, top + part)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            cells.append(np.concatenate([np.asarray(cut), np.asarray(translator.paint(cut))], 1))
    return tile(np.stack(cells), columns=3, gap=6)


def brushes(translator: Translator, photo: Path) -> Image.Image:
    """The photo, brush 0.5 and 1; brush 2 and 4, and the photo's colours."""
    with Image.open(photo) as image:
        small = image.convert("RGB").resize((1200, round(1200 * image.height / image.width)), Image.Resampling.LANCZOS)
    shown = [
        small,
        *(translator.paint(small, brush=size) for size in (0.5, 1, 2, 4)),
        translator.paint(small, keep_colour=True),
    ]
    cells = [each.resize((640, round(640 * each.height / each.width)), Image.Resampling.LANCZOS) for each in shown]
    return tile(np.stack([np.asarray(each) for each in cells]), columns=3)


def large(translator: Translator, photos: Sequence[Path]) -> Image.Image:
    """One row per photo with three paintings at 2,000 px: of the photo, its left and its right half, each downscaled
    and as a crop of its centre."""
    rows = []
    for path in photos:
        with Image.open(path) as image:
            photo = image.convert("RGB")
        half = photo.width // 2
        row = Image.new("RGB", (0, PART[1]))
        for left, right in ((0, photo.width), (0, half), (photo.width - half, photo.width)):
            height = min(photo.height, (right - left) * PART[1] // PART[0])
            part = photo.crop((left, 0, right, height))
            size = LARGE, LARGE * part.height // part.width
            painting = translator.paint(part.resize(size, Image.Resampling.LANCZOS))
            whole = painting.resize((PART[1] * painting.width // painting.height, PART[1]), Image.Resampling.LANCZOS)
            x, y = ((side - within) // 2 for side, within in zip(painting.size, PART, strict=True))
            middle = painting.crop((x, y, x + PART[0], y + PART[1]))
            row = beside(row, whole, middle)
        rows.append(row)
    sheet = Image.new("RGB", (max(row.width for row in rows), len(rows) * (PART[1] + 4) - 4), "white")
    for number, row in enumerate(rows):
        sheet.paste(row, (0, number * (PART[1] + 4)))
    return sheet


def beside(*pictures: Image.Image) -> Image.Image:
    """Concatenate images of one height from left to right."""
    row = Image.new("RGB", (sum(each.width + 4 for each in pictures if each.width) - 4, pictures[0].height), "white")
    left = 0
    for each in pictures:
        if each.width:
            row.paste(each, (left, 0))
            left += each.width + 4
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["hundred", "like", "pairs", "large", "brushes"])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--style", default="monet")
    parser.add_argument("--reference", action="append", type=Path, default=[])
    given = parser.parse_args()
    translator = load_translator(given.style)
    if given.kind == "hundred":
        sheet = hundred(translator, given.photos[0])
    elif given.kind == "like":
        sheet = like(translator, given.photos[0], given.reference)
    elif given.kind == "brushes":
        sheet = brushes(translator, given.photos[0])
    else:
        sheet = {"pairs": pairs, "large": large}[given.kind](translator, given.photos)
    sheet.save(given.out, quality=86, subsampling=0)


if __name__ == "__main__":
    main()
