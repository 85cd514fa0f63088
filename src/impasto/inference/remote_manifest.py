"""Manifest of an output folder at an fsspec address, for any number of photos.

Its lines are those of :mod:`impasto.inference.manifest`, in files that are written once: an object store cannot append.
"""

import contextlib
import json
import posixpath
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from impasto.data.places import Place, access_errors
from impasto.errors import MALFORMED, ImpastoError
from impasto.inference.manifest import ANEW, COMPLETE
from impasto.inference.output import is_image_name
from impasto.inference.output_names import UniqueNames

#: Folder of the manifest in the output folder, and that of paintings that are being written.
FOLDER, UNFINISHED = ".impasto", ".impasto/unfinished"
#: Lines and seconds after which a file is written: what a killed run may forget.
LINES, SECONDS = 10_000, 30.0

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE painted (photo TEXT PRIMARY KEY, digest TEXT, painting TEXT) WITHOUT ROWID;
CREATE TABLE seen (text BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class RemoteManifest:
    """What was painted, and the names that are taken; both in a temporary database on disk."""

    def __init__(self, out: Place) -> None:
        self._out = out
        self._folder = posixpath.join(out.path, FOLDER)
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)
        self._files = self._list()
        self._lines: list[dict[str, Any]] = []
        self._written = time.monotonic()
        self.names = UniqueNames(taken=_Names(self._database))

    def known(self, photo: str) -> tuple[str, str]:
        """Return the digest and the painting of a photo that an earlier run painted; empty if none did."""
        found = self._database.execute("SELECT digest, painting FROM painted WHERE photo = ?", (photo,)).fetchone()
        return found or ("", "")

    def is_new(self, text: str) -> bool:
        """Return whether this is the first call with a text."""
        return (
            self._database.execute(
                "INSERT OR IGNORE INTO seen VALUES (?)", (text.encode("utf-8", "surrogatepass"),)
            ).rowcount
            > 0
        )

    def add(self, photo: str, digest: str, painting: str) -> None:
        """Record a painting that has been written."""
        self._lines.append({"photo": photo, "digest": digest, "painting": painting})
        if len(self._lines) >= LINES or time.monotonic() > self._written + SECONDS:
            self._write()

    def _begin(self, job: dict[str, Any], overwrite: bool) -> bool:
        """Read what earlier runs of the same job painted. Return whether this run resumes one that overwrites, or is
        one."""
        lines = (line for file in self._files for line in self._read(file))
        first, complete, paintings = next(lines, {}), False, 0
        anew = first.pop(ANEW, False)
        for line in chain([first], lines):
            complete = complete or line == {COMPLETE: True}
            if _is_painting(line):
                paintings += 1
                row = (line["photo"], line["digest"], line["painting"])
                self._database.execute("INSERT OR REPLACE INTO painted VALUES (?, ?, ?)", row)
        if first == job and (not overwrite or (anew and not complete)):
            self._database.execute("INSERT OR IGNORE INTO names SELECT casefold(painting) FROM painted")
            return anew and not complete
        if not overwrite and (paintings or not self._files) and self._holds_files():
            raise ImpastoError(
                "The output holds other files, or paintings of another style or with other options: choose another "
                "output (--out), or overwrite them (--overwrite)."
            )
        self._database.execute("DELETE FROM painted")
        if self._files:
            self._out.files.rm(self._folder, recursive=True)
            self._files = []
        self._out.files.makedirs(self._folder, exist_ok=True)
        self._lines = [job | {ANEW: True} if overwrite else job]
        self._write()
        return overwrite

    def _holds_files(self) -> bool:
        return self._out.files.exists(self._out.path) and bool(self._out.files.ls(self._out.path, detail=False))

    def _list(self) -> list[str]:
        try:
            found = self._out.files.ls(self._folder, detail=False)
        except FileNotFoundError:
            return []
        return sorted(file for file in found if file.endswith(".jsonl"))

    def _read(self, file: str) -> Iterator[dict[str, Any]]:
        for line in self._out.files.cat_file(file).decode("utf-8", "replace").splitlines():
            with contextlib.suppress(*MALFORMED):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    yield entry

    def _write(self) -> None:
        if self._lines:
            number = int(posixpath.basename(self._files[-1]).partition(".")[0]) + 1 if self._files else 0
            file = posixpath.join(self._folder, f"{number:06d}.jsonl")
            self._out.files.pipe_file(file, "".join(json.dumps(line) + "\n" for line in self._lines).encode())
            self._files.append(file)
            self._lines = []
        self._written = time.monotonic()


@contextmanager
def open_remote_manifest(out: Place, job: dict[str, Any], *, overwrite: bool) -> Iterator[RemoteManifest]:
    """Open the manifest of an output folder, with what earlier runs of the same ``job`` painted.

    With ``overwrite`` everything is painted again, unless an overwriting run was interrupted: that one is resumed.
    Raises ImpastoError if the folder holds another job or other files, without ``overwrite``, or cannot be written.
    """
    with access_errors(out.path):
        manifest = RemoteManifest(out)
        anew = manifest._begin(job, overwrite)
        unfinished = posixpath.join(out.path, UNFINISHED)
        out.files.makedirs(unfinished, exist_ok=True)
    try:
        yield manifest
        if anew:
            manifest._lines.append({COMPLETE: True})
    finally:
        with access_errors(out.path):
            manifest._write()
            with contextlib.suppress(FileNotFoundError):
                out.files.rm(unfinished, recursive=True)


class _Names:
    """A set of names in a database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.create_function("casefold", 1, str.casefold)

    def __contains__(self, name: object) -> bool:
        return self._database.execute("SELECT 1 FROM names WHERE name = ?", (name,)).fetchone() is not None

    def add(self, name: str) -> None:
        self._database.execute("INSERT OR IGNORE INTO names VALUES (?)", (name,))


def _is_painting(line: dict[str, Any]) -> bool:
    """Return whether a line is a painting in the folder: anybody may have written it."""
    return all(isinstance(line.get(key), str) for key in ("photo", "digest", "painting")) and is_image_name(
        line["painting"]
    )
