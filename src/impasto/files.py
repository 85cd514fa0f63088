"""Atomic file writes, exclusive locks, and one-line errors for paths and full disks."""

import contextlib
import errno
import os
import re
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto.errors import ImpastoError

#: Error numbers of a full disk or an exhausted quota.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

#: Error numbers of a path that is not possible, where another name might be.
BAD_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL)


class BadNameError(ImpastoError):
    """The path is not possible: the name is too long, or a parent is a file."""


class DiskFullError(ImpastoError):
    """The disk is full."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which replaces ``path`` once it is complete and on disk.

    If writing fails or is interrupted, the temporary file is removed and ``path`` is unchanged. Raises DiskFullError
    for a full disk, and ImpastoError for a place that cannot be written to or was removed meanwhile.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")  # unique per writer
    try:
        with full_disk_errors(path):
            with path_errors(path):
                require_regular(path)
                part.touch()
            with path_errors(path, part):
                yield part
            with path_errors(path):
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
                part.replace(path)
                _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):  # it may not exist
            part.unlink()
        raise


def partial_files(folder: Path, pattern: str) -> list[Path]:
    """Return the temporary files of :func:`atomic_write` for files that match ``pattern``, such as ``*.pt``."""
    return [path for path in folder.glob(f"{pattern}.*.part") if re.search(r"\.\d+-\d+\.part$", path.name)]


def require_regular(path: Path) -> None:
    """Raise ImpastoError if ``path`` is a device, a pipe or a socket, which a new file would replace."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise ImpastoError(f"{path} is a device or a pipe: choose the name of a file.")


@contextmanager
def full_disk_errors(path: Path) -> Iterator[None]:
    """Turn the errors of a full disk while ``path`` is written into DiskFullError."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(f"The disk is full: {path} was not written. Free some space and try again.") from error
        raise


@contextmanager
def path_errors(path: Path, about: Path | None = None) -> Iterator[None]:
    """Turn OS errors about ``path`` (permissions, read-only, a file as parent, a long name) into ImpastoError.

    With ``about``, only those that name that file: other errors are the caller's.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL or (about is not None and error.filename not in (about, os.fspath(about))):
            raise
        kind = BadNameError if error.errno in BAD_NAMES else ImpastoError
        raise kind(f"{path} cannot be written ({error.strerror}): choose another place.") from error


def user_path(text: str | Path) -> Path:
    """Return a path that a user wrote, ``~`` expanded; it need not exist.

    Raises ImpastoError if it is empty or impossible (too long, an unknown user), or a folder above it cannot be
    entered.
    """
    if not str(text):
        raise ImpastoError("A file name is empty: give a file or folder.")
    try:
        path = Path(text).expanduser()
        path.exists()
    except RuntimeError as error:
        raise ImpastoError(f"{text} names a home folder that does not exist: check the user's name.") from error
    except OSError as error:
        raise ImpastoError(f"{text} cannot be opened ({error.strerror}): check the path.") from error
    return path


@contextmanager
def exclusive(lock: Path, busy: str) -> Iterator[None]:
    """Hold the file ``lock`` for this process; it is released however the process ends.

    The file is removed while it is still held. A process that opened it before and locks it afterwards would hold a
    lock that nobody else sees; filelock (from 4.0 on) notices that and opens the path again.

    Raises ImpastoError with the message ``busy`` if another process holds it, and for a file that is no lock of
    impasto's, which are empty.
    """
    from filelock import FileLock, Timeout

    with path_errors(lock.parent), contextlib.suppress(FileNotFoundError):
        found = lock.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size:
            raise ImpastoError(f"{lock} is not impasto's, and stays as it is: move it, or choose another output.")
    held = FileLock(lock)
    try:
        with path_errors(lock.parent):
            try:
                held.acquire(timeout=0.2)  # for the second attempt where the file was just removed
            except Timeout as error:
                raise ImpastoError(busy) from error
        yield
    finally:
        if held.is_locked:
            with contextlib.suppress(OSError):  # Windows removes it by itself
                lock.unlink()
            held.release()


#: Text files that are saved in place of a large file, by how they begin, and what to do.
MISTAKEN = (
    (b"version https://git-lfs.github.com/", "a Git LFS pointer instead of the file itself: run git lfs pull"),
    (b"<!doctype", "a web page instead of the file itself: download it again"),
    (b"<html", "a web page instead of the file itself: download it again"),
    (b"<?xml", "a web page instead of the file itself: download it again"),
)


def mistaken_download(path: Path) -> str | None:
    """Return that a file is a Git LFS pointer or a web page that was saved in place of the file, and what to do; None
    if it is neither."""
    try:
        with path.open("rb") as file:
            head = file.read(200).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    except OSError:
        return None
    return next((f"it is {what}" for begin, what in MISTAKEN if head.startswith(begin)), None)


def require_folder(path: Path) -> None:
    """Raise ImpastoError if a folder cannot be created or written to, before any work is done."""
    with path_errors(path):
        there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not there.is_dir():
        raise ImpastoError(f"{there} is a file: choose another folder.")
    if there != path and path.is_symlink():
        raise ImpastoError(f"{path} is a link to nothing: choose another folder.")
    # A trial, since what os.access() says of a read-only disk or of /proc is not what writing there does.
    with full_disk_errors(there):
        try:
            tempfile.TemporaryFile(dir=there).close()
        except OSError as error:
            if error.errno in FULL:
                raise
            what = f"{path} cannot be {'written to' if path.exists() else 'created'}"
            raise ImpastoError(f"{what} ({error.strerror}): choose another folder.") from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents, unless it exists."""
    with full_disk_errors(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise ImpastoError(f"{path} cannot be created ({error.strerror}): choose another folder.") from error


def _sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, where the system allows it (Windows does not open folders)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
