"""Names of the members of a zip, in whatever encoding its writer left them."""

import contextlib
import posixpath
import re
import struct
import zlib
from collections.abc import Sequence
from zipfile import ZipInfo

UTF8_FLAG = 0x800
UNICODE_PATH = 0x7075  #: extra field with the name in UTF-8 (APPNOTE.TXT, 4.6.9)
#: Encodings in which a character may end in the byte of a backslash, in the order in which they are tried.
EAST_ASIAN = ("cp932", "gbk", "big5hkscs")

_SPLIT_CHARACTER = re.compile(rb"[\x81-\xfe]\\")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")  # what Chinese text looks like in cp932


def member_names(members: Sequence[ZipInfo]) -> list[str]:
    """Return the POSIX path of each member. Names without the UTF-8 flag are UTF-8 where they can be, else CP437.

    A backslash separates folders, as some writers on Windows have it, unless it is a part of a character: where it may
    be, the names of the whole zip are decoded by the East Asian encoding that fits them all.
    """
    raw = [_bytes(member) for member in members]
    legacy = [name for name in raw if not _is_utf8(name)]
    codec = _east_asian(legacy) if any(map(_SPLIT_CHARACTER.search, legacy)) else None
    names = (name.decode("utf-8" if _is_utf8(name) else codec or "cp437") for name in raw)
    return [posixpath.normpath(name.replace("\\", "/")) for name in names]


def _bytes(member: ZipInfo) -> bytes:
    """Return the name as it is stored, or in UTF-8 if it is known; it ends before a zero byte, as in zipfile."""
    if member.flag_bits & UTF8_FLAG:
        name = member.orig_filename.encode("utf-8", "surrogatepass")
    else:
        stored = member.orig_filename.encode("cp437")
        name = _unicode_path(member.extra, stored) or stored
    return name.partition(b"\0")[0]


def _unicode_path(extra: bytes, stored: bytes) -> bytes:
    """Return the name of the extra field for it, if there is one, and it belongs to the ``stored`` name."""
    place = 0
    with contextlib.suppress(struct.error):
        while place < len(extra):
            kind, length = struct.unpack_from("<HH", extra, place)
            if kind == UNICODE_PATH:
                _, checksum = struct.unpack_from("<BI", extra, place + 4)
                return extra[place + 9 : place + 4 + length] if checksum == zlib.crc32(stored) else b""
            place += 4 + length
    return b""


def _is_utf8(name: bytes) -> bool:
    with contextlib.suppress(UnicodeDecodeError):
        return bool(name.decode("utf-8")) or not name
    return False


def _east_asian(names: Sequence[bytes]) -> str | None:
    """Return the first encoding that fits all names."""
    for codec in EAST_ASIAN:
        with contextlib.suppress(UnicodeDecodeError):
            texts = [name.decode(codec) for name in names]
            if all(text.isprintable() and not _HALF_WIDTH.search(text) for text in texts):
                return codec
    return None
