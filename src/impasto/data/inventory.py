"""Inventory of a data source: its images, and every file that was left out, with the reason; and a summary of it, which
takes the same memory for any number of images."""

import math
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from pydantic import BaseModel, Field
from pydantic.dataclasses import dataclass

from impasto.errors import printable, shorten

MAX_LINE = 300  # characters
MAX_LISTED = 10  # lines per kind on the command line; the inventory itself has all


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image of the source, in a seventh of the memory of a BaseModel.

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


#: What was found beside images: a file that was left out, a duplicate, or a pair of near duplicates by name.
Finding = LeftOut | Duplicate | tuple[str, str]


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

    def summary(self) -> "Summary":
        """Return its counts and first findings."""
        found = Summary(sources=[self.source], size=self.size, fingerprint=self.fingerprint, junk=self.junk)
        for picture in self.pictures:
            found.count(picture)
        for left_out in self.left_out:
            found.count_left_out(left_out)
        for duplicate in self.duplicates:
            found.count_duplicate(duplicate)
        found.count_near_duplicates(len(self.near_duplicates), self.near_duplicates)
        return found


class Summary(BaseModel):
    """Counts of an inventory, and the first findings of each kind.

    Attributes:
        sources: the sources as the user wrote them.
        size: side of the squares that the images were resized to, in pixels.
        fingerprint: SHA-256 of all squares in order.
        pictures: number of images.
        formats: number of images by format.
        smallest: width and height of the image of least area.
        largest: width and height of the image of largest area.
        alike: whether all images are of one width and height.
        enlarged: number of images smaller than the squares.
        framed: number of images that were cropped inside a frame.
        left_out: number of unusable files.
        duplicates: number of exact duplicates, dropped.
        near_duplicates: number of pairs of similar images, kept.
        junk: number of files that operating systems create.
        listed: descriptions of the first :data:`MAX_LISTED` findings, by the name of their count.
    """

    sources: list[str]
    size: int = Field(ge=1)
    fingerprint: str = ""
    pictures: int = Field(default=0, ge=0)
    formats: dict[str, int] = {}
    smallest: tuple[int, int] = (0, 0)
    largest: tuple[int, int] = (0, 0)
    alike: bool = True
    enlarged: int = 0
    framed: int = 0
    left_out: int = 0
    duplicates: int = 0
    near_duplicates: int = 0
    junk: int = 0
    listed: dict[str, list[str]] = {}

    @property
    def source(self) -> str:
        """The sources as the user wrote them, in one text."""
        return ", ".join(self.sources)

    def count(self, picture: ImageRecord) -> None:
        """Add an image."""
        self.pictures += 1
        self.formats[picture.format] = self.formats.get(picture.format, 0) + 1
        self.enlarged += picture.short_side < self.size
        self.framed += picture.frame is not None
        self._widen((picture.width, picture.height), (picture.width, picture.height))

    def count_left_out(self, each: LeftOut) -> None:
        """Add a file that was left out."""
        self.left_out += 1
        self._list("left_out", f"{each.name}: {each.reason}")

    def count_duplicate(self, each: Duplicate) -> None:
        """Add an exact duplicate."""
        self.duplicates += 1
        self._list("duplicates", f"{each.name} is {each.of}")

    def count_near_duplicates(self, count: int, pairs: Iterable[tuple[str, str]]) -> None:
        """Add ``count`` pairs of near duplicates, of which the first are named by ``pairs``."""
        self.near_duplicates += count
        for one, other in islice(pairs, MAX_LISTED):
            self._list("near_duplicates", f"{one} and {other}")

    def add(self, other: "Summary") -> None:
        """Add the counts of further images of the same size. The fingerprint stays."""
        if other.pictures:
            self._widen(other.smallest, other.largest, other.alike)
        self.sources += [source for source in other.sources if source not in self.sources]
        self.formats = dict(Counter(self.formats) + Counter(other.formats))
        for name in ("pictures", "enlarged", "framed", "left_out", "duplicates", "near_duplicates", "junk"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for kind, lines in other.listed.items():
            for line in lines:
                self._list(kind, line)

    def lines(self) -> list[str]:
        """Return the summary as lines for the command line."""
        formats = ", ".join(f"{count:,} {name}" for name, count in Counter(self.formats).most_common())
        lines = [f"{_many(self.pictures, 'picture')} in {printable(self.source)}: {formats}; {self._sizes()}."]
        if not self.pictures:  # all were duplicates of images that a pack had
            lines = [f"There is no new picture in {printable(self.source)}."]
        if self.enlarged:
            lines.append(f"{self.enlarged:,} of them smaller than {self.size} pixels, enlarged.")
        if self.framed:
            lines.append(f"{self.framed:,} of them cropped to the picture inside a border, mount or frame.")
        lines += _listed(self.left_out, "left out", self.listed.get("left_out", []))
        lines += _listed(self.duplicates, "dropped as exact duplicates", self.listed.get("duplicates", []))
        lines += _listed(self.near_duplicates, "pairs of near duplicates, kept", self.listed.get("near_duplicates", []))
        if self.junk:
            lines.append(
                f"{_many(self.junk, 'file')} of the operating system (such as .DS_Store or Thumbs.db) ignored."
            )
        return lines

    def _widen(self, smallest: tuple[int, int], largest: tuple[int, int], alike: bool = True) -> None:
        """Include images of these sizes."""
        if self.smallest == (0, 0):
            self.smallest, self.largest, self.alike = smallest, largest, alike
            return
        self.alike = self.alike and alike and self.smallest == smallest == largest
        self.smallest = min(self.smallest, smallest, key=math.prod)
        self.largest = max(self.largest, largest, key=math.prod)

    def _sizes(self) -> str:
        (width, height), (wide, high) = self.smallest, self.largest
        return f"each {width}×{height}" if self.alike else f"from {width}×{height} to {wide}×{high}"

    def _list(self, kind: str, line: str) -> None:
        listed = self.listed.setdefault(kind, [])
        if len(listed) < MAX_LISTED:
            listed.append(shorten(printable(line), MAX_LINE))


def summarise(inventory: Inventory) -> list[str]:
    """Return the inventory as lines for the command line."""
    return inventory.summary().lines()


def _listed(count: int, what: str, lines: list[str]) -> list[str]:
    if not count:
        return []
    more = [f"  and {count - len(lines):,} more"] if count > len(lines) else []
    return [f"{count:,} {what}:", *(f"  {line}" for line in lines), *more]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
