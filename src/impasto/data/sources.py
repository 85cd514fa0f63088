"""Where pictures come from: folder, zip, TFRecord, Kaggle or the sample, all as named entries of bytes."""

import contextlib
import glob
import importlib.resources
import os
import posixpath
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from impasto.data.entry import Entry, File, Unreadable, natural, refuse
from impasto.data.kaggle import fetch
from impasto.data.tfrecord import holds_records, is_records, records
from impasto.errors import ImpastoError

SAMPLES = ("paintings", "photos")
JUNK = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir", "icon\r"}


class ImageSource:
    """Pictures to be read, from wherever they lie; close it, or use it as a context, when done.

    Attributes:
        name: the source as the user wrote it.
        junk: how many files were left out by themselves (``__MACOSX``, ``.DS_Store``, ``Thumbs.db`` …).
    """

    def __init__(self, name: str, files: list[File], junk: int = 0, close: Callable[[], None] | None = None):
        self.name = name
        self.junk = junk
        self._files = sorted(files, key=lambda file: natural(file.name))
        self._close = close

    @property
    def total(self) -> int | None:
        """How many entries there are, or None where only reading tells (TFRecords)."""
        return None if any(is_records(file.name) for file in self._files) else len(self._files)

    def entries(self) -> Iterator[Entry]:
        """Every entry, in the natural order of the names; those of a TFRecord hold their bytes: keep few."""
        for file in self._files:
            if is_records(file.name):
                yield from records(file)
            else:
                yield Entry(file.name, file.read)

    def leave_out(self, folder: Path) -> None:
        """Pass over the files that lie below ``folder``."""
        folder = folder.resolve()
        places = {file.path.parent for file in self._files if file.path is not None}
        below = {place for place in places if folder in (place.resolve(), *place.resolve().parents)}
        self._files = [file for file in self._files if file.path is None or file.path.parent not in below]

    def leave_out_seen(self, seen: set[str]) -> None:
        """Pass over the files whose paths are among those ``seen``, as they are when a file is named twice, and note
        those of the others there."""
        files, self._files = self._files, []
        for file in files:
            path = None if file.path is None else os.path.abspath(file.path)  # noqa: PTH100  (links are not followed)
            if path is None or path not in seen:
                self._files.append(file)
            if path is not None:
                seen.add(path)

    def paths(self) -> set[Path]:
        """Where its files lie, links followed; of those inside a zip, nothing is said."""
        return {file.path.resolve() for file in self._files if file.path is not None}

    def close(self) -> None:
        """Let go of the file underneath; entries cannot be read after that."""
        if self._close is not None:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(spec: str | Path) -> ImageSource:
    """Open what the user names, telling its kind by itself.

    ``spec`` is a folder (with all below it), a zip, a TFRecord, a single picture, a pattern (``photos/**/*.jpg``),
    ``-`` for a list of pictures on standard input, ``sample:paintings`` or ``sample:photos``, or on Kaggle a
    competition, ``kaggle:NAME[/FOLDER]``, or a data set, ``kaggle:datasets/OWNER/NAME[/FOLDER]``. Folders and zips may
    hold TFRecords among their pictures.

    Raises:
        ImpastoError: nothing is there, it is empty, a zip is damaged or encrypted, or Kaggle cannot be had.
    """
    name = str(spec)
    kind, _, address = name.partition(":")
    if name == "-":
        return open_list(sys.stdin.buffer)
    if kind == "kaggle":
        return _open_path(name, fetch(address))
    if kind == "sample":
        return _open_sample(name, address)
    path = Path(spec).expanduser()
    return _open_path(name, path) if path.exists() or not glob.has_magic(name) else _open_glob(name)


def open_list(lines: IO[bytes]) -> ImageSource:
    """The files that are listed, one a line or, as ``find -print0`` has it, each ended by a zero byte. A picture is
    called by its path; what is not there is found out when it is read.

    Raises ImpastoError if nothing is listed.
    """
    listed = lines.read()
    separator = b"\0" if b"\0" in listed else b"\n"
    paths = [os.fsdecode(line.rstrip(b"\r")) for line in listed.split(separator) if line.strip()]
    if not paths:
        raise ImpastoError("The list is empty: write the path of a picture on each line.")
    return ImageSource("-", [_file(_printable(Path(path).as_posix()), Path(path)) for path in paths])


def find_files(pattern: str) -> list[Path]:
    """The files that a pattern stands for, in natural order; where it is none, or one of nothing, the path as it is."""
    path = Path(pattern).expanduser()
    found = [] if path.exists() or not glob.has_magic(pattern) else _matching(pattern)[1]
    return sorted(found, key=lambda each: natural(str(each))) or [path]


def _open_glob(pattern: str) -> ImageSource:
    """The files that a pattern such as ``photos/**/*.jpg`` stands for, called as in the folder where it begins to be
    one."""
    root, paths = _matching(pattern)
    if not paths:
        raise ImpastoError(f"There is no file like {pattern}: check the pattern.")
    return ImageSource(str(root), [_file(_inside(root, path), path) for path in paths])


def _matching(pattern: str) -> tuple[Path, list[Path]]:
    """The folder where a path begins to be a pattern, and the files that match it."""
    parts = Path(pattern).expanduser().parts
    fixed = list(takewhile(lambda part: not glob.has_magic(part), parts))
    root = Path(*fixed)
    return root, [path for path in root.glob(str(Path(*parts[len(fixed) :]))) if path.is_file()]


def _open_path(name: str, path: Path) -> ImageSource:
    if path.is_dir():
        return _open_folder(name, path)
    if not path.is_file():
        raise ImpastoError(f"There is no file or folder {name}: check the path.")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise ImpastoError(f"{name} cannot be read: {error.strerror}.") from error
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or path.suffix.lower() == ".zip":
        return _open_zip(name, path.open("rb"))
    single = _file(path.name, path)
    if holds_records(head) and not is_records(path.name):  # an unhelpful name, but its first checksum is right
        single = _file(f"{path.name}.tfrecord", path)
    return ImageSource(name, [single])


def _open_folder(name: str, root: Path) -> ImageSource:
    files: list[File] = []
    junk = 0
    seen: set[tuple[int, int]] = set()

    def unlisted(error: OSError) -> None:
        files.append(File(_inside(root, error.filename), partial(refuse, f"folder not read: {error.strerror}")))

    for folder, folders, names in os.walk(root, followlinks=True, onerror=unlisted):
        where = Path(folder).stat()
        if (where.st_dev, where.st_ino) in seen:  # a link back to a folder that was already walked
            folders.clear()
            continue
        seen.add((where.st_dev, where.st_ino))
        folders.sort(key=natural)
        for path in (Path(folder, each) for each in names):
            inside = _inside(root, path)
            if is_junk(inside):
                junk += 1
            elif path.is_file():
                files.append(_file(inside, path))
            else:
                files.append(File(inside, partial(refuse, "no regular file, or a link to nothing")))
    if not files:
        raise ImpastoError(f"The folder {name} is empty: give one with pictures in it.")
    return ImageSource(name, files, junk)


def _open_zip(name: str, file: IO[bytes]) -> ImageSource:
    with contextlib.ExitStack() as undo:
        undo.callback(file.close)
        try:
            # Given an open file, ZipFile never closes it by its own count, which threads could upset.
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ImpastoError(f"The zip {name} is damaged ({error}): fetch or make it again.") from error
        members = [member for member in archive.infolist() if not member.is_dir()]
        pictures = [member for member in members if not is_junk(_zip_name(member))]
        if not pictures:
            raise ImpastoError(f"The zip {name} is empty: give one with pictures in it.")
        if all(member.flag_bits & 1 for member in pictures):
            raise ImpastoError(f"The zip {name} is encrypted: unpack it with its password and give the folder.")
        files = [File(_zip_name(member), partial(_open_member, archive, member)) for member in pictures]
        return ImageSource(name, files, len(members) - len(pictures), undo.pop_all().close)


def _open_sample(name: str, which: str) -> ImageSource:
    if which not in SAMPLES:
        raise ImpastoError(f"there is no {name}: the samples are {' and '.join(f'sample:{s}' for s in SAMPLES)}")
    archive = importlib.resources.files("impasto") / "sample" / f"{which}.zip"
    if not archive.is_file():
        raise ImpastoError(f"{name} is missing from this installation: install impasto again.")
    return _open_zip(name, archive.open("rb"))


def _file(name: str, path: Path) -> File:
    return File(name, lambda: path.open("rb"), path)


def _open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    if member.flag_bits & 1:
        raise Unreadable("encrypted")
    return archive.open(member)


def _inside(root: Path, path: str | Path) -> str:
    """The posix path below ``root``, as text that can be printed whatever bytes the file system holds."""
    return _printable(Path(path).relative_to(root).as_posix())


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _zip_name(member: zipfile.ZipInfo) -> str:
    """The member's path. Many tools write UTF-8 without the flag that says so; zipfile then reads CP437."""
    name = member.filename
    if not member.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return posixpath.normpath(name.replace("\\", "/"))


def is_junk(name: str) -> bool:
    """Whether a file of that path was left by an operating system."""
    return any(part.casefold() in JUNK or part.startswith(".") for part in name.split("/") if part != "..")
