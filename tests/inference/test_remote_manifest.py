"""A manifest at an address resumes a job, and is written in pieces."""

import json
from pathlib import Path
from typing import Any

import pytest

from impasto.data.places import Place, open_place
from impasto.errors import ImpastoError
from impasto.inference import remote_manifest
from impasto.inference.remote_manifest import FOLDER, open_remote_manifest

JOB = {"style": "x"}


@pytest.fixture
def out(tmp_path: Path) -> Place:
    return open_place(str(tmp_path / "out"))


def paint(out: Place, *photos: str, job: dict[str, Any] = JOB, overwrite: bool = False, stop: bool = False) -> set[str]:
    """Record photos; return those that were known."""
    known = set()
    with open_remote_manifest(out, job, overwrite=overwrite) as manifest:
        for photo in photos:
            known |= {photo} & {photo for digest, _ in [manifest.known(photo)] if digest == f"digest of {photo}"}
            manifest.add(photo, f"digest of {photo}", f"{photo}.png")
            Path(out.path, f"{photo}.png").touch()
        if stop:
            raise KeyboardInterrupt
    return known


def pieces(out: Place) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(out.path, FOLDER).iterdir()}


def test_a_stopped_run_is_resumed_and_no_piece_is_written_twice(out: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_manifest, "LINES", 2)
    with pytest.raises(KeyboardInterrupt):
        paint(out, "a", "b", "c", stop=True)
    before = pieces(out)
    assert list(before) and len(before) == 3  # the job, two photos, one photo
    assert paint(out, "a", "b", "c", "d") == {"a", "b", "c"}
    assert before.items() < pieces(out).items()


def test_names_of_earlier_paintings_are_taken(out: Place) -> None:
    paint(out, "a")
    with open_remote_manifest(out, JOB, overwrite=False) as manifest:
        assert manifest.names.assign("A.tif", ".png") == ("A-2.png", "A.png")
        assert manifest.names.assign("a.png", ".png", "a.png") == ("a.png", "a.png")


def test_overwriting_starts_again_and_an_overwriting_run_is_resumed(out: Place) -> None:
    paint(out, "a")
    assert paint(out, "a", overwrite=True) == set()
    assert paint(out, "a", overwrite=True) == set()
    with pytest.raises(KeyboardInterrupt):
        paint(out, "a", overwrite=True, stop=True)
    assert paint(out, "a", overwrite=True) == {"a"}
    assert paint(out, "a", overwrite=True) == set()
    assert paint(out, "a") == {"a"}


def test_another_job_and_other_files_are_refused_unless_overwritten(out: Place) -> None:
    paint(out, "a")
    with pytest.raises(ImpastoError, match="with other options"):
        paint(out, job={"style": "y"})
    assert paint(out, "a", job={"style": "y"}, overwrite=True) == set()
    other = Place(out.files, str(Path(out.path).parent))
    with pytest.raises(ImpastoError, match="holds other files"):
        paint(other)
    assert paint(other, "a", overwrite=True) == set()


@pytest.mark.parametrize("painting", ["../evil.png", "/tmp/evil.png", "a/../../evil.png", 7, None])
def test_a_manifest_leads_no_painting_out_of_the_folder(painting: object, out: Place) -> None:
    paint(out, "a")
    line = {"photo": "a", "digest": "digest of a", "painting": painting}
    Path(out.path, FOLDER, "000001.jsonl").write_text(json.dumps(line))
    with open_remote_manifest(out, JOB, overwrite=False) as manifest:
        assert manifest.known("a") == ("", "")


@pytest.mark.parametrize("text", ["", "hello", "[]", "{}", '{"style": 7}', '{"style": {"style": "x"}}', "[" * 9999])
def test_a_damaged_manifest_is_refused_in_one_line(text: str, out: Place) -> None:
    paint(out, "a")
    Path(out.path, FOLDER, "000000.jsonl").write_text(text)
    with pytest.raises(ImpastoError, match="holds other files"):
        paint(out, "a")
