"""Read TFRecord files, plain or gzip, without TensorFlow; every checksum is verified."""

import gzip
import io
import re
import struct
from collections.abc import Iterator
from functools import partial
from typing import IO, Any, cast

from impasto.data.entry import MAX_FILE_BYTES, Entry, File, UnreadableError, raise_unreadable, translate_errors
from impasto.errors import ImpastoError, require

IMAGE_FEATURES = ("image", "image/encoded", "image_raw", "image_bytes", "image_data", "encoded", "jpeg", "png")
NAME_FEATURES = ("image_name", "image/filename", "filename", "image_id", "image/id", "name", "id")


def is_tfrecord(name: str) -> bool:
    """Whether the file name is that of a TFRecord: ``.tfrec``, ``.tfrecord.gz``, ``.tfrecord-00-of-10``."""
    return re.search(r"\.tfrec(ords?)?([.-][^/]*)?$", name, re.IGNORECASE) is not None


def has_tfrecord_header(head: bytes) -> bool:
    """Whether ``head`` (at least 12 bytes) starts a plain TFRecord: a length with a valid checksum."""
    if len(head) < 12:
        return False
    try:
        return head[8:12] == _checksum(head[:8])
    except ImpastoError:  # without crc32c images are still read
        return False


def read_tfrecord(file: File) -> Iterator[Entry]:
    """Yield the images of a TFRecord in order, named ``file/position/title``.

    A damaged record ends the file: the last entry then raises :class:`UnreadableError` when read.
    """
    position = 0
    try:
        with translate_errors(), file.open() as opened:
            for record in _split(opened):
                yield _entry(f"{file.name}/{position}", record)
                position += 1
        if position == 0:
            raise UnreadableError("contains no record")
    except UnreadableError as damage:
        yield Entry(f"{file.name}/{position}", partial(raise_unreadable, f"{damage}; the rest of the file is left out"))


def _split(file: IO[bytes]) -> Iterator[bytes]:
    require("crc32c", extra="train")
    stream: IO[bytes] | gzip.GzipFile = file
    if cast(io.BufferedReader, file).peek(2)[:2] == b"\x1f\x8b":  # opened files and members of zips have it
        stream = gzip.GzipFile(fileobj=file)
    while head := stream.read(12):
        if len(head) < 12:
            raise UnreadableError("a record is truncated")
        if not has_tfrecord_header(head):
            raise UnreadableError("checksum mismatch in the length of a record")
        (length,) = struct.unpack("<Q", head[:8])
        if length > MAX_FILE_BYTES:
            raise UnreadableError(f"a record is larger than {MAX_FILE_BYTES >> 30} GiB")
        record, checksum = stream.read(length), stream.read(4)
        if len(record) < length or len(checksum) < 4:
            raise UnreadableError("a record is truncated")
        if checksum != _checksum(record):
            raise UnreadableError("checksum mismatch in the data of a record")
        yield record


def _entry(name: str, record: bytes) -> Entry:
    example_pb2 = require("tfrecord.example_pb2", extra="train")
    message = require("google.protobuf.message", extra="train")

    example = example_pb2.Example()
    try:
        example.ParseFromString(record)
    except message.DecodeError:
        return Entry(name, partial(raise_unreadable, "the record is not a tf.train.Example"))
    features = example.features.feature
    title = _first(features, NAME_FEATURES)
    if title is not None:
        name = f"{name}/{title.decode('utf-8', 'replace')}"
    image = _first(features, IMAGE_FEATURES)
    if image is None:
        known = ", ".join(sorted(features)) or "none"
        return Entry(name, partial(raise_unreadable, f"the record has no image feature (it has: {known})"))
    return Entry(name, lambda: image)


def _first(features: Any, names: tuple[str, ...]) -> bytes | None:
    for name in names:
        if name in features and features[name].bytes_list.value:
            return bytes(features[name].bytes_list.value[0])
    return None


def _checksum(data: bytes) -> bytes:
    """Return the masked CRC-32C that TFRecord stores after a length and after the data."""
    crc = require("crc32c", extra="train").crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
