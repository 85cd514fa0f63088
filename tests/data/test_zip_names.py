"""Names in zips: no picture is lost to the encoding of its name."""

import struct
import zlib
from zipfile import ZipInfo

import pytest

from impasto.data.zip_names import member_names


def members(*names: bytes) -> list[ZipInfo]:
    """Return members whose names are stored as these bytes, without the UTF-8 flag."""
    return [ZipInfo(name.decode("cp437")) for name in names]


def test_utf8_is_read_with_and_without_its_flag() -> None:
    flagged = ZipInfo("山水/山.png")
    flagged.flag_bits |= 0x800
    assert member_names([flagged, *members("山水/山.png".encode())]) == ["山水/山.png"] * 2


def test_a_backslash_separates_folders() -> None:
    flagged = ZipInfo("monets\\Gemälde\\1.jpg")
    flagged.flag_bits |= 0x800
    assert member_names([flagged]) == ["monets/Gemälde/1.jpg"]
    assert member_names(members(b"monets\\b\\1.jpg", "ö\\1.jpg".encode())) == ["monets/b/1.jpg", "ö/1.jpg"]


@pytest.mark.parametrize(
    ("codec", "names"),
    [
        ("cp932", ["図表.jpg", "ソ.jpg", "能面.jpg", "一覧表/花.jpg", "花.jpg"]),
        ("gbk", ["山水画.jpg", "尤里的陰謀.jpg", "花.jpg", "謀/謀.jpg"]),
        ("big5hkscs", ["功.jpg", "許.jpg", "山水/功蓋.jpg"]),
    ],
)
def test_a_backslash_inside_a_character_separates_nothing(codec: str, names: list[str]) -> None:
    raw = [name.encode(codec) for name in names]
    assert any(b"\\" in name for name in raw)
    found = member_names(members(*raw))
    assert [name.count("/") for name in found] == [name.count("/") for name in names]
    assert all(name.endswith(".jpg") and not name.rpartition("/")[2].startswith(".") for name in found)
    assert codec == "big5hkscs" or found == names  # Big5 cannot be told from GBK


def test_other_names_are_in_the_encoding_of_the_format() -> None:
    assert member_names(members("Gemälde.jpg".encode("cp437"))) == ["Gemälde.jpg"]
    assert member_names(members(b"\x95\\\xff\xff\\1.jpg")) == ["ò/\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}/1.jpg"]


def test_the_extra_field_with_a_unicode_name_counts() -> None:
    (member,) = members(b"mojibake.jpg")
    name = "山水.jpg".encode()
    content = struct.pack("<BI", 1, zlib.crc32(b"mojibake.jpg")) + name
    member.extra = struct.pack("<HHH", 1, 2, 0) + struct.pack("<HH", 0x7075, len(content)) + content
    assert member_names([member]) == ["山水.jpg"]
    member.extra = b"\x75\x70\xff\xff"
    assert member_names([member]) == ["mojibake.jpg"]


def test_a_name_ends_before_a_zero_byte() -> None:
    assert member_names(members(b"a.jpg\0.exe")) == ["a.jpg"]


def test_the_extra_field_of_another_name_is_ignored() -> None:
    (member,) = members(b"old.png")
    field = struct.pack("<BI", 1, zlib.crc32(b"another.png")) + b"new.png"
    member.extra = struct.pack("<HH", 0x7075, len(field)) + field
    assert member_names([member]) == ["old.png"]
