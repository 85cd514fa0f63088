"""Claims about TFRecords: every damage is named, none is a crash, what comes before it is kept."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfrecord.writer import TFRecordWriter

from impasto.data.entry import Entry, File, UnreadableError
from impasto.data.sources import open_source
from impasto.data.tfrecord import read_tfrecord


def record(**features: bytes) -> bytes:
    data = TFRecordWriter.serialize_tf_example({name: (value, "byte") for name, value in features.items()})
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
