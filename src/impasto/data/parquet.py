"""Read the images of parquet files, such as those of data sets on the Hugging Face Hub, a few rows at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from impasto.data.entry import (
    MAX_RECORD_BYTES,
    MAX_WITHOUT,
    Entry,
    File,
    UnreadableError,
    open_regular,
    raise_unreadable,
)
from impasto.errors import MALFORMED, ImpastoError, require, shorten

SUFFIX = ".parquet"
#: Rows that are read at a time. All of them may have the same large value, which takes no place in the file.
ROWS = 4
#: Bytes that are read ahead; without it, a whole column of a row group is read, which may be that of the whole file.
BUFFER = 1 << 20
#: Longest path that is stored with an image, in bytes; a longer one is ignored.
MAX_PATH = 1000
BINARY, TEXT = ("binary", "large_binary", "binary_view"), ("string", "large_string", "string_view")


@dataclass(frozen=True, slots=True)
class ParquetFile(File):
    """A parquet file of images.

    Attributes:
        table: its path on disk; :attr:`path` is None, as a file may be read once for each of its columns.
        leaves: the columns to read, by their paths in the schema.
        rows: number of images, as the file tells it.
    """

    table: Path = Path()
    leaves: tuple[str, ...] = ()
    rows: int = 0


def is_parquet(name: str) -> bool:
    """Whether the file name is that of a parquet file."""
    return name.lower().endswith(SUFFIX)


def open_parquet(source: str, name: str, path: Path, column: str) -> File:
    """Return a parquet file of images, or a file that cannot be read if it is damaged or has no column of images.

    Args:
        source: the data set as the user wrote it, without a column.
        name: POSIX path inside the source.
        path: its path on disk.
        column: name of the column of images; empty for the only one.

    Raises:
        ImpastoError: there are several columns of images, or none of that name.
    """
    try:
        with _opened(path) as table, _damage():
            columns, names = _image_columns(table.schema_arrow), ", ".join(table.schema_arrow.names)
            groups = [table.metadata.row_group(group).num_rows for group in range(table.metadata.num_row_groups)]
            if min(groups, default=0) < 0:
                raise ValueError("a negative number of rows")
    except UnreadableError as reason:
        return File(name, partial(raise_unreadable, str(reason)))
    if not columns:
        return File(name, partial(raise_unreadable, f"no column of images (it has: {shorten(names, 200) or 'none'})"))
    known = shorten(", ".join(columns), 200)
    if column and column not in columns:
        raise ImpastoError(f"{name} of {source} has no column of images {column}: it has {known}.")
    if not column and len(columns) > 1:
        raise ImpastoError(
            f"{source} has several columns of images ({known}): choose one, as in {source}#{next(iter(columns))}."
        )
    leaves = columns[column or next(iter(columns))]
    return ParquetFile(name, partial(open_regular, path), table=path, leaves=leaves, rows=sum(groups))


def read_parquet(file: ParquetFile) -> Iterator[Entry]:
    """Yield the images of a parquet file in order. They are named ``file/path`` by the path that is stored with them,
    and ``file-row`` without one, or where an earlier image has it.

    A row without an image raises :class:`UnreadableError` when read. So does the last entry of a damaged row group,
    whose other rows are left out.
    """
    stem, seen = file.name[: -len(SUFFIX)], set[str]()
    row = without = 0
    try:
        for row, image, stored in _rows(file):
            path = _inside(stored)
            name = f"{stem}/{path}" if path and path not in seen else f"{stem}-{row}"
            seen.add(path)
            if isinstance(image, bytes):
                yield Entry(name, partial(bytes, image), len(image))
                without = 0
                continue
            yield Entry(name, partial(raise_unreadable, image))
            without += 1
            if without > MAX_WITHOUT:
                raise UnreadableError(f"{MAX_WITHOUT:,} rows without an image")
    except UnreadableError as damage:
        yield Entry(f"{stem}-{row}", partial(raise_unreadable, f"{damage}; the rest of the file is left out"))


def _rows(file: ParquetFile) -> Iterator[tuple[int, bytes | str, bytes]]:
    """Yield the number of each row, its image or why there is none, and the path that is stored with it."""
    first = 0
    with _opened(file.table) as table:
        for group in range(table.metadata.num_row_groups):
            row = first
            first += table.metadata.row_group(group).num_rows
            try:
                for image, stored in _rows_of_group(table, group, file.leaves):
                    yield row, image, stored
                    row += 1
            except UnreadableError as damage:
                yield row, f"{damage}; the rest of its row group is left out", b""


def _rows_of_group(table: Any, group: int, leaves: tuple[str, ...]) -> Iterator[tuple[bytes | str, bytes]]:
    with _damage():
        batches = table.iter_batches(ROWS, row_groups=[group], columns=list(leaves), use_threads=False)
    while True:
        with _damage():
            batch = next(batches, None)
            if batch is None:
                return
            images, paths = batch.column(0), [None] * len(batch)
            if len(leaves) > 1:
                paths = images.field("path")
            if images.type.num_fields:
                images = images.field("bytes")
            rows = [(_image(image), _bytes(path) or b"") for image, path in zip(images, paths, strict=True)]
        yield from rows


def _image(value: Any) -> bytes | str:
    """Return the image that a value of a column holds, or why there is none."""
    data = value.as_buffer()
    if data is None:
        return "no image in this row"
    if data.size > MAX_RECORD_BYTES:
        return f"larger than {MAX_RECORD_BYTES >> 20} MiB"
    return bytes(data.to_pybytes())


def _bytes(value: Any) -> bytes | None:
    data = None if value is None else value.as_buffer()
    return None if data is None else data.to_pybytes()


def _inside(stored: bytes) -> str:
    """Return the path that is stored with an image without the parts that lead out of a folder; empty if it is none."""
    text = stored.decode("utf-8", "replace") if len(stored) <= MAX_PATH else ""
    return "/".join(part for part in text.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _image_columns(schema: Any) -> dict[str, tuple[str, ...]]:
    """Return the columns that may hold images, with the leaves to read: structs of bytes and a path, as the library
    datasets writes them, or else binary columns."""
    structs, binaries = dict[str, tuple[str, ...]](), dict[str, tuple[str, ...]]()
    for field in schema:
        if str(field.type) in BINARY:
            binaries[field.name] = (field.name,)
        elif _has_child(field.type, "bytes", BINARY):
            leaves = ("bytes", "path") if _has_child(field.type, "path", TEXT) else ("bytes",)
            structs[field.name] = tuple(f"{field.name}.{leaf}" for leaf in leaves)
    return structs or binaries


def _has_child(kind: Any, name: str, types: tuple[str, ...]) -> bool:
    place = kind.get_field_index(name) if str(kind).startswith("struct<") else -1
    return place >= 0 and str(kind.field(place).type) in types


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    parquet = require("pyarrow.parquet", "parquet")
    with _damage():
        table = parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False, page_checksum_verification=True)
    with table:
        yield table


@contextmanager
def _damage() -> Iterator[None]:
    """Raise what pyarrow raises for a damaged file as :class:`UnreadableError`."""
    arrow = require("pyarrow", "parquet")
    try:
        yield
    except (arrow.ArrowException, OSError, MemoryError, *MALFORMED) as error:
        reason = shorten(" ".join(str(error).split()), 200).rstrip(".")
        raise UnreadableError(f"its parquet data are damaged ({reason})") from error
