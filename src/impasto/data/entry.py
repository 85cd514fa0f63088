"""Entries and files of a data source, and the error that an unusable one raises."""

import contextlib
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

MAX_FILE_BYTES = 1 << 30  # no image is larger, and reading it would exhaust the memory

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
    """

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class File:
    """A file of a source: an image, or a TFRecord of many.

    Attributes:
        name: POSIX path inside the source.
        open: opens it for reading.
        path: its path on disk; None inside a zip.
    """

    name: str
    open: Callable[[], IO[bytes]]
    path: Path | None = None

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
    except (zlib.error, EOFError) as error:
        raise UnreadableError(f"its compressed data are damaged or truncated ({error})") from error
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a sort key that puts 9.jpg before 10.jpg; equal keys are ordered by the name itself."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    # Numbers compare by length, then digit by digit; text comes after any number.
    stripped = ((digits.lstrip("0"), text.casefold()) for digits, text in parts)
    return [(sys.maxsize, text) if text else (len(digits), digits) for digits, text in stripped], name


def raise_unreadable(reason: str) -> NoReturn:
    """Raise :class:`UnreadableError`: the ``read`` of an entry that has no data."""
    raise UnreadableError(reason)
