"""Places of files: paths, and the addresses that fsspec supports, such as ``s3://bucket/folder``."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError, require
from impasto.files import user_path

#: How the addresses of local files begin.
LOCAL = "file://"


@dataclass(frozen=True)
class Place:
    """A path in a file system of fsspec."""

    files: Any
    path: str

    @property
    def address(self) -> str:
        """What any machine can open."""
        return str(self.files.unstrip_protocol(self.path))

    def contains(self, other: "Place") -> bool:
        """Return whether another place is this one, or lies below it."""
        return self.files.protocol == other.files.protocol and f"{other.path}/".startswith(f"{self.path}/")


def is_address(text: str | Path) -> bool:
    """Return whether a user wrote an address of a remote file system, not a path."""
    return "://" in str(text) and not str(text).startswith(LOCAL)


def open_place(text: str) -> Place:
    """Return a place that a user wrote: a path, or an address such as ``s3://bucket/photos``.

    Raises ImpastoError for an unknown kind of address, and one whose package is not installed.
    """
    fsspec = require("fsspec", extra="remote")
    if not is_address(text):
        return Place(fsspec.filesystem("file"), user_path(text.removeprefix(LOCAL)).resolve().as_posix())
    with access_errors(text):
        files, path = fsspec.core.url_to_fs(text)
    return Place(files, path.rstrip("/"))


@contextmanager
def access_errors(text: str) -> Iterator[None]:
    """Turn errors of a file system into an ImpastoError about the place that a user wrote."""
    try:
        yield
    except ImpastoError:
        raise
    except Exception as error:  # packages of file systems raise anything
        raise ImpastoError(f"{text} cannot be opened ({first_line(error)}): check the address.") from error


def first_line(error: BaseException | None) -> str:
    """Return the reason of an error in one line."""
    reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return reason.splitlines()[0].rstrip(".")
