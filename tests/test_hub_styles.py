from pathlib import Path

import pytest

from fixtures import hub_server
from fixtures.hub_server import COMMIT, used
from impasto.errors import ImpastoError
from impasto.hub_styles import CONFIG, WEIGHTS, download, is_repository


def test_names_of_repositories_are_told_from_those_of_files() -> None:
    names = (
        "me/seine",
        "me/seine@v1.0",
        "me/seine@refs/pr/1",
        "seine",
        "a/b/c",
        "me/seine.safetensors",
        "/me/seine",
        "../x",
    )
    assert [is_repository(name) for name in names] == [True] * 3 + [False] * 5


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({"a.safetensors": b"a"}, "a.safetensors"),
        ({"a.safetensors": b"a", "seine.safetensors": b"b"}, "seine.safetensors"),
        ({"a.safetensors": b"a", "seine.safetensors": b"b", WEIGHTS: b"c", CONFIG: b"{}"}, WEIGHTS),
    ],
)
def test_the_style_of_a_repository_is_downloaded_once(
    files: dict[str, bytes], chosen: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with used(monkeypatch, tmp_path / "token") as hub:
        hub.repositories["me/seine"] = files
        for _ in range(2):
            path = download("me/seine", "main", cache_dir=tmp_path / "cache")
            assert path.name == chosen and path.read_bytes() == files[chosen]
        assert path.is_relative_to(tmp_path / "cache") and COMMIT in path.parts
        assert hub.fetched.count(chosen) == 1
        hub_server.unreachable(monkeypatch)
        for local in (True, False):
            assert download("me/seine", "main", cache_dir=tmp_path / "cache", local_files_only=local) == path
        with pytest.raises(ImpastoError, match="contradict each other"):
            download("me/seine", force_download=True, local_files_only=True)


def test_a_style_that_was_downloaded_is_used_while_the_hub_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with used(monkeypatch, tmp_path / "token") as hub:
        hub.repositories["me/seine"] = {WEIGHTS: b"weights", CONFIG: b"{}"}
        path = download("me/seine")
        hub_server.unreachable(monkeypatch)
        monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("nobody waits for a Hub that is not there"))
        assert download("me/seine") == path
        with pytest.raises(ImpastoError, match="cannot be reached"):
            download("me/other")
