"""Files that are atomic_write or not there."""

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto.errors import ImpastoError

#: How systems say that a disk, or one's share of it, is full.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

#: How they say that a file cannot have that name there, where another might.
BAD_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL)


class BadNameError(ImpastoError):
    """A name that no file can have, or not in its folder."""


class DiskFullError(ImpastoError):
    """A disk that took no more."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a path beside ``path`` to write to, which takes the name ``path`` once it is complete and on disk.

    If the writing fails, or is interrupted, nothing is left of it and what had the name before still has it.
    A full disk is told as :class:`DiskFullError`, and a place where nothing can be written as ImpastoError.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")  # for others may write it too
    try:
        with full_disk_errors(path):
            with path_errors(path):
                part.touch()
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            with path_errors(path):
                part.replace(path)
            _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):  # what cannot be written is not there
            part.unlink()
        raise


@contextmanager
def full_disk_errors(path: Path) -> Iterator[None]:
    """Turns the errors of a full disk while ``path`` is written into one line for a person."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(f"The disk is full: {path} was not written. Free some space and try again.") from error
        raise


@contextmanager
def path_errors(path: Path) -> Iterator[None]:
    """Says in one line that ``path`` is no place to write to: forbidden, below a file, read-only, too long a name."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise
        kind = BadNameError if error.errno in BAD_NAMES else ImpastoError
        raise kind(f"{path} cannot be written ({error.strerror}): choose another place.") from error


@contextmanager
def exclusive(lock: Path, busy: str) -> Iterator[None]:
    """Inside, this process alone holds the file ``lock``; it goes with the process, however that ends.

    Raises ImpastoError, saying ``busy``, if another process has it.
    """
    from filelock import FileLock, Timeout

    held = FileLock(lock)
    with path_errors(lock.parent):
        try:
            held.acquire(timeout=0)
        except Timeout as error:
            raise ImpastoError(busy) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows takes it away by itself
            lock.unlink()
        held.release()


def require_folder(path: Path) -> None:
    """Refuses, before any work is done, a folder that cannot be made or written to."""
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not there.is_dir():
        raise ImpastoError(f"{there} is a file: choose a folder.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ImpastoError(f"{there} cannot be written to: choose another folder.")


def make_folder(path: Path) -> None:
    """Makes a folder, unless it is there."""
    with full_disk_errors(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise ImpastoError(f"{path} cannot be made ({error.strerror}): choose another folder.") from error


def _sync_folder(folder: Path) -> None:
    """Puts a new name on disk too, where the system allows that (Windows does not open folders)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
