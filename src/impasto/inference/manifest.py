"""Manifest of an output folder: what was painted, so that the same command resumes."""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from impasto.errors import MALFORMED, ImpastoError
from impasto.files import exclusive, full_disk_errors, partial_files, path_errors
from impasto.inference.options import PaintOptions
from impasto.inference.output import PART, is_image_name
from impasto.style import Style

#: Its name in the folder, and that of its lock.
NAME, LOCK = ".impasto.jsonl", ".impasto.lock"
#: Suffix of the folders of videos that are not complete (:mod:`impasto.inference.video.segments`).
PARTS = ".parts"
#: Keys of a job that overwrites, and of a job that is complete.
ANEW, COMPLETE = "anew", "whole"

#: Seconds by which the start of a process and the date of its first file may be wrong.
CLOCKS = 2


def describe_job(style: Style, options: PaintOptions, **choices: Any) -> dict[str, Any]:
    """Return everything that determines the paintings of a photo, without choices that are None, such as options that
    earlier versions did not have. The direction of a style is identified by the weights of its network."""
    weights = hashlib.sha256()
    for name, tensor in sorted(style.network.state_dict().items()):
        weights.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return {
        "style": weights.hexdigest(),
        "strength": options.strength,
        "brush": options.brush,
        "keep_colour": options.keep_colour,
        **({} if options.mood is None else {"mood": hashlib.sha256(repr(options.mood).encode()).hexdigest()}),
        **{name: value for name, value in choices.items() if value is not None},
    }


@dataclass
class Manifest:
    """The paintings of an output folder.

    Attributes:
        done: digest of the photo's file and name of the painting, by photo, of earlier runs.
        current: names of the paintings of this run, including those of earlier runs, in the order of the photos.
        entered: names of all paintings that the manifest has ever listed, including those that are damaged or missing.
        file: where lines are appended, if the manifest is written.
    """

    done: dict[str, tuple[str, str]] = field(default_factory=dict)
    current: list[str] = field(default_factory=list)
    entered: set[str] = field(default_factory=set)
    file: IO[str] | None = None

    def add(self, photo: str, digest: str, painting: str) -> None:
        """Record a painting that has been written."""
        self.entered.add(painting)
        self.current.append(painting)
        self._write({"photo": photo, "digest": digest, "painting": painting})

    def confirm(self, photo: str) -> None:
        """Record that the painting of an earlier run is up to date."""
        self.current.append(self.done[photo][1])

    def _write(self, *lines: dict[str, Any]) -> None:
        if self.file is not None:
            with full_disk_errors(Path(self.file.name)):
                self.file.write("".join(json.dumps(line) + "\n" for line in lines))
                self.file.flush()


@contextmanager
def open_manifest(folder: Path, job: dict[str, Any], *, overwrite: bool, temporary: bool = False) -> Iterator[Manifest]:
    """Open the manifest of an output folder, with what earlier runs of the same ``job`` painted.

    With ``overwrite`` everything is painted again, unless an overwriting run was interrupted: that one is resumed. A
    ``temporary`` folder is removed when the block ends without an error, unless others put files into it.
    Raises ImpastoError if the folder holds another job, without ``overwrite``, or another process writes to it.
    """
    with path_errors(folder), full_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / LOCK, f"Another impasto process writes to {folder}: wait for it, or choose another --out."):
        if (folder / NAME).is_file():
            for part in filter(_is_abandoned, partial_files(folder, f"**/{PART}")):
                part.unlink(missing_ok=True)
        yield from _open(folder, job, overwrite, temporary)
    if temporary:
        with contextlib.suppress(OSError):  # it is not empty
            folder.rmdir()


def _is_abandoned(part: Path) -> bool:
    """Return whether the process that wrote a partial file, whose number is in its name, has ended: in a folder below,
    another may be at work."""
    number = int(part.name.split(".")[-2].partition("-")[0])
    try:
        return psutil.Process(number).create_time() > part.stat().st_mtime + CLOCKS
    except (psutil.NoSuchProcess, OSError):
        return True


def _open(folder: Path, job: dict[str, Any], overwrite: bool, temporary: bool) -> Iterator[Manifest]:
    path = folder / NAME
    manifest = Manifest()
    first, *lines = _read(path) if path.is_file() else [{}]
    lines = [line for line in lines if line == {COMPLETE: True} or _is_painting(line, folder)]
    manifest.entered = {line["painting"] for line in lines if "painting" in line}
    anew = first.pop(ANEW, False)
    if overwrite and (first != job or not anew or {COMPLETE: True} in lines):
        first, lines = {}, []
    resumes = bool(first)  # empty if it was killed while writing its first line
    if resumes:
        if first != job:
            raise ImpastoError(
                f"{folder} holds paintings of another style or with other options: choose another output (--out), or "
                "overwrite them (--overwrite)."
            )
        entered = {line["photo"]: (line["digest"], line["painting"]) for line in lines if "photo" in line}
        manifest.done = {photo: done for photo, done in entered.items() if _is_complete(folder / done[1])}
    with path_errors(path), full_disk_errors(path):
        file = path.open("a" if resumes else "w", encoding="utf-8")
    try:
        manifest.file = file
        if not resumes:
            # With the names of older paintings, so that they stay known as impasto's if this run is stopped.
            older = ({"painting": name} for name in sorted(manifest.entered))
            manifest._write(job | {ANEW: True} if overwrite else job, *older)
        elif not path.read_bytes().endswith(b"\n"):
            file.write("\n")  # ends a truncated line
        yield manifest
        manifest._write({COMPLETE: True})
    finally:
        file.close()
        if not manifest.entered and not any(folder.rglob(f"*{PARTS}")):
            path.unlink(missing_ok=True)
    if temporary:
        _remove(folder, manifest.entered)


def _remove(folder: Path, paintings: Iterable[str]) -> None:
    """Remove these paintings and the manifest, and the folders that are empty then."""
    for name in (*paintings, NAME):
        (folder / name).unlink(missing_ok=True)
    for each in sorted((each for each in folder.rglob("*") if each.is_dir()), reverse=True):
        with contextlib.suppress(OSError):  # it is not empty
            each.rmdir()


def _is_painting(line: dict[str, Any], folder: Path) -> bool:
    """Return whether a line has the name of a painting in the folder, alone or with that of its photo and its digest:
    anybody may have written it."""
    painting = line.get("painting")
    if not isinstance(painting, str) or not (
        line == {"painting": painting} or all(isinstance(line.get(name), str) for name in ("photo", "digest"))
    ):
        return False
    return is_image_name(painting) and (folder / painting).resolve().is_relative_to(folder.resolve())


def _is_complete(painting: Path) -> bool:
    """Return whether a file exists and is not empty, as it can be after a power failure."""
    return painting.is_file() and painting.stat().st_size > 0


def _read(path: Path) -> list[dict[str, Any]]:
    """Read all lines that are not truncated."""
    entries: list[Any] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(*MALFORMED):
            entries.append(json.loads(line))
    return [entry for entry in entries if isinstance(entry, dict)] or [{}]
