"""Claims about TFRecords: every damage is named, none is a crash, what comes before it is kept."""

import gzip
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfrecord.writer import TFRecordWriter

from impasto.data.decode import decode
from impasto.data.entry import Entry, File, UnreadableError
from impasto.data.sources import open_source
from impasto.data.tfrecord import read_tfrecord


def record(**features: bytes | list[bytes] | list[int] | list[float]) -> bytes:
    kinds = {bytes: "byte", int: "int", float: "float"}
    typed = {
        name: (value, kinds[type(value[0] if isinstance(value, list) else value)]) for name, value in features.items()
    }
    data = TFRecordWriter.serialize_tf_example(typed)
    length = struct.pack("<Q", len(data))
    return bytes(length + TFRecordWriter.masked_crc(length) + data + TFRecordWriter.masked_crc(data))


WHOLE = b"".join(record(image_name=b"n%d" % k, image=b"picture %d" % k) for k in range(3))
ONE = len(WHOLE) // 3


def read(data: bytes, folder: Path) -> list[Entry]:
    path = folder / "a.tfrec"
    path.write_bytes(data)
    return list(read_tfrecord(File("a.tfrec", lambda: path.open("rb"))))


def test_records_come_in_order_with_position_and_title(tmp_path: Path) -> None:
    entries = read(WHOLE, tmp_path)
    assert [entry.name for entry in entries] == ["a.tfrec/0/n0", "a.tfrec/1/n1", "a.tfrec/2/n2"]
    assert [entry.read() for entry in entries] == [b"picture 0", b"picture 1", b"picture 2"]


def flipped(data: bytes, at: int) -> bytes:
    """Return the data with one bit flipped."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (WHOLE[: ONE + 5], "a record is truncated"),
        (WHOLE[: 2 * ONE - 1], "a record is truncated"),
        (flipped(WHOLE, ONE), "checksum mismatch in the length"),
        (flipped(WHOLE, ONE + 30), "checksum mismatch in the data"),
    ],
    ids=["in the length", "in the data", "length", "data"],
)
def test_a_damaged_record_ends_the_file_with_the_reason(data: bytes, reason: str, tmp_path: Path) -> None:
    good, bad = read(data, tmp_path)
    assert good.read() == b"picture 0"
    assert bad.name == "a.tfrec/1"
    with pytest.raises(UnreadableError, match=f"{reason}.*; the rest of the file is left out"):
        bad.read()


@given(place=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_is_detected(place: int, bit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = bytearray(WHOLE)
    data[place] ^= 1 << bit
    entries = read(bytes(data), tmp_path_factory.mktemp("records"))
    assert len(entries) == place // ONE + 1
    with pytest.raises(UnreadableError):
        entries[-1].read()


def test_a_record_without_an_image_is_left_out_and_the_next_is_read(tmp_path: Path) -> None:
    lacking, other = read(record(label=b"monet") + record(**{"image/encoded": b"x"}), tmp_path)
    with pytest.raises(UnreadableError, match=r"no image feature \(it has: label\)"):
        lacking.read()
    assert (other.name, other.read()) == ("a.tfrec/1", b"x")


def test_an_empty_file_is_reported(tmp_path: Path) -> None:
    (entry,) = read(b"", tmp_path)
    with pytest.raises(UnreadableError, match="contains no record"):
        entry.read()


def test_tfrecords_are_detected_by_their_checksum_whatever_the_file_name(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(WHOLE)
    with open_source(tmp_path / "data.bin") as source:
        assert len(list(source.entries())) == 3


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, lambda data: zlib.compress(data, 0)])
def test_compressed_files_are_read_and_their_damage_is_named(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    entries = read(compress(WHOLE), tmp_path)
    assert [entry.read() for entry in entries] == [b"picture 0", b"picture 1", b"picture 2"]
    with pytest.raises(UnreadableError, match="compressed data are damaged or truncated"):
        read(compress(WHOLE)[:-40], tmp_path)[-1].read()


def test_a_plain_file_whose_first_length_looks_like_zlib_is_plain(tmp_path: Path) -> None:
    for length in range(0x9C78 - 60, 0x9C78):
        data = record(image=bytes(length))
        if data[:2] == b"\x78\x9c":
            (entry,) = read(data, tmp_path)
            assert entry.read() == bytes(length)
            return
    pytest.fail("no record has that length")


def test_all_images_of_one_record_are_read_and_numbered(tmp_path: Path) -> None:
    entries = read(record(name=b"page", image=[b"one", b"two", b"three"]), tmp_path)
    assert [entry.name for entry in entries] == ["a.tfrec/0/page/0", "a.tfrec/0/page/1", "a.tfrec/0/page/2"]
    assert [entry.read() for entry in entries] == [b"one", b"two", b"three"]


@pytest.mark.parametrize(
    ("features", "shape", "planar"),
    [
        ({"shape": [3, 5, 7]}, (5, 7, 3), True),
        ({"shape": [3, 4, 4]}, (4, 4, 3), True),
        ({"shape": [5, 7, 3]}, (5, 7, 3), False),
        ({"shape": [1, 5, 7]}, (5, 7, 1), True),
        ({"height": [5], "width": [7], "depth": [3]}, (5, 7, 3), False),
        ({"height": [5], "width": [7]}, (5, 7, 1), False),
    ],
)
@pytest.mark.parametrize("name", ["data", "image_raw"])
def test_raw_pixels_are_read_by_their_shape(
    name: str, features: dict[str, list[int]], shape: tuple[int, int, int], planar: bool, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    raw = (pixels.transpose(2, 0, 1) if planar else pixels).tobytes()
    (entry,) = read(record(**features, **{name: raw}), tmp_path)
    assert (np.asarray(decode(entry.read()).image) == pixels).all()


def test_raw_pixels_of_another_length_than_their_shape_are_no_image(tmp_path: Path) -> None:
    (entry,) = read(record(data=b"\x80" * 100, shape=[3, 5, 7]), tmp_path)
    with pytest.raises(UnreadableError, match="not an image"):
        decode(entry.read())


def test_an_image_file_is_found_under_any_name(tmp_path: Path) -> None:
    (entry,) = read(record(label=b"monet", picture=b"\xff\xd8\xff\xe0 and so on"), tmp_path)
    assert entry.read() == b"\xff\xd8\xff\xe0 and so on"


def test_numbers_instead_of_an_image_are_named(tmp_path: Path) -> None:
    numbers: list[list[int] | list[float]] = [[0.5] * 1200, [5] * 1200]
    for values in numbers:
        (entry,) = read(record(image=values, height=[20]), tmp_path)
        with pytest.raises(UnreadableError, match=r"its feature image holds 1,200 numbers, .* tf\.io\.encode_png"):
            entry.read()


def test_a_record_that_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    length = struct.pack("<Q", 1 << 32)
    with pytest.raises(UnreadableError, match="larger than 256 MiB"):
        read(bytes(length + TFRecordWriter.masked_crc(length)) + bytes(100), tmp_path)[0].read()


def test_entries_tell_how_much_they_hold(tmp_path: Path) -> None:
    assert [entry.size for entry in read(record(image=[b"one", b"three"]), tmp_path)] == [3, 5]


def test_very_many_records_without_an_image_end_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.data.tfrecord.MAX_WITHOUT", 10)
    *_, last = entries = read(record(label=[1]) * 50, tmp_path)
    assert len(entries) == 11
    with pytest.raises(UnreadableError, match="10 records without an image; the rest of the file is left out"):
        last.read()
