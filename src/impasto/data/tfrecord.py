"""Read TFRecord files, plain, gzip or zlib, without TensorFlow; every checksum is verified."""

import gzip
import io
import math
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import IO, Any, cast

import numpy as np
from PIL import Image

from impasto.data.entry import (
    MAX_RECORD_BYTES,
    MAX_WITHOUT,
    Entry,
    File,
    UnreadableError,
    raise_unreadable,
    translate_errors,
)
from impasto.data.formats import identify
from impasto.errors import ImpastoError, require, shorten

IMAGE_FEATURES = ("image", "image/encoded", "image_raw", "image_bytes", "image_data", "encoded", "jpeg", "png", "data")
NAME_FEATURES = ("image_name", "image/filename", "filename", "image_id", "image/id", "name", "id")
SIZE_FEATURES = (("height", "width"), ("image/height", "image/width"), ("rows", "cols"))
CHANNELS = {1, 3, 4}

#: Features of a record by name, of tensorflow.core.example.feature_pb2.
Features = Mapping[str, Any]


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
    """Yield the images of a TFRecord in order, named ``file/position/title``; several of one record are numbered.

    Images are encoded files, or raw uint8 pixels with their shape. A damaged record ends the file: the last entry then
    raises :class:`UnreadableError` when read.
    """
    position = without = 0
    try:
        with translate_errors(), file.open() as opened:
            for record in _split(opened):
                for entry in _entries(f"{file.name}/{position}", record):
                    without = 0 if entry.size else without + 1
                    if without > MAX_WITHOUT:
                        raise UnreadableError(f"{MAX_WITHOUT:,} records without an image")
                    yield entry
                position += 1
        if position == 0:
            raise UnreadableError("contains no record")
    except UnreadableError as damage:
        yield Entry(f"{file.name}/{position}", partial(raise_unreadable, f"{damage}; the rest of the file is left out"))


def _split(file: IO[bytes]) -> Iterator[bytes]:
    require("crc32c", extra="train")
    stream = _decompressed(file)
    while head := stream.read(12):
        if len(head) < 12:
            raise UnreadableError("a record is truncated")
        if not has_tfrecord_header(head):
            raise UnreadableError("checksum mismatch in the length of a record")
        (length,) = struct.unpack("<Q", head[:8])
        if length > MAX_RECORD_BYTES:
            raise UnreadableError(f"a record is larger than {MAX_RECORD_BYTES >> 20} MiB")
        record, checksum = stream.read(length), stream.read(4)
        if len(record) < length or len(checksum) < 4:
            raise UnreadableError("a record is truncated")
        if checksum != _checksum(record):
            raise UnreadableError("checksum mismatch in the data of a record")
        yield record


def _decompressed(file: IO[bytes]) -> IO[bytes]:
    """Return a stream of records from a file that may be compressed as TFRecordOptions allows."""
    head = cast(io.BufferedReader, file).peek(12)[:12]  # opened files and members of zips have it
    if head[:2] == b"\x1f\x8b":
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    is_zlib = head[:1] == b"\x78" and int.from_bytes(head[:2], "big") % 31 == 0  # RFC 1950
    if is_zlib and not has_tfrecord_header(head):
        return io.BufferedReader(_ZlibStream(file))
    return file


class _ZlibStream(io.RawIOBase):
    """Decompresses a zlib stream while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._stream = file, zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = b""
        while not content and not self._stream.eof:
            compressed = self._stream.unconsumed_tail or self._file.read(1 << 16)
            if not compressed:
                raise EOFError("the zlib stream ends early")
            content = self._stream.decompress(compressed, len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _entries(name: str, record: bytes) -> Iterator[Entry]:
    """Yield the images of a record."""
    example_pb2 = require("tfrecord.example_pb2", extra="train")
    message = require("google.protobuf.message", extra="train")

    example = example_pb2.Example()
    try:
        example.ParseFromString(record)
    except message.DecodeError:
        yield Entry(name, partial(raise_unreadable, "the record is not a tf.train.Example"))
        return
    features = example.features.feature
    titles = next((features[each].bytes_list.value for each in NAME_FEATURES if _has_bytes(features, each)), None)
    if titles:
        name = f"{name}/{titles[0].decode('utf-8', 'replace')}"
    chosen = _image_feature(features)
    if chosen is None:
        yield Entry(name, partial(raise_unreadable, _no_image(features)))
        return
    images = features[chosen].bytes_list.value
    for number, image in enumerate(images):
        shape = None if identify(image[:32]) else _shape(features, len(image))
        read = partial(bytes, image) if shape is None else partial(_encode, image, shape)
        yield Entry(f"{name}/{number}" if len(images) > 1 else name, read, len(image))


def _image_feature(features: Features) -> str | None:
    """Return the name of the feature with images: of the usual names one that holds images, else any that holds image
    files, else a usual name."""
    usual = [each for each in IMAGE_FEATURES if _has_bytes(features, each)]
    firsts = {each: features[each].bytes_list.value[0] for each in sorted(features) if _has_bytes(features, each)}
    images = [each for each in usual if identify(firsts[each][:32]) or _shape(features, len(firsts[each]))]
    files = [each for each, data in firsts.items() if identify(data[:32])]
    return next(iter([*images, *files, *usual]), None)


def _has_bytes(features: Features, name: str) -> bool:
    return name in features and len(features[name].bytes_list.value) > 0


def _no_image(features: Features) -> str:
    """Return why a record has no image."""
    for name in IMAGE_FEATURES:
        if name in features:
            feature = features[name]
            count = len(feature.float_list.value) + len(feature.int64_list.value)
            if count:
                return f"its feature {name} holds {count:,} numbers, not an image file: write it with tf.io.encode_png"
    known = shorten(", ".join(sorted(features)), 200) or "none"
    return f"the record has no image feature (it has: {known})"


def _shape(features: Features, length: int) -> tuple[int, ...] | None:
    """Return the shape of raw uint8 pixels of that length, if the record tells it: (C, H, W) as StyleGAN writes it, or
    (H, W, C)."""
    shape = tuple(features["shape"].int64_list.value) if "shape" in features else ()
    for names in SIZE_FEATURES:
        sides = [value for name in names if name in features for value in features[name].int64_list.value[:1]]
        if not shape and len(sides) == 2 and min(sides) > 0:
            shape = (*sides, length // math.prod(sides))
    shape = (*shape, 1) if len(shape) == 2 else shape
    fits = len(shape) == 3 and min(shape) > 0 and math.prod(shape) == length
    return shape if fits and {shape[0], shape[2]} & CHANNELS else None


def _encode(pixels: bytes, shape: tuple[int, ...]) -> bytes:
    """Return raw pixels as an uncompressed PNG."""
    image = np.frombuffer(pixels, np.uint8).reshape(shape)
    if shape[0] in CHANNELS:
        image = image.transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, "PNG", compress_level=0)
    return file.getvalue()


def _checksum(data: bytes) -> bytes:
    """Return the masked CRC-32C that TFRecord stores after a length and after the data."""
    crc = require("crc32c", extra="train").crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
