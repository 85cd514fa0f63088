"""Many photos in, their paintings out, each under the name of its photo."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from PIL import Image

from impasto.config.types import Progress
from impasto.data.decode import count_pixels, decode
from impasto.data.entry import Entry, File, Unreadable
from impasto.data.inventory import LeftOut
from impasto.data.sources import ImageSource, open_source
from impasto.errors import ImpastoError
from impasto.files import BadNameError, atomic_write
from impasto.inference.manifest import NAME, Manifest, open_manifest
from impasto.inference.options import DEFAULT, PaintOptions
from impasto.inference.ordered_map import ordered_map
from impasto.inference.output import LONGEST, PictureWriter, encode, open_output, reserve
from impasto.inference.photo import TooLargeError, beside, pixels
from impasto.inference.translator import Painter

Format = Literal["keep", "jpg", "png"]

#: What is said of single photos, at most.
SAID = 20
#: So many photos are worth finding out how they are painted fastest.
MANY = 24
#: Endings of pictures that are read but not written; what else stands behind a dot belongs to the name.
_OTHERS = {".tif", ".tiff", ".bmp", ".gif", ".mpo", ".jpe", ".jfif", ".apng"}


@dataclass
class Outcome:
    """What became of the photos: how many paintings, how many were there before, which photo had to give its painting
    another name, and what was left out."""

    paintings: int = 0
    before: int = 0
    renamed: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def require_any(self) -> None:
        """Raises ImpastoError, with the first reason, if there is not one painting."""
        if not self.paintings and not self.before:
            first = self.left_out[0]
            more = f", and {len(self.left_out) - 1:,} more" if len(self.left_out) > 1 else ""
            raise ImpastoError(_plain(f"Not one photo could be painted ({first.name}: {first.reason}{more})."))


@dataclass(frozen=True)
class Painted:
    """What became of one photo: its painting as a file of that ending, or nothing, as it was painted before or, with
    the reason, as it cannot be."""

    digest: str = ""
    ending: str = ""
    data: bytes | None = None
    reason: str | None = None


def paint_photos(
    painter: Painter,
    sources: Sequence[ImageSource],
    writer: PictureWriter,
    *,
    manner: PaintOptions = DEFAULT,
    compare: bool = False,
    kind: Format = "keep",
    journal: Manifest | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Paint every photo of all sources, each at its own size, and hand the paintings on in that order.

    Several photos are read, painted and encoded at a time, where that is faster; large ones one at a time.

    Args:
        painter: has a style that paints photos.
        sources: open sources.
        writer: gets each painting, called as its photo is called in its source, folders and all.
        manner: how they are painted.
        compare: put the photo on the left of its painting.
        kind: ``keep`` writes JPEG, PNG and WebP under the endings that the photos have, and all others as PNG.
        journal: knows what was painted before, and is told what is now.
        progress: is told how many photos are done, and of how many (None if that is not known).

    Raises:
        ImpastoError: the style paints no photos, not one photo could be painted, or the writer has no more room.
    """
    painter.require_photos()
    journal = journal or Manifest()
    before = dict(journal.done)
    totals = [source.total for source in sources if source.total is not None]
    total = sum(totals) if len(totals) == len(sources) else None

    def work(found: tuple[str, Entry]) -> Painted:
        photo, entry = found
        digest, _ = before.get(photo, ("", ""))
        return paint_one(painter, entry, manner=manner, compare=compare, kind=kind, known=digest)

    outcome, names = Outcome(), Names(painting for _, painting in before.values())
    if progress is not None:
        progress(0, total)
    workers = 1 if total is not None and total < MANY else painter.workers()
    for done, ((photo, entry), painted) in enumerate(ordered_map(work, _named(sources), workers, threads=1), 1):
        if painted.reason is not None:
            outcome.left_out.append(LeftOut(name=photo, reason=painted.reason))
        elif painted.data is None:
            outcome.before += 1
            journal.meet(photo)
        else:
            name, wanted = names.take(entry.name, painted.ending, before.get(photo, ("", ""))[1])
            try:
                writer.put(name, painted.data)
            except BadNameError as reason:
                outcome.left_out.append(LeftOut(name=photo, reason=str(reason).removesuffix(".")))
            else:
                journal.enter(photo, painted.digest, name)
                outcome.paintings += 1
                if name != wanted:
                    outcome.renamed.append((photo, name))
        if progress is not None:
            progress(done, total)
    outcome.require_any()
    return outcome


def _named(sources: Iterable[ImageSource]) -> Iterator[tuple[str, Entry]]:
    """Each entry with what its photo is called; where several are called the same, they are told apart by a number."""
    times = Counter[str]()
    for source in sources:
        for entry in source.entries():
            called = _called(source, entry.name)
            times[called] += 1
            yield called if times[called] == 1 else f"{called} ({times[called]})", entry


def paint_one(
    painter: Painter, entry: Entry, *, manner: PaintOptions, compare: bool, kind: Format, known: str
) -> Painted:
    """Read, paint and encode one photo, unless its file has the digest that is ``known``. Any thread may call this."""
    try:
        data = entry.read()
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        if digest == known:
            return Painted(digest)
        with painter.in_turn(count_pixels(data)):
            decoded = decode(data)
            photo = pixels(decoded.image)
            ending = ending_of(entry.name, decoded.format, kind)
            del data, decoded
            painting = painter.paint_pixels(photo[None], manner)[0]
            if compare:
                painting = beside(photo, painting)
            del photo  # large ones are not kept longer than needed
            image = Image.fromarray(painting)
            del painting
            return Painted(digest, ending, encode(f"painting{ending}", image))
    except MemoryError:
        return Painted(reason="takes more memory than there is")
    except (Unreadable, TooLargeError) as reason:
        return Painted(reason=str(reason).removesuffix("."))


def paint_file(
    painter: Painter, photo: Path, out: Path, *, manner: PaintOptions, compare: bool = False, overwrite: bool = False
) -> None:
    """Paint one photo into one file, of the kind that its name asks for.

    Raises ImpastoError if there is no photo, the style paints none, or ``out`` is taken or cannot be written.
    """
    if photo.is_dir():
        raise ImpastoError(f"{out} would be one painting: give one photo, or choose a folder or a zip.")
    if photo.resolve() == out.resolve():
        raise ImpastoError(f"{photo} is not to be painted over: choose another place.")
    reserve(out, file=True, overwrite=overwrite)
    entry = Entry(out.name, File(photo.name, lambda: photo.open("rb")).read)
    painted = paint_one(painter, entry, manner=manner, compare=compare, kind="keep", known="")
    if painted.data is None:
        raise ImpastoError(f"{photo} cannot be painted: {painted.reason}.")
    with atomic_write(out) as part:
        part.write_bytes(painted.data)


@contextmanager
def open_gallery(
    out: Path, work: dict[str, Any], sources: Sequence[ImageSource] = (), *, overwrite: bool = False
) -> Iterator[tuple[PictureWriter, Manifest]]:
    """A place for paintings, a folder or a zip, with its journal, by which the same ``work`` is gone on with.

    Until all is painted, the paintings of a zip lie in a folder beside it. No file of the ``sources`` is painted over.
    Raises ImpastoError as :func:`impasto.inference.output.open_output` and :func:`impasto.inference.manifest.open_manifest` do.
    """
    folder = _folder(out)
    if folder != out:
        reserve(out, file=True, overwrite=overwrite)
    begun = (folder / NAME).is_file()
    with (
        open_output(folder, overwrite=overwrite or begun, spare=partial(_paths, sources)) as writer,
        open_manifest(folder, work, overwrite=overwrite) as journal,
    ):
        yield writer, journal
        if folder != out:
            with open_output(out, overwrite=overwrite) as zipped:
                for name in journal.met:
                    zipped.put(name, (folder / name).read_bytes())
    if folder != out:
        shutil.rmtree(folder)


def _paths(sources: Iterable[ImageSource]) -> set[Path]:
    return {path for source in sources for path in source.paths()}


def _folder(out: Path) -> Path:
    """Where paintings lie before they are in ``out``."""
    return out.with_name(f"{out.name}.begun") if out.suffix.lower() == ".zip" else out


@contextmanager
def open_photos(photos: Iterable[str | Path], out: Path) -> Iterator[list[ImageSource]]:
    """All sources open together, so that a mistyped one is told before any painting begins.

    Paintings that lie in ``out`` already are no photos, where ``out`` is among these. A file that is named twice is
    there once.
    Raises ImpastoError for what :func:`impasto.data.sources.open_source` refuses, and for an ``out`` where paintings
    would take the places of their photos.
    """
    with ExitStack() as stack:
        sources, seen = list[ImageSource](), set[str]()
        for photo in photos:
            path = Path(photo).expanduser()
            holds = path if path.is_dir() or out.suffix.lower() == ".zip" else path.resolve().parent
            if path.exists() and out.resolve() == holds.resolve():
                raise ImpastoError(f"{out} holds the photos, which are not to be painted over: choose another place.")
            source = stack.enter_context(open_source(photo))
            if out.resolve() not in (path.resolve(), *path.resolve().parents):
                source.leave_out(_folder(out))
            if source.total == 0:
                raise ImpastoError(f"In {photo} there is nothing but paintings, those in {out}: give photos.")
            source.leave_out_seen(seen)
            sources.append(source)
        yield sources


def summarise(outcome: Outcome, out: str | Path, made: str = "painting") -> list[str]:
    """The outcome as lines for a shell: what was ``made``, and what was left out, one by one if it is little, else the
    first of it."""
    many = made if outcome.paintings == 1 else f"{made}s"
    before = f", and {outcome.before:,} there before" if outcome.before else ""
    said = [f"{photo} is painted as {name}, for its name was taken." for photo, name in outcome.renamed]
    lost = [f"Left out: {each.name}: {each.reason}." for each in outcome.left_out]
    more = [f"And {len(lines) - SAID:,} more." if len(lines) > SAID else None for lines in (said, lost)]
    lines = [*said[:SAID], more[0], *lost[:SAID], more[1]]
    return [f"{outcome.paintings:,} {many} in {out}{before}", *(_plain(line) for line in lines if line is not None)]


class Names:
    """Gives each painting a name that no other has, not even where capitals are not told apart."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.casefold() for name in taken}

    def take(self, photo: str, ending: str, before: str = "") -> tuple[str, str]:
        """The name for the painting of a photo, a file of that ending, and the one it should have: that which it had
        ``before``, if it had one."""
        if PurePosixPath(before).suffix == ending:
            return before, before
        if PureWindowsPath(photo).drive:
            photo = photo.replace(":", "_", 1)
        parts = [part for part in photo.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        path = PurePosixPath(*parts or ["picture"])
        stem = path.with_suffix("") if _is_ending(path.suffix) else path
        wanted = name = f"{stem}{ending}"
        number = 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem}-{number}{ending}"
        self._taken.add(name.casefold())
        return name, wanted


def ending_of(photo: str, format: str, kind: Format) -> str:
    """The ending of the painting of a photo that was read from a file of this format."""
    ending = PurePosixPath(photo).suffix
    if kind != "keep":
        return f".{kind}"
    if ending.lower() in LONGEST:
        return ending
    return ".png" if _is_ending(ending) else {"JPEG": ".jpg", "WEBP": ".webp"}.get(format, ".png")


def _is_ending(ending: str) -> bool:
    return ending.lower() in LONGEST or ending.lower() in _OTHERS


def _called(source: ImageSource, name: str) -> str:
    """A photo as a user knows it: where it was looked for, and its name there."""
    if source.name == "-":
        return name
    return source.name if Path(source.name).name == name else f"{source.name}/{name}"


def _plain(text: str) -> str:
    """Names of files may hold anything, even what would steer a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
