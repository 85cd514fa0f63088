"""TFRecord files, plain or gzip, read without TensorFlow; every checksum is looked at."""

import gzip
import io
import re
import struct
from collections.abc import Iterator
from functools import partial
from typing import IO, Any, cast

from impasto.data.entry import LARGEST_FILE, Entry, File, Unreadable, reasons, refuse

PICTURE = ("image", "image/encoded", "image_raw", "image_bytes", "image_data", "encoded", "jpeg", "png")
TITLE = ("image_name", "image/filename", "filename", "image_id", "image/id", "name", "id")


def is_records(name: str) -> bool:
    """Whether a file of this name is a TFRecord: ``.tfrec``, ``.tfrecord.gz``, ``.tfrecord-00-of-10``."""
    return re.search(r"\.tfrec(ords?)?([.-][^/]*)?$", name, re.IGNORECASE) is not None


def holds_records(head: bytes) -> bool:
    """Whether a file that starts with these (at least 12) bytes is a plain TFRecord: its checksum tells."""
    return len(head) >= 12 and head[8:12] == _checksum(head[:8])


def records(file: File) -> Iterator[Entry]:
    """The pictures of a TFRecord in their order, named ``file/position/title``.

    A damaged record ends its file: an entry that says so is the last, and cannot be read.
    """
    position = 0
    try:
        with reasons(), file.open() as opened:
            for record in _split(opened):
                yield _entry(f"{file.name}/{position}", record)
                position += 1
        if position == 0:
            raise Unreadable("holds no record")
    except Unreadable as damage:
        yield Entry(f"{file.name}/{position}", partial(refuse, f"{damage}; the file is left out from here on"))


def _split(file: IO[bytes]) -> Iterator[bytes]:
    stream: IO[bytes] | gzip.GzipFile = file
    if cast(io.BufferedReader, file).peek(2)[:2] == b"\x1f\x8b":  # as opened files and members of zips can
        stream = gzip.GzipFile(fileobj=file)
    while head := stream.read(12):
        if len(head) < 12:
            raise Unreadable("the record is cut short")
        if not holds_records(head):
            raise Unreadable("the record's length fails its checksum")
        (length,) = struct.unpack("<Q", head[:8])
        if length > LARGEST_FILE:
            raise Unreadable(f"the record is larger than {LARGEST_FILE >> 30} GiB")
        record, checksum = stream.read(length), stream.read(4)
        if len(record) < length or len(checksum) < 4:
            raise Unreadable("the record is cut short")
        if checksum != _checksum(record):
            raise Unreadable("the record's data fail their checksum")
        yield record


def _entry(name: str, record: bytes) -> Entry:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from tfrecord import example_pb2

    example = example_pb2.Example()
    try:
        example.ParseFromString(record)
    except DecodeError:
        return Entry(name, partial(refuse, "the record is no tf.train.Example"))
    features = example.features.feature
    title = _first(features, TITLE)
    if title is not None:
        name = f"{name}/{title.decode('utf-8', 'replace')}"
    picture = _first(features, PICTURE)
    if picture is None:
        known = ", ".join(sorted(features)) or "none"
        return Entry(name, partial(refuse, f"the record has no feature with a picture (it has: {known})"))
    return Entry(name, lambda: picture)


def _first(features: Any, names: tuple[str, ...]) -> bytes | None:
    for name in names:
        if name in features and features[name].bytes_list.value:
            return bytes(features[name].bytes_list.value[0])
    return None


def _checksum(data: bytes) -> bytes:
    """The masked CRC-32C that TFRecord stores after a length and after the data."""
    import crc32c

    crc = crc32c.crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
