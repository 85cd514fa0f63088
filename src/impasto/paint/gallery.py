"""Many photos in, their paintings out, each under the name of its photo."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

import numpy as np

from impasto.data.decode import decode
from impasto.data.entry import Unreadable
from impasto.data.read import Source, open_source
from impasto.data.survey import LeftOut
from impasto.errors import ImpastoError
from impasto.paint.manner import USUAL, Manner
from impasto.paint.output import LONGEST, PictureWriter
from impasto.paint.painter import Painter
from impasto.paint.photo import TooLargeError, beside

Format = Literal["keep", "jpg", "png"]
Progress = Callable[[int, int | None], object]  # how many photos are done, and of how many if that is known

#: Endings of pictures that are read but not written; what else stands behind a dot belongs to the name.
_OTHERS = {".tif", ".tiff", ".bmp", ".gif", ".mpo", ".jpe", ".jfif", ".apng"}


@dataclass
class Outcome:
    """What became of the photos: how many paintings, which photo had to give its painting another name, and what was
    left out."""

    paintings: int = 0
    renamed: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def paint_photos(
    painter: Painter,
    sources: Sequence[Source],
    writer: PictureWriter,
    *,
    manner: Manner = USUAL,
    compare: bool = False,
    kind: Format = "keep",
    progress: Progress | None = None,
) -> Outcome:
    """Paint every photo of all sources, one after the other, at its own size, and hand the paintings on.

    Args:
        painter: has a style that paints photos.
        sources: open sources.
        writer: gets each painting, called as its photo is called in its source, folders and all.
        manner: how they are painted.
        compare: put the photo on the left of its painting.
        kind: ``keep`` writes JPEG, PNG and WebP under the endings that the photos have, and all others as PNG.
        progress: is told how many photos are done, and of how many (None if that is not known).

    Raises:
        ImpastoError: the style paints no photos, not one photo could be painted, or the writer has no more room.
    """
    painter.require_photos()
    totals = [source.total for source in sources if source.total is not None]
    total = sum(totals) if len(totals) == len(sources) else None
    outcome, names = Outcome(), _Names(kind)
    everything = ((source, entry) for source in sources for entry in source.entries())
    for done, (where, entry) in enumerate(everything, 1):
        try:
            decoded = decode(entry.read())
            photo = np.asarray(decoded.image)
            painting = painter.paint_pixels(photo[None], manner)[0]
            name, wanted = names.take(entry.name, decoded.format)
            writer.write(name, beside(photo, painting) if compare else painting)
        except (Unreadable, TooLargeError) as reason:
            outcome.left_out.append(LeftOut(name=_called(where, entry.name), reason=str(reason).removesuffix(".")))
        else:
            outcome.paintings += 1
            if name != wanted:
                outcome.renamed.append((_called(where, entry.name), name))
        if progress is not None:
            progress(done, total)
    if not outcome.paintings:
        first = outcome.left_out[0]
        more = f", and {len(outcome.left_out) - 1:,} more" if len(outcome.left_out) > 1 else ""
        raise ImpastoError(_plain(f"Not one photo could be painted ({first.name}: {first.reason}{more})."))
    return outcome


@contextmanager
def open_photos(photos: Iterable[str | Path], out: Path) -> Iterator[list[Source]]:
    """All sources open together, so that a mistyped one is told before any painting begins.

    Raises ImpastoError for what :func:`impasto.data.read.open_source` refuses, and for an ``out`` where paintings
    would take the places of their photos.
    """
    with ExitStack() as stack:
        for photo in photos:
            path = Path(photo).expanduser()
            holds = path if path.is_dir() or out.suffix.lower() == ".zip" else path.resolve().parent
            if path.exists() and out.resolve() == holds.resolve():
                raise ImpastoError(f"{out} holds the photos, which are not to be painted over: choose another place.")
        yield [stack.enter_context(open_source(photo)) for photo in photos]


def summarise(outcome: Outcome, out: Path) -> list[str]:
    """The outcome as lines for a shell."""
    many = "painting" if outcome.paintings == 1 else "paintings"
    return [
        f"{outcome.paintings:,} {many} in {out}",
        *(_plain(f"{photo} is painted as {name}, for its name was taken.") for photo, name in outcome.renamed),
        *(_plain(f"Left out: {each.name}: {each.reason}.") for each in outcome.left_out),
    ]


class _Names:
    """Gives each painting a name that no other has, not even where capitals are not told apart."""

    def __init__(self, kind: Format) -> None:
        self._kind = kind
        self._taken: set[str] = set()

    def take(self, photo: str, format: str) -> tuple[str, str]:
        """The name for the painting of a photo that was read from a file of this format, and the one it should have."""
        if PureWindowsPath(photo).drive:
            photo = photo.replace(":", "_", 1)
        parts = [part for part in photo.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        path = PurePosixPath(*parts or ["picture"])
        ending = path.suffix.lower()
        stem = path.with_suffix("") if ending in LONGEST or ending in _OTHERS else path
        if self._kind != "keep":
            ending = f".{self._kind}"
        elif ending in LONGEST:
            ending = path.suffix
        else:
            ending = {"JPEG": ".jpg", "WEBP": ".webp"}.get(format, ".png") if stem == path else ".png"
        wanted = name = f"{stem}{ending}"
        number = 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem}-{number}{ending}"
        self._taken.add(name.casefold())
        return name, wanted


def _called(source: Source, name: str) -> str:
    """A photo as a user knows it: where it was looked for, and its name there."""
    return source.name if Path(source.name).name == name else f"{source.name}/{name}"


def _plain(text: str) -> str:
    """Names of files may hold anything, even what would steer a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
