"""What the pictures of any source come as: a name, and a way to its bytes that may fail with a reason."""

import contextlib
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

LARGEST_FILE = 1 << 30  # bytes: nothing bigger is a picture, and reading it would only fill the memory


class Unreadable(Exception):  # noqa: N818  (it says what the entry is)
    """One entry of a source is no usable picture; its text is the reason, in words for a person."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a source: its posix path inside the source, and how to get its bytes.

    ``read`` may be called from any thread while the source is open, and raises :class:`Unreadable`.
    """

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class File:
    """A file inside a source: one picture, or a TFRecord holding many; with its path, if it is not inside a zip."""

    name: str
    open: Callable[[], IO[bytes]]
    path: Path | None = None

    def read(self) -> bytes:
        """All its bytes; raises :class:`Unreadable`."""
        with reasons(), self.open() as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise Unreadable(f"larger than {LARGEST_FILE >> 30} GiB")
        return data


@contextlib.contextmanager
def reasons() -> Iterator[None]:
    """Turn what a file system, zip or gzip raises into :class:`Unreadable`."""
    try:
        yield
    except zipfile.BadZipFile as error:
        raise Unreadable(f"damaged inside the zip ({error})") from error
    except NotImplementedError as error:
        raise Unreadable(f"compressed in a way that is not read ({error})") from error
    except (zlib.error, EOFError) as error:
        raise Unreadable(f"its compressed data are damaged or cut short ({error})") from error
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A sorting key that puts 9.jpg before 10.jpg; the name itself settles what else would be equal."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    # Numbers compare by their length, then digit by digit; text comes after any of them.
    whole = ((digits.lstrip("0"), text.casefold()) for digits, text in parts)
    return [(sys.maxsize, text) if text else (len(digits), digits) for digits, text in whole], name


def refuse(reason: str) -> NoReturn:
    """Raise :class:`Unreadable`: the way to the bytes of what has none."""
    raise Unreadable(reason)
