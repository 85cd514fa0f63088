"""Natural order of names, and errors of reading a file."""

import re
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.data import entry
from impasto.data.entry import File, UnreadableError, natural_key
from impasto.data.sources import open_source


def test_names_are_in_natural_order() -> None:
    assert sorted(["10.jpg", "9.jpg", "a/2.jpg", "a/01.jpg", "B.jpg", "a/1.jpg"], key=natural_key) == [
        "9.jpg",
        "10.jpg",
        "a/01.jpg",
        "a/1.jpg",
        "a/2.jpg",
        "B.jpg",
    ]


def test_a_name_of_a_thousand_digits_can_be_sorted() -> None:
    assert sorted(["1" + "0" * 5000, "9" * 5000], key=natural_key) == ["9" * 5000, "1" + "0" * 5000]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (zipfile.BadZipFile("Bad CRC-32"), "damaged inside the zip"),
        (NotImplementedError("compression type 99"), "unsupported compression"),
        (zlib.error("invalid block"), "damaged or truncated"),
        (EOFError("ended early"), "damaged or truncated"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
    ],
)
def test_errors_of_reading_become_a_reason(error: Exception, reason: str) -> None:
    def fail() -> IO[bytes]:
        raise error

    with pytest.raises(UnreadableError, match=reason):
        File("a.jpg", fail).read()


def test_a_file_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "MAX_FILE_BYTES", 10)
    assert File("a.jpg", lambda: BytesIO(b"0123456789")).read() == b"0123456789"
    with pytest.raises(UnreadableError, match="larger than"):
        File("a.jpg", lambda: BytesIO(b"0123456789x")).read()


@pytest.mark.parametrize("change", [{6: b"\x00\x08", 30: b"\xc3"}, {26: b"\xff\xff"}, {0: b"nope"}])
def test_a_damaged_member_of_a_zip_is_left_out_with_a_reason(change: dict[int, bytes], tmp_path: Path) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", b"x" * 50)
        archive.writestr("b.png", b"y" * 50)
    data = bytearray(buffer.getvalue())
    for place, content in change.items():
        data[place : place + len(content)] = content
    (tmp_path / "set.zip").write_bytes(data)
    with open_source(str(tmp_path / "set.zip")) as source:
        one, two = source.entries()
        with pytest.raises(UnreadableError, match="damaged"):
            one.read()
        assert two.read() == b"y" * 50


@given(names=st.lists(st.text(st.sampled_from("aAbé/._-ß!\x7f0129 "), max_size=7), max_size=12))
def test_the_order_is_that_of_numbers_and_text_in_turn(names: list[str]) -> None:
    def key(name: str) -> tuple[list[tuple[int, int, str]], str]:
        parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
        return [(1, 0, text.casefold()) if text else (0, int(digits), "") for digits, text in parts], name

    assert sorted(names, key=natural_key) == sorted(names, key=key)
