"""Image file directories of a TIFF (TIFF 6.0, section 2; BigTIFF): which images it holds, and how they are stored."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

NEW_SUBFILE_TYPE, SUBFILE_TYPE, BITS, PHOTOMETRIC, ORIENTATION, SAMPLES = 254, 255, 258, 262, 274, 277
COLOR_MAP, SUB_IFDS, EXTRA_SAMPLES, SAMPLE_FORMAT = 320, 330, 338, 339
REDUCED, MASK = 1, 4  #: bits of NewSubfileType
OLD_REDUCED = 2  #: value of SubfileType

#: Directories that are looked at, and entries that one has at most.
MAX_DIRECTORIES, MAX_ENTRIES = 100, 4096
#: Format characters of the integer types, by number.
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
SHORT = 3


@dataclass(frozen=True)
class Layout:
    """How numbers are stored: ``order`` is ``<`` or ``>``, and a BigTIFF is ``big``."""

    order: str
    big: bool

    @property
    def offset(self) -> str:
        """Format character of an offset, and of the number of values of an entry."""
        return "Q" if self.big else "I"

    @property
    def count(self) -> str:
        """Format character of the number of entries of a directory."""
        return "Q" if self.big else "H"

    @property
    def start(self) -> int:
        """Where the header has the offset of the first directory."""
        return 8 if self.big else 4

    @property
    def entry(self) -> int:
        """Bytes of an entry: tag, type, number of values, and the values or their offset."""
        return 20 if self.big else 12

    def unpack(self, data: bytes, place: int, format: str) -> tuple[int, ...]:
        """Return integers at a place. struct.error if the data end before."""
        return struct.unpack_from(f"{self.order}{format}", data, place)


@dataclass(frozen=True)
class Directory:
    """One image of a file.

    Attributes:
        layout: how its numbers are stored.
        entries: its entries as they are stored, by tag.
        values: the integers of the entries that matter here, by tag.
    """

    layout: Layout
    entries: dict[int, bytes]
    values: dict[int, tuple[int, ...]]

    def first(self, tag: int, default: int = -1) -> int:
        """Return the first value of a tag."""
        return self.values.get(tag, (default,))[0]

    @property
    def is_reduced(self) -> bool:
        """Whether it is a thumbnail of another image, or a mask."""
        return bool(self.first(NEW_SUBFILE_TYPE, 0) & (REDUCED | MASK)) or self.first(SUBFILE_TYPE) == OLD_REDUCED


_READ = (NEW_SUBFILE_TYPE, SUBFILE_TYPE, BITS, PHOTOMETRIC, ORIENTATION, SAMPLES, SUB_IFDS, SAMPLE_FORMAT)


def read_directories(data: bytes) -> list[Directory]:
    """Return the directories of a file up to the first damaged one: each page, followed by the images inside it."""
    order = "<" if data[:2] == b"II" else ">"
    layout = Layout(order, big=43 in data[2:4])
    found: list[Directory] = []
    seen = {0}
    try:
        (place,) = layout.unpack(data, layout.start, layout.offset)
        while place not in seen and len(seen) < MAX_DIRECTORIES:
            seen.add(place)
            page, place = _read(data, place, layout)
            found.append(page)
            for inside in page.values.get(SUB_IFDS, ()):
                if inside not in seen and len(seen) < MAX_DIRECTORIES:
                    seen.add(inside)
                    found.append(_read(data, inside, layout)[0])
    except (struct.error, OverflowError):
        return found
    return found


def begin_with(data: bytes, directory: Directory, changes: dict[int, int]) -> bytes:
    """Return the file with this directory alone, in which some tags have another value (of 16 bits)."""
    layout = directory.layout
    entries = directory.entries | dict(_short_entries(layout, changes))
    packed = b"".join(entries[tag] for tag in sorted(entries))
    offset = f"{layout.order}{layout.offset}"
    place = struct.pack(offset, len(data) + len(data) % 2)
    return b"".join(
        (
            data[: layout.start] + place,
            memoryview(data)[layout.start + len(place) :],
            bytes(len(data) % 2) + struct.pack(f"{layout.order}{layout.count}", len(entries)) + packed,
            struct.pack(offset, 0),
        )
    )


def _short_entries(layout: Layout, values: dict[int, int]) -> Iterator[tuple[int, bytes]]:
    for tag, value in values.items():
        head = struct.pack(f"{layout.order}HH{layout.offset}H", tag, SHORT, 1, value)
        yield tag, head.ljust(layout.entry, b"\0")


def _read(data: bytes, place: int, layout: Layout) -> tuple[Directory, int]:
    """Return the directory at a place, and the place of the next page."""
    (count,) = layout.unpack(data, place, layout.count)
    if count > MAX_ENTRIES:
        raise struct.error("no directory")
    place += struct.calcsize(f"={layout.count}")
    directory = Directory(layout, {}, {})
    for entry in (data[start : start + layout.entry] for start in range(place, len(data), layout.entry)[:count]):
        tag, kind, number = layout.unpack(entry, 0, f"HH{layout.offset}")
        directory.entries[tag] = entry
        if tag in _READ and kind in INTEGERS and number:
            directory.values[tag] = _values(data, entry, INTEGERS[kind], min(number, MAX_DIRECTORIES), layout)
    (following,) = layout.unpack(data, place + count * layout.entry, layout.offset)
    return directory, following


def _values(data: bytes, entry: bytes, character: str, number: int, layout: Layout) -> tuple[int, ...]:
    format = f"{number}{character}"
    inline = layout.entry - 4 - struct.calcsize(f"={layout.offset}")
    place = layout.entry - inline
    if struct.calcsize(f"={format}") <= inline:
        return layout.unpack(entry, place, format)
    return layout.unpack(data, layout.unpack(entry, place, layout.offset)[0], format)
