"""Paths and addresses are told apart and opened."""

from pathlib import Path

import pytest

from impasto.data.places import is_address, open_place
from impasto.errors import ImpastoError


def test_paths_and_file_addresses_are_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("a", f"{tmp_path}/a", f"file://{tmp_path}/a"):
        assert not is_address(text)
        assert open_place(text).path == (tmp_path / "a").as_posix()
    assert is_address("s3://bucket/pack") and not is_address(Path("s3://bucket/pack"))


def test_a_place_contains_itself_and_what_lies_below_it() -> None:
    folder = open_place("memory://a/b/")
    assert folder.contains(folder) and folder.contains(open_place("memory://a/b/c"))
    assert not folder.contains(open_place("memory://a/bc")) and not folder.contains(open_place("/a/b"))
    assert folder.address == "memory:///a/b"


def test_an_unknown_kind_of_address_is_refused_in_one_line() -> None:
    with pytest.raises(ImpastoError, match=r"s4://bucket cannot be opened .*: check the address") as error:
        open_place("s4://bucket")
    assert "\n" not in str(error.value)
