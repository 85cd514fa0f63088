"""Claims about TFRecords: every damage is named, none is a crash, what comes before it is kept."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfrecord.writer import TFRecordWriter

from impasto.data.entry import Entry, File, Unreadable
from impasto.data.sources import open_source
from impasto.data.tfrecord import records


def record(**features: bytes) -> bytes:
    data = TFRecordWriter.serialize_tf_example({name: (value, "byte") for name, value in features.items()})
    length = struct.pack("<Q", len(data))
    return bytes(length + TFRecordWriter.masked_crc(length) + data + TFRecordWriter.masked_crc(data))


WHOLE = b"".join(record(image_name=b"n%d" % k, image=b"picture %d" % k) for k in range(3))
ONE = len(WHOLE) // 3


def read(data: bytes, folder: Path) -> list[Entry]:
    path = folder / "a.tfrec"
    path.write_bytes(data)
    return list(records(File("a.tfrec", lambda: path.open("rb"))))


def test_records_come_in_order_with_position_and_title(tmp_path: Path) -> None:
    entries = read(WHOLE, tmp_path)
    assert [entry.name for entry in entries] == ["a.tfrec/0/n0", "a.tfrec/1/n1", "a.tfrec/2/n2"]
    assert [entry.read() for entry in entries] == [b"picture 0", b"picture 1", b"picture 2"]


def flipped(data: bytes, at: int) -> bytes:
    """The data with one bit turned over."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (WHOLE[: ONE + 5], "cut short"),
        (WHOLE[: 2 * ONE - 1], "cut short"),
        (flipped(WHOLE, ONE), "length fails its checksum"),
        (flipped(WHOLE, ONE + 30), "data fail their checksum"),
    ],
    ids=["in the length", "in the data", "length", "data"],
)
def test_damage_ends_the_file_and_is_said(data: bytes, reason: str, tmp_path: Path) -> None:
    good, bad = read(data, tmp_path)
    assert good.read() == b"picture 0"
    assert bad.name == "a.tfrec/1"
    with pytest.raises(Unreadable, match=f"{reason}; the file is left out from here on"):
        bad.read()


@given(place=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(place: int, bit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = bytearray(WHOLE)
    data[place] ^= 1 << bit
    entries = read(bytes(data), tmp_path_factory.mktemp("records"))
    assert len(entries) == place // ONE + 1
    with pytest.raises(Unreadable):
        entries[-1].read()


def test_a_record_without_a_picture_is_said_and_the_next_is_read(tmp_path: Path) -> None:
    lacking, other = read(record(label=b"monet") + record(**{"image/encoded": b"x"}), tmp_path)
    with pytest.raises(Unreadable, match=r"no feature with a picture \(it has: label\)"):
        lacking.read()
    assert (other.name, other.read()) == ("a.tfrec/1", b"x")


def test_an_empty_file_is_said(tmp_path: Path) -> None:
    (entry,) = read(b"", tmp_path)
    with pytest.raises(Unreadable, match="holds no record"):
        entry.read()


def test_records_are_told_by_their_checksum_whatever_the_name(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(WHOLE)
    with open_source(tmp_path / "data.bin") as source:
        assert len(list(source.entries())) == 3
