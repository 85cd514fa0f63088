"""Entries and files of a data source, and the error that an unusable one raises."""

import contextlib
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

#: Bytes of a file, and of a record of a TFRecord or parquet file, from which on it is not read: no image of 150
#: megapixels takes more.
MAX_FILE_BYTES, MAX_RECORD_BYTES = 1 << 30, 1 << 28
#: Records in a row without an image after which the rest of a file is left out: compressed, they take next to nothing.
MAX_WITHOUT = 10_000
#: Bytes of the entries that are read or wait at a time, whatever the number of threads; one entry may exceed it.
MAX_IN_FLIGHT_BYTES = 1 << 30

#: What :mod:`zipfile` raises on a damaged zip.
ZIP_ERRORS = (
    zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, IndexError, struct.error, zlib.error,
    lzma.LZMAError, EOFError, OSError,
)  # fmt: skip

#: Why a camera raw file is left out.
CAMERA_RAW = "a camera raw file: develop it first, and save it as TIFF, PNG or JPEG"


class UnreadableError(Exception):
    """An entry of a source is not a usable image. The message is the reason, for the user."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of a source.

    Attributes:
        name: POSIX path inside the source.
        read: returns its bytes or raises :class:`UnreadableError`; thread-safe while the source is open.
        size: bytes that it takes to hold or read; 0 if unknown.
    """

    name: str
    read: Callable[[], bytes]
    size: int = 0


@dataclass(frozen=True, slots=True)
class File:
    """A file of a source: an image, or a TFRecord of many.

    Attributes:
        name: POSIX path inside the source.
        open: opens it for reading.
        path: its path on disk; None inside a zip.
        size: bytes of the content inside a zip.
    """

    name: str
    open: Callable[[], IO[bytes]]
    path: Path | None = None
    size: int = 0

    def entry(self) -> Entry:
        """Return the file as one image."""
        size = self.size
        if self.path is not None:
            with contextlib.suppress(OSError):  # reading it tells why
                size = self.path.stat().st_size
        return Entry(self.name, self.read, size)

    def read(self) -> bytes:
        """Return the content. Raises :class:`UnreadableError`."""
        with translate_errors(), self.open() as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise UnreadableError(f"larger than {MAX_FILE_BYTES >> 30} GiB")
        return data


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise the errors of file systems, zip and gzip as :class:`UnreadableError`."""
    try:
        yield
    except zipfile.BadZipFile as error:
        raise UnreadableError(f"damaged inside the zip ({error})") from error
    except NotImplementedError as error:
        raise UnreadableError(f"unsupported compression ({error})") from error
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise UnreadableError(f"its compressed data are damaged or truncated ({error})") from error
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    except ZIP_ERRORS as error:
        raise UnreadableError(f"damaged ({error})") from error


def open_regular(path: Path) -> IO[bytes]:
    """Open a file for reading. Raises UnreadableError for a pipe, which would be waited for, and a device."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UnreadableError("a pipe or a device, not a file")
    return path.open("rb")


def natural_key(name: str) -> str:
    """Return a sort key that puts 9.jpg before 10.jpg; equal keys are ordered by the name itself. It is one text, since
    millions of them are held while a folder is sorted."""
    parts = (
        # Numbers compare by length, then digit by digit; text comes after any number, and ends before longer text.
        f"\1{chr(len(digits.lstrip('0')))}{digits.lstrip('0')}" if digits else f"\2{text.casefold()}\0"
        for digits, text in re.findall(r"([0-9]+)|([^0-9]+)", name)
    )
    return f"{''.join(parts)}\0{name}"


def raise_unreadable(reason: str) -> NoReturn:
    """Raise :class:`UnreadableError`: the ``read`` of an entry that has no data."""
    raise UnreadableError(reason)
