"""What was found in a source: the pictures kept, and everything that was not, each with its reason."""

from collections import Counter
from collections.abc import Iterable

from pydantic import BaseModel

SHOWN = 10  # lines of each kind for a shell; the survey itself holds them all


class Picture(BaseModel, frozen=True):
    """A picture that was kept: what its file holds, the digest of its decoded pixels, and where its frame ends.

    Width and height are those of the upright picture at full size; ``frame`` is the (left, top, right, bottom)
    that was cropped to, or None where it was left whole.
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
        """Pixels along the shorter side of what is shown of it."""
        left, top, right, bottom = self.frame or (0, 0, self.width, self.height)
        return min(right - left, bottom - top)


class LeftOut(BaseModel, frozen=True):
    """Something that is no usable picture, and why."""

    name: str
    reason: str


class Duplicate(BaseModel, frozen=True):
    """A picture that was dropped because its decoded pixels are those of an earlier one."""

    name: str
    of: str


class Inventory(BaseModel):
    """All that a source held, by name: nothing is missing from it.

    ``near_duplicates`` are pairs of pictures that were kept though they look alike. ``junk`` counts what
    systems leave in folders and zips by themselves (``__MACOSX``, ``.DS_Store``, ``Thumbs.db`` …).
    ``fingerprint`` is a digest of the squares of ``size`` pixels that the pictures became, in their order.
    """

    source: str
    size: int
    fingerprint: str = ""
    pictures: list[Picture] = []
    left_out: list[LeftOut] = []
    duplicates: list[Duplicate] = []
    near_duplicates: list[tuple[str, str]] = []
    junk: int = 0


def summarise(survey: Inventory) -> list[str]:
    """The survey as lines for a shell."""
    pictures = survey.pictures
    formats = Counter(picture.format for picture in pictures).most_common()
    lines = [
        f"{_many(len(pictures), 'picture')} in {_plain(survey.source)}: "
        + ", ".join(f"{count:,} {name}" for name, count in formats)
        + f"; {_sizes(survey)}."
    ]
    if small := sum(picture.short_side < survey.size for picture in pictures):
        lines.append(f"{small:,} of them smaller than {survey.size} pixels, so enlarged.")
    if framed := sum(picture.frame is not None for picture in pictures):
        lines.append(f"{framed:,} of them cropped to the picture inside a border, mount or frame.")
    lines += _listed(len(survey.left_out), "left out", (f"{each.name}: {each.reason}" for each in survey.left_out))
    lines += _listed(
        len(survey.duplicates),
        "dropped as exact duplicates",
        (f"{each.name} is {each.of}" for each in survey.duplicates),
    )
    lines += _listed(
        len(survey.near_duplicates),
        "nearly the same as another, kept",
        (f"{one} is like {other}" for one, other in survey.near_duplicates),
    )
    if survey.junk:
        lines.append(f"{_many(survey.junk, 'file')} of the system's own (such as .DS_Store or Thumbs.db) passed over.")
    return lines


def _sizes(survey: Inventory) -> str:
    sizes = Counter((picture.width, picture.height) for picture in survey.pictures)
    if len(sizes) == 1:
        ((width, height),) = sizes
        return f"each {width}×{height}"
    by_area = sorted(sizes, key=lambda size: size[0] * size[1])
    (width, height), (wide, high) = by_area[0], by_area[-1]
    return f"from {width}×{height} to {wide}×{high}"


def _listed(count: int, what: str, each: Iterable[str]) -> list[str]:
    if not count:
        return []
    shown = [f"  {_plain(line)}" for line, _ in zip(each, range(SHOWN), strict=False)]
    more = [f"  and {count - SHOWN:,} more"] if count > SHOWN else []
    return [f"{count:,} {what}:", *shown, *more]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _plain(text: str) -> str:
    """File names may hold anything, even what would steer a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
