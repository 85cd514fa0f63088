"""Inventory of a data source: its images, and every file that was left out, with the reason."""

from collections import Counter
from collections.abc import Iterable

from pydantic import BaseModel

from impasto.errors import printable, shorten

MAX_LINE = 300  # characters
MAX_LISTED = 10  # lines per kind on the command line; the inventory itself has all


class ImageRecord(BaseModel, frozen=True):
    """An image of the source.

    Attributes:
        name: POSIX path inside the source.
        format: registered name of the file's format, such as "JPEG".
        mode: Pillow's name of its pixel type, such as "RGB".
        width: pixels of the upright image at full size.
        height: pixels of the upright image at full size.
        digest: SHA-256 of the decoded pixels.
        frame: (left, top, right, bottom) that it was cropped to inside a frame; None if it was not cropped.
    """

    name: str
    format: str
    mode: str
    width: int
    height: int
    digest: str
    frame: tuple[int, int, int, int] | None = None

    @property
    def short_side(self) -> int:
        """Pixels along the shorter side, inside the frame."""
        left, top, right, bottom = self.frame or (0, 0, self.width, self.height)
        return min(right - left, bottom - top)


class LeftOut(BaseModel, frozen=True):
    """A file that is not a usable image, and why."""

    name: str
    reason: str


class Duplicate(BaseModel, frozen=True):
    """An image that was dropped because its pixels equal those of an earlier one."""

    name: str
    of: str


class Inventory(BaseModel):
    """Every file of a source, by name.

    Attributes:
        source: the source as the user wrote it.
        size: side of the squares that the images were resized to, in pixels.
        fingerprint: SHA-256 of all squares in order.
        pictures: the images, in natural order of their names.
        left_out: unusable files.
        duplicates: exact duplicates, dropped.
        near_duplicates: pairs of similar images, kept.
        junk: number of files that operating systems create (``__MACOSX``, ``.DS_Store``, ``Thumbs.db`` …).
    """

    source: str
    size: int
    fingerprint: str = ""
    pictures: list[ImageRecord] = []
    left_out: list[LeftOut] = []
    duplicates: list[Duplicate] = []
    near_duplicates: list[tuple[str, str]] = []
    junk: int = 0


def summarise(inventory: Inventory) -> list[str]:
    """Return the inventory as lines for the command line."""
    pictures = inventory.pictures
    formats = Counter(picture.format for picture in pictures).most_common()
    lines = [
        f"{_many(len(pictures), 'picture')} in {printable(inventory.source)}: "
        + ", ".join(f"{count:,} {name}" for name, count in formats)
        + f"; {_sizes(inventory)}."
    ]
    if small := sum(picture.short_side < inventory.size for picture in pictures):
        lines.append(f"{small:,} of them smaller than {inventory.size} pixels, enlarged.")
    if framed := sum(picture.frame is not None for picture in pictures):
        lines.append(f"{framed:,} of them cropped to the picture inside a border, mount or frame.")
    lines += _listed(
        len(inventory.left_out), "left out", (f"{each.name}: {each.reason}" for each in inventory.left_out)
    )
    lines += _listed(
        len(inventory.duplicates),
        "dropped as exact duplicates",
        (f"{each.name} is {each.of}" for each in inventory.duplicates),
    )
    lines += _listed(
        len(inventory.near_duplicates),
        "pairs of near duplicates, kept",
        (f"{one} and {other}" for one, other in inventory.near_duplicates),
    )
    if inventory.junk:
        lines.append(
            f"{_many(inventory.junk, 'file')} of the operating system (such as .DS_Store or Thumbs.db) ignored."
        )
    return lines


def _sizes(inventory: Inventory) -> str:
    sizes = Counter((picture.width, picture.height) for picture in inventory.pictures)
    if len(sizes) == 1:
        ((width, height),) = sizes
        return f"each {width}×{height}"
    by_area = sorted(sizes, key=lambda size: size[0] * size[1])
    (width, height), (wide, high) = by_area[0], by_area[-1]
    return f"from {width}×{height} to {wide}×{high}"


def _listed(count: int, what: str, each: Iterable[str]) -> list[str]:
    if not count:
        return []
    shown = [f"  {shorten(printable(line), MAX_LINE)}" for line, _ in zip(each, range(MAX_LISTED), strict=False)]
    more = [f"  and {count - MAX_LISTED:,} more"] if count > MAX_LISTED else []
    return [f"{count:,} {what}:", *shown, *more]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
