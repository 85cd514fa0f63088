from pathlib import Path

import platformdirs
import pytest

from impasto.cache import cache_folder


def test_the_cache_is_where_the_user_says_or_where_the_system_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert not (tmp_path / "mine").exists()
    monkeypatch.setenv("IMPASTO_CACHE", "")
    assert cache_folder() == platformdirs.user_cache_path("impasto")
