"""Segments are resumed by their own job alone, and nothing else is deleted with them."""

from pathlib import Path
from typing import Any

import pytest

from impasto.errors import ImpastoError
from impasto.inference.video.segments import NOTE, begin, load_segment, remove, save_segment
from impasto.inference.video.writer import EncodedFrame

JOB = {"style": "one", "film": "abc"}
FRAMES = [EncodedFrame(b"first", -1, True), EncodedFrame(b"", 2**40, False)]


def test_a_segment_is_read_as_it_was_written(tmp_path: Path) -> None:
    save_segment(tmp_path / "00000.npz", FRAMES)
    save_segment(tmp_path / "00001.npz", [])
    assert load_segment(tmp_path / "00000.npz") == FRAMES and load_segment(tmp_path / "00001.npz") == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello"])
def test_a_damaged_segment_is_reported_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "00000.npz").write_bytes(content)
    with pytest.raises(ImpastoError, match=r"00000\.npz is damaged"):
        load_segment(tmp_path / "00000.npz")


def test_the_same_job_resumes_and_another_only_overwrites(tmp_path: Path) -> None:
    out, other = tmp_path / "film.mp4", JOB | {"style": "two"}
    parts = begin(out, JOB | {"format": "png"}, overwrite=False)
    save_segment(parts / "00000.npz", FRAMES)
    assert begin(out, JOB, overwrite=False) == parts and (parts / "00000.npz").exists()
    with pytest.raises(ImpastoError, match="with other options"):
        begin(out, other, overwrite=False)
    begin(out, other, overwrite=True)
    assert [path.name for path in parts.iterdir()] == [NOTE]
    save_segment(parts / "00000.npz", FRAMES)
    begin(out, other, overwrite=True)
    assert (parts / "00000.npz").exists(), "an interrupted run that overwrites is resumed"


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize(
    "note", [None, "", "hello", "[]", "{}", pytest.param("[" * 100_000, id="nested"), '{"style', '{"title": "x"}']
)
def test_a_folder_of_anybody_else_is_refused_and_stays(note: str | None, overwrite: bool, tmp_path: Path) -> None:
    parts = tmp_path / "film.mp4.parts"
    parts.mkdir()
    (parts / "00000.npz").write_text("a thesis")
    if note is not None:
        (parts / NOTE).write_text(note)
    before = {path: path.read_bytes() for path in parts.iterdir()}
    with pytest.raises(ImpastoError, match="is not impasto's, and stays as it is"):
        begin(tmp_path / "film.mp4", JOB, overwrite=overwrite)
    assert {path: path.read_bytes() for path in parts.iterdir()} == before


def test_a_file_or_a_link_of_that_name_is_refused_and_stays(tmp_path: Path) -> None:
    begin(tmp_path / "elsewhere.mp4", JOB, overwrite=False)
    parts = tmp_path / "film.mp4.parts"
    for link in (False, True):
        if link:
            parts.symlink_to(tmp_path / "elsewhere.mp4.parts")
        else:
            parts.touch()
        with pytest.raises(ImpastoError, match="is not impasto's"):
            begin(tmp_path / "film.mp4", JOB, overwrite=True)
        parts.unlink()
    assert (tmp_path / "elsewhere.mp4.parts" / NOTE).exists()


def test_a_job_that_was_killed_while_it_began_begins_again(tmp_path: Path) -> None:
    (tmp_path / "film.mp4.parts").mkdir()
    (tmp_path / "film.mp4.parts" / f"{NOTE}.7-8.part").write_text('{"sty')
    parts = begin(tmp_path / "film.mp4", JOB, overwrite=False)
    assert [path.name for path in parts.iterdir()] == [NOTE]


def test_files_of_others_survive_in_the_folder(tmp_path: Path) -> None:
    parts = begin(tmp_path / "film.mp4", JOB, overwrite=False)
    others = ["notes.txt", "7.npz", "00000.npz.bak", "work.json.old"]
    ours = ["00000.npz", "00000-key.npz", "00001.npz.7-8.part"]
    for name in (*others, *ours):
        (parts / name).write_text("x")
    (parts / "00001.npz").mkdir()
    remove(parts)
    assert {path.name for path in parts.iterdir()} == {*others, "00001.npz"}
    remove(tmp_path / "nothing")


def test_an_empty_folder_is_removed(tmp_path: Path) -> None:
    job: dict[str, Any] = {"style": "x"}
    remove(begin(tmp_path / "film.mp4", job, overwrite=False))
    assert not list(tmp_path.iterdir())
