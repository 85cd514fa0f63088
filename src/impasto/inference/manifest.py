"""What was painted into a folder, so that the same command goes on where it was stopped."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from impasto.errors import ImpastoError
from impasto.files import exclusive, full_disk_errors, path_errors
from impasto.inference.options import PaintOptions
from impasto.style import Style

#: Its name in the folder, and that of its lock.
NAME, LOCK = ".impasto.jsonl", ".impasto.lock"
#: What it says of work that overwrites, and of work that has come to its end.
ANEW, WHOLE = "anew", "whole"


def job(style: Style, manner: PaintOptions, **choices: Any) -> dict[str, Any]:
    """What decides how photos are painted: where that differs, so do the paintings. The direction of a style is told by
    the weights of its network."""
    weights = hashlib.sha256()
    for name, tensor in sorted(style.network.state_dict().items()):
        weights.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return {
        "style": weights.hexdigest(),
        "strength": manner.strength,
        "brush": manner.brush,
        "keep_colour": manner.keep_colour,
        **({} if manner.mood is None else {"mood": hashlib.sha256(repr(manner.mood).encode()).hexdigest()}),
        **choices,
    }


@dataclass
class Manifest:
    """Of each photo that was painted, by where it is: a digest of its file, and the name of its painting; and the
    names of the paintings of this time, also of those that were there, in the order of their photos."""

    done: dict[str, tuple[str, str]] = field(default_factory=dict)
    met: list[str] = field(default_factory=list)
    file: IO[str] | None = None

    def enter(self, photo: str, digest: str, painting: str) -> None:
        """Notes a painting that is there."""
        self.done[photo] = digest, painting
        self.meet(photo)
        self._write({"photo": photo, "digest": digest, "painting": painting})

    def meet(self, photo: str) -> None:
        """Notes that this time there is a photo whose painting is there."""
        self.met.append(self.done[photo][1])

    def _write(self, line: dict[str, Any]) -> None:
        if self.file is not None:
            with full_disk_errors(Path(self.file.name)):
                self.file.write(json.dumps(line) + "\n")
                self.file.flush()


@contextmanager
def open_manifest(folder: Path, work: dict[str, Any], *, overwrite: bool) -> Iterator[Manifest]:
    """The journal of an output folder, with what was painted there before, if that was the same ``work``.

    With ``overwrite`` all begins anew, unless that was begun before and stopped: then it is gone on with.
    Raises ImpastoError if there was other work, without ``overwrite``, or if there is now, by another process.
    """
    with path_errors(folder), full_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / LOCK, f"Another impasto paints into {folder}: wait for it, or choose another place."):
        yield from _journal(folder, work, overwrite)


def _journal(folder: Path, work: dict[str, Any], overwrite: bool) -> Iterator[Manifest]:
    path = folder / NAME
    journal = Manifest()
    first, *lines = _read(path) if path.is_file() else [{}]
    anew = first.pop(ANEW, False)
    if overwrite and (first != work or not anew or {WHOLE: True} in lines):
        first, lines = {}, []
    going_on = bool(first)  # killed at its first line, it knows nothing
    if going_on:
        if first != work:
            raise ImpastoError(
                f"{folder} was painted by another style or in another manner: choose another place (--out), or "
                "overwrite it (--overwrite)."
            )
        entered = {line["photo"]: (line["digest"], line["painting"]) for line in lines if "photo" in line}
        journal.done = {photo: done for photo, done in entered.items() if _is_there(folder / done[1])}
    with path_errors(path), full_disk_errors(path):
        file = path.open("a" if going_on else "w", encoding="utf-8")
    try:
        journal.file = file
        if not going_on:
            journal._write(work | {ANEW: True} if overwrite else work)
        elif not path.read_bytes().endswith(b"\n"):
            file.write("\n")  # a line that was cut short
        yield journal
        journal._write({WHOLE: True})
    finally:
        file.close()
        if not journal.done:
            path.unlink()


def _is_there(painting: Path) -> bool:
    """A power cut may leave the name of a file without what was in it."""
    return painting.is_file() and painting.stat().st_size > 0


def _read(path: Path) -> list[dict[str, Any]]:
    """Its lines, but for those that were cut short."""
    found: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found or [{}]
