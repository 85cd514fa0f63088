"""Open data sources: folders, zips, TFRecords, Kaggle, the Hub and the bundled samples, as named entries of bytes."""

import codecs
import contextlib
import glob
import importlib.resources
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib.resources.abc import Traversable
from itertools import takewhile
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Self, overload

from impasto.data.domains import require_one_domain
from impasto.data.entry import ZIP_ERRORS, Entry, File, UnreadableError, natural_key, open_regular, raise_unreadable
from impasto.data.hub_dataset import Address
from impasto.data.hub_dataset import download as download_dataset
from impasto.data.kaggle import download
from impasto.data.parquet import ParquetFile, is_parquet, open_parquet, read_parquet
from impasto.data.tfrecord import has_tfrecord_header, is_tfrecord, read_tfrecord
from impasto.data.zip_names import member_names
from impasto.errors import ImpastoError
from impasto.files import user_path

SAMPLES = ("paintings", "photos")
JUNK = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir", "icon\r"}


class _FolderFiles(Sequence[File]):
    """The files of a folder in natural order, of which only the names are held: about 80 bytes each."""

    def __init__(self, root: Path, names: list[str], reasons: dict[str, str]) -> None:
        """
        Args:
            root: the folder.
            names: paths below it.
            reasons: why some of them cannot be read.
        """
        self._root, self._reasons = root, reasons
        self._names = sorted(names, key=lambda name: natural_key(valid_utf8(name)))

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, key: int) -> File: ...
    @overload
    def __getitem__(self, key: slice) -> list[File]: ...
    def __getitem__(self, key: int | slice) -> File | list[File]:
        if isinstance(key, slice):
            return [self._file(name) for name in self._names[key]]
        return self._file(self._names[key])

    def _file(self, name: str) -> File:
        inside, reason = valid_utf8(name), self._reasons.get(name)
        if reason is not None:
            return File(inside, partial(raise_unreadable, reason))
        return _file(inside, self._root / name)


class ImageSource:
    """An open data source. Close it, or use it as a context manager.

    Attributes:
        name: the source as the user wrote it.
        junk: number of ignored files that operating systems create (``__MACOSX``, ``.DS_Store``, ``Thumbs.db`` …).
        total: number of entries; None if it is unknown before reading (TFRecords).
    """

    def __init__(self, name: str, files: Sequence[File], junk: int = 0, close: Callable[[], None] | None = None):
        """``files`` are in natural order."""
        self.name = name
        self.junk = junk
        self._files = files
        self._close = close
        self._chosen: Sequence[int] | None = None
        self.total = self._count()

    def entries(self) -> Iterator[Entry]:
        """Yield every entry in natural order of the names of files. Entries of a TFRecord or a parquet file hold their
        data: keep few of them."""
        if self._chosen is None:
            return self._all()
        if not any(isinstance(file, ParquetFile) or is_tfrecord(file.name) for file in self._files):
            return (file.entry() for file in self.files())
        chosen = set(self._chosen)
        return (entry for number, entry in enumerate(self._all()) if number in chosen)

    def _all(self) -> Iterator[Entry]:
        for file in self._files:
            if is_tfrecord(file.name):
                yield from read_tfrecord(file)
            elif isinstance(file, ParquetFile):
                yield from read_parquet(file)
            else:
                yield file.entry()

    def files(self) -> Iterator[File]:
        """Yield its files in the order of the entries; a TFRecord or a parquet file is one."""
        return iter(self._files) if self._chosen is None else (self._files[number] for number in self._chosen)

    def choose(self, numbers: Sequence[int]) -> None:
        """Leave out all entries but those with these numbers, ascending from 0."""
        self._chosen, self.total = numbers, len(numbers)

    def leave_out(self, folder: Path) -> None:
        """Exclude the files inside ``folder``."""
        folder = folder.resolve()
        places = {file.path.parent for file in self._files if file.path is not None}
        below = {place for place in places if folder in (place.resolve(), *place.resolve().parents)}
        self._remove({n for n, file in enumerate(self._files) if file.path is not None and file.path.parent in below})

    def leave_out_seen(self, seen: set[str]) -> None:
        """Exclude files whose paths are in ``seen``, so that a file named twice is read once; add the others to it."""
        again = set[int]()
        for number, file in enumerate(self._files):
            if file.path is not None:
                path = os.path.abspath(file.path)  # noqa: PTH100  (does not follow links)
                if path in seen:
                    again.add(number)
                seen.add(path)
        self._remove(again)

    def _remove(self, numbers: set[int]) -> None:
        """Exclude the files with these numbers. Without any, they stay the small sequence of names that they may be."""
        if numbers:
            self._files = [file for number, file in enumerate(self._files) if number not in numbers]
            self.total = self._count()

    def paths(self) -> set[Path]:
        """Return the resolved paths of its files; files inside a zip have none."""
        return {file.path.resolve() for file in self._files if file.path is not None}

    def _count(self) -> int | None:
        if any(is_tfrecord(file.name) for file in self._files):
            return None
        return sum(file.rows if isinstance(file, ParquetFile) else 1 for file in self._files)

    def close(self) -> None:
        """Close the underlying file; entries cannot be read afterwards."""
        if self._close is not None:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(spec: str | Path) -> ImageSource:
    """Open a data source of any kind.

    Args:
        spec: a folder (read recursively), a zip, a TFRecord, an image, a glob pattern (``photos/**/*.jpg``), ``-`` for
            a list of files on standard input, ``sample:paintings`` or ``sample:photos``, a Kaggle competition
            ``kaggle:NAME[/FOLDER]`` or data set ``kaggle:datasets/OWNER/NAME[/FOLDER]``, or a data set on the Hugging
            Face Hub ``hf:OWNER/NAME[/PATH][@REVISION][#COLUMN]`` (see :class:`~impasto.data.hub_dataset.Address`).
            Folders and zips may contain TFRecords as well as images.

    Raises:
        ImpastoError: it does not exist, cannot be read or is empty, holds paintings and photos in folders of their own,
            a zip is damaged or encrypted, or Kaggle or the Hub is not available.
    """
    name = str(spec)
    kind, _, address = name.partition(":")
    if name == "-":
        return open_list(sys.stdin.buffer)
    if kind == "kaggle":
        return _open_path(name, download(address))
    if kind == "hf":
        return _open_dataset(name, Address.parse(address))
    if kind == "sample":
        return _open_sample(name, address)
    path = user_path(spec)
    return _open_path(name, path) if path.exists() or not glob.has_magic(name) else _open_glob(name)


def open_list(lines: IO[bytes]) -> ImageSource:
    """Open the files of a list, one per line or, as from ``find -print0``, each ended by a zero byte.

    Entries are named by their paths. A missing file raises when its entry is read.

    Raises:
        ImpastoError: the list is empty.
    """
    listed = _without_byte_order_mark(lines.read())
    separator = b"\0" if b"\0" in listed else b"\n"
    paths = [os.fsdecode(line.rstrip(b"\r")) for line in listed.split(separator) if line.strip()]
    if not paths:
        raise ImpastoError("The list is empty: write the path of one image on each line.")
    return ImageSource("-", _in_order(_file(valid_utf8(Path(path).as_posix()), Path(path)) for path in paths))


def _without_byte_order_mark(listed: bytes) -> bytes:
    """Return a list without the mark that programs on Windows begin it with, and from UTF-16 if it tells that."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if listed.startswith(mark):
            return os.fsencode(listed.removeprefix(mark).decode(encoding, "replace"))
    return listed.removeprefix(codecs.BOM_UTF8)


def find_files(pattern: str) -> list[Path]:
    """Return the files that a glob pattern matches, in natural order; the path itself if it is no pattern or matches
    none."""
    path = user_path(pattern)
    found = [] if path.exists() or not glob.has_magic(pattern) else _matching(pattern)[1]
    return sorted(found, key=lambda each: natural_key(str(each))) or [path]


def _open_glob(pattern: str) -> ImageSource:
    """Open the files that a glob pattern matches, named relative to its fixed part."""
    root, paths = _matching(pattern)
    if not paths:
        raise ImpastoError(f"No file matches {pattern}: check the pattern.")
    return ImageSource(str(root), _in_order(_file(_inside(root, path), path) for path in paths))


def _matching(pattern: str) -> tuple[Path, list[Path]]:
    """Return the fixed leading folder of a glob pattern, and the files that match it."""
    parts = user_path(pattern).parts
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
        return _open_zip(name, path)
    single = _file(path.name, path)
    if has_tfrecord_header(head) and not is_tfrecord(path.name):  # another suffix, but a valid header
        single = _file(f"{path.name}.tfrecord", path)
    return ImageSource(name, [single])


def _open_dataset(name: str, address: Address) -> ImageSource:
    """Open a data set on the Hub, its files named relative to the fixed part of its path."""
    paths = download_dataset(address)
    for path in paths.values():
        if path.suffix.lower() == ".zip":
            return _open_zip(name, path)
    root = PurePosixPath(address.folder)
    root = root.parent if address.folder in paths else root
    inside = {PurePosixPath(file).relative_to(root).as_posix(): path for file, path in paths.items()}
    images = {file: path for file, path in inside.items() if not is_junk(file)}
    require_one_domain(f"hf:{PurePosixPath(address.repository) / root}", images, packed=False)
    files = [
        open_parquet(str(address), file, path, address.column) if is_parquet(file) else _file(file, path)
        for file, path in images.items()
    ]
    return ImageSource(name, _in_order(files), len(inside) - len(images))


def _open_folder(name: str, root: Path) -> ImageSource:
    found: list[str] = []
    reasons: dict[str, str] = {}
    junk = 0
    seen: set[tuple[int, int]] = set()

    def add_unreadable(path: str, reason: str) -> None:
        inside = _below(root, path)
        found.append(inside)
        reasons[inside] = reason

    def add_unlisted(error: OSError) -> None:
        add_unreadable(error.filename, f"folder cannot be read: {error.strerror}")

    for folder, folders, names in os.walk(root, followlinks=True, onerror=add_unlisted):
        where = Path(folder).stat()
        if (where.st_dev, where.st_ino) in seen:  # a link to a folder that has been walked
            folders.clear()
            continue
        seen.add((where.st_dev, where.st_ino))
        folders.sort(key=natural_key)
        inside = "" if folder == str(root) else f"{_below(root, folder)}/"
        for each in names:
            if is_junk(f"{inside}{each}"):
                junk += 1
            elif os.path.isfile(os.path.join(folder, each)):  # noqa: PTH113, PTH118  (a path object takes as long again)
                found.append(f"{inside}{each}")
            else:
                add_unreadable(os.path.join(folder, each), "not a regular file, or a broken link")  # noqa: PTH118
    if not found:
        raise ImpastoError(f"The folder {name} is empty: give one with images.")
    files = _FolderFiles(root, found, reasons)
    require_one_domain(name, map(valid_utf8, found), packed=False)
    return ImageSource(name, files, junk)


def _open_zip(name: str, path: Path | Traversable) -> ImageSource:
    with contextlib.ExitStack() as undo:
        try:
            # ZipFile does not close a file that it is given open; its own reference count is not thread-safe.
            archive = zipfile.ZipFile(undo.enter_context(path.open("rb")))
        except ZIP_ERRORS as error:
            raise ImpastoError(f"The zip {name} is damaged ({error}): download or create it again.") from error
        members = [member for member in archive.infolist() if not member.filename.endswith("/")]  # may be empty
        images = [(inside, member) for inside, member in zip(member_names(members), members, strict=True)]
        images = [(inside, member) for inside, member in images if not is_junk(inside)]
        if not images:
            raise ImpastoError(f"The zip {name} is empty: give one with images.")
        if all(member.flag_bits & 1 for _, member in images):
            raise ImpastoError(f"The zip {name} is encrypted: unpack it and give the folder.")
        require_one_domain(name, (inside for inside, _ in images), packed=True)
        files = [File(inside, partial(open_member, archive, each), size=each.file_size) for inside, each in images]
        return ImageSource(name, _in_order(files), len(members) - len(images), undo.pop_all().close)


def _open_sample(name: str, which: str) -> ImageSource:
    if which not in SAMPLES:
        raise ImpastoError(f"There is no {name}: the samples are {' and '.join(f'sample:{s}' for s in SAMPLES)}.")
    archive = importlib.resources.files("impasto") / "sample" / f"{which}.zip"
    if not archive.is_file():
        raise ImpastoError(f"{name} is missing from this installation: reinstall impasto.")
    return _open_zip(name, archive)


def _file(name: str, path: Path) -> File:
    return File(name, partial(open_regular, path), path)


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    """Open a member of a zip. Raises UnreadableError if it is encrypted."""
    if member.flag_bits & 1:
        raise UnreadableError("encrypted")
    return archive.open(member)


def _in_order(files: Iterable[File]) -> list[File]:
    return sorted(files, key=lambda file: natural_key(file.name))


def _inside(root: Path, path: str | Path) -> str:
    """Return the POSIX path below ``root``, with undecodable bytes replaced."""
    return valid_utf8(_below(root, path))


def _below(root: Path, path: str | Path) -> str:
    return Path(path).relative_to(root).as_posix()


def valid_utf8(path: str) -> str:
    """Return a path with undecodable bytes replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def is_junk(name: str) -> bool:
    """Whether a path is a hidden file or one that operating systems create."""
    return any(part.casefold() in JUNK or part.startswith(".") for part in name.split("/") if part != "..")
