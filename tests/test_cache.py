import os
from pathlib import Path

import platformdirs
import pytest

from impasto.cache import KINDS, cache_folder, cached, clear_cache
from impasto.errors import ImpastoError

KEY = "0123456789abcdef" * 4


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a file of each kind, among files of others."""
    ours = (f"features/{KEY[:32]}.npz", f"hub/{KEY[:32]}.json", f"packs/{KEY}.npy", "inception-2015-6726825d.pth")
    for name in (*ours, "model.pth", "notes.txt", "packs/mine.npy", "hub/models/x.json", "features/deep/er.npz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(10))
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    return tmp_path


def test_the_cache_is_where_the_user_says_or_where_the_system_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert [each.files for each in cached()] == [0] * len(KINDS) and clear_cache()
    assert not (tmp_path / "mine").exists()
    monkeypatch.setenv("IMPASTO_CACHE", "")
    assert cache_folder() == platformdirs.user_cache_path("impasto")


def test_files_are_counted_by_kind_with_their_age(folder: Path) -> None:
    os.utime(folder / f"packs/{KEY}.npy", (1000, 1000))
    assert {each.kind: (each.files, each.bytes) for each in cached()} == dict.fromkeys(KINDS, (1, 10))
    (packs,) = (each for each in cached() if each.kind == "packs")
    assert packs.oldest == packs.newest == 1000


def test_only_our_own_files_are_removed(folder: Path) -> None:
    before = {path for path in folder.rglob("*") if path.is_file()}
    assert [each.kind for each in clear_cache("hub")] == ["hub"]
    assert before - {path for path in folder.rglob("*") if path.is_file()} == {folder / f"hub/{KEY[:32]}.json"}
    clear_cache()
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert left == {"model.pth", "notes.txt", "packs/mine.npy", "hub/models/x.json", "features/deep/er.npz"}
    with pytest.raises(ImpastoError, match="no kind 'packz'; did you mean 'packs'"):
        clear_cache("packz")
