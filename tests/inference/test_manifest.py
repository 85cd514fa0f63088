"""The same command resumes after an interruption."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fixtures.command import Impasto, one_line
from fixtures.parameters import mostly_long
from fixtures.translators import translator
from impasto.errors import ImpastoError
from impasto.files import exclusive
from impasto.inference.manifest import NAME, open_manifest
from impasto.inference.photo_sources import open_resumable_output


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine photos in two folders, two of one name."""
    translator(-1).save(tmp_path / "negative.safetensors")
    translator(1).save(tmp_path / "same.safetensors")
    for number in range(9):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number // 2}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo(number).save(path)
    return tmp_path / "photos"


def photo(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (9, 7, 3), np.uint8))


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != NAME)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def paint(impasto: Impasto, *more: str, check: bool = True) -> Any:
    return impasto(
        "paint", "photos/a", "photos/b", "--style", "negative.safetensors", "--out", "out", *more, check=check
    )


def test_only_new_and_changed_photos_are_painted_again(impasto: Impasto, photos: Path, tmp_path: Path) -> None:
    assert paint(impasto).stdout.startswith("9 paintings in out\n")
    first = files(tmp_path / "out")
    assert len(first) == 9
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    assert paint(impasto).stdout == "0 paintings in out, and 9 there before\n"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")} == times
    photo(100).save(photos / "b" / "2.png")
    photo(101).save(photos / "a" / "00.png")
    assert paint(impasto).stdout.startswith("2 paintings in out, and 8 there before")
    changed = {name for name, data in files(tmp_path / "out").items() if first.get(name) != data}
    assert changed == {"2-2.png", "00.png"}, "names are stable"


def test_a_folder_of_another_style_or_other_options_is_refused(impasto: Impasto, photos: Path, tmp_path: Path) -> None:
    paint(impasto)
    before = files(tmp_path / "out")
    for more in (["--style", "same.safetensors"], ["--strength", "0.5"], ["--compare"]):
        done = paint(impasto, *more, check=False)
        assert done.returncode == 1 and "another style or with other options" in done.stderr
    assert files(tmp_path / "out") == before
    assert paint(impasto, "--strength", "0.5", "--overwrite").stdout.startswith("9 paintings")
    assert files(tmp_path / "out") != before


def test_a_deleted_painting_is_painted_again(impasto: Impasto, photos: Path, tmp_path: Path) -> None:
    paint(impasto)
    (tmp_path / "out" / "0.png").unlink()
    assert paint(impasto).stdout.startswith("1 painting in out, and 8 there before")
    assert (tmp_path / "out" / "0.png").exists()


@pytest.mark.parametrize(
    ("out", "begun", "whole"),
    [pytest.param("out", "out", "whole", marks=pytest.mark.long), ("out.zip", "out.zip.begun", "whole.zip")],
)
def test_a_killed_job_resumes_to_the_same_output(
    out: str, begun: str, whole: str, impasto_command: list[str], impasto: Impasto, photos: Path, tmp_path: Path
) -> None:
    for number in range(10, 400):
        photo(number).resize((90, 120)).save(photos / "a" / f"{number}.png")
    arguments = ["paint", "photos/a", "photos/b", "--style", "negative.safetensors", "--out"]
    process = subprocess.Popen([*impasto_command, *arguments, out], cwd=tmp_path, stdout=subprocess.DEVNULL)
    manifest_path = tmp_path / begun / NAME
    while not manifest_path.exists() or len(manifest_path.read_text().splitlines()) < 20:
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    with manifest_path.open("a") as lines:
        lines.write('{"photo": "photos/a/')
    assert len(files(tmp_path / begun)) < 399
    assert begun == out or not (tmp_path / out).exists()
    assert ", and " in impasto(*arguments, out).stdout
    impasto(*arguments, whole)
    if begun == out:
        assert files(tmp_path / out) == files(tmp_path / whole)
    else:
        assert (tmp_path / out).read_bytes() == (tmp_path / whole).read_bytes()
        assert not (tmp_path / begun).exists()


@pytest.mark.parametrize("out", mostly_long(["out", "out.zip"], "out"))
def test_an_interrupt_explains_how_to_resume(
    out: str, impasto_command: list[str], impasto: Impasto, photos: Path, tmp_path: Path
) -> None:
    for number in range(10, 400):
        photo(number).resize((90, 120)).save(photos / "a" / f"{number}.png")
    arguments = ["paint", "photos", "--style", "negative.safetensors", "--out", out]
    # Where tests run in the background, what they start ignores the signal, unless configured.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = [*impasto_command, *arguments]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    manifest_path = tmp_path / ("out.zip.begun" if out == "out.zip" else out) / NAME
    while not manifest_path.exists() or len(manifest_path.read_text().splitlines()) < 20:
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate()
    assert process.returncode == 130
    assert message == "Interrupted: run the same command to resume.\n"
    assert "399 paintings" not in impasto(*arguments).stdout


def test_paintings_inside_the_source_folder_are_not_painted_again(
    impasto: Impasto, photos: Path, tmp_path: Path
) -> None:
    to = ["--style", "negative.safetensors", "--out", "photos/painted"]
    for source in ("photos", "photos/**/*.png"):
        impasto("paint", source, *to)
        assert impasto("paint", source, *to).stdout == "0 paintings in photos/painted, and 9 there before\n"
    assert impasto("paint", "photos/a", "--style", "negative.safetensors", "--out", "photos/a.zip").returncode == 0
    for lost in ("a", "b"):
        shutil.rmtree(photos / lost)
    (photos / "a.zip").unlink()
    done = impasto("paint", "photos", *to, check=False)
    assert "contains only paintings" in done.stderr and len(files(photos / "painted")) == 9


def test_a_zip_contains_only_the_photos_of_the_last_run(impasto: Impasto, photos: Path, tmp_path: Path) -> None:
    """Not those that were deleted before it was resumed."""
    begun = tmp_path / "out.zip.begun"
    paint(impasto)
    shutil.move(tmp_path / "out", begun)
    (photos / "a" / "0.png").unlink()
    arguments = (
        "paint",
        "photos/a",
        "photos/b",
        "photos/b/0.png",
        "--style",
        "negative.safetensors",
        "--out",
        "out.zip",
    )
    assert impasto(*arguments, "--strength", "0.5", check=False).stderr.startswith(
        "impasto: out.zip.begun holds paintings"
    )
    assert impasto(*arguments).stdout == "0 paintings in out.zip, and 8 there before\n"
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert set(archive.namelist()) == {
            "0-2.png",
            *(f"{n}.png" for n in (1, 2, 3, 4)),
            "1-2.png",
            "2-2.png",
            "3-2.png",
        }
    assert not begun.exists()


def test_glob_patterns_and_lists_of_files_are_accepted(
    impasto: Impasto, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = ["--style", "negative.safetensors", "--out"]
    assert impasto("paint", "photos/*/[01].png", *to, "globbed").stdout == "4 paintings in globbed\n"
    assert set(files(tmp_path / "globbed")) == {"a/0.png", "a/1.png", "b/0.png", "b/1.png"}
    odd = photos / "a" / "with space\u00e9.png"
    photo(5).save(odd)
    listed = [b"photos/a/0.png", os.fsencode(odd.relative_to(tmp_path)), b"photos/nothing.png", b"photos/a"]
    for name, separator in (("lines", b"\n"), ("zeros", b"\0")):
        stream = io.TextIOWrapper(io.BytesIO(separator.join(listed) + separator))
        monkeypatch.setattr(sys, "stdin", stream)
        done = impasto("paint", "-", *to, name, check=False)
        assert done.returncode == 1
        assert set(files(tmp_path / name)) == {"photos/a/0.png", f"photos/a/{odd.name}"}
        assert "Left out: photos/nothing.png: No such file" in done.stdout
        assert "Left out: photos/a: Is a directory" in done.stdout
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    assert "list is empty" in impasto("paint", "-", *to, "none", check=False).stderr
    assert "No file matches photos/*.gif" in impasto("paint", "photos/*.gif", *to, "none", check=False).stderr


@pytest.mark.parametrize("photos_again", [["photos/a/*.png"], ["photos/a/../a", "photos/a/0.png"], ["-"]])
def test_photos_are_never_overwritten(
    photos_again: list[str], impasto: Impasto, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(photos)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"0.png\n")))
    monkeypatch.chdir(photos / "a")
    given = [str(tmp_path / each) if each != "-" else each for each in photos_again]
    done = impasto("paint", *given, "--style", str(tmp_path / "same.safetensors"), "--strength", "0.5", "--overwrite",
                   "--out", str(photos / "a"), check=False)  # fmt: skip
    assert done.returncode == 1 and "not overwritten" in done.stderr and done.stderr.count("\n") == 1
    assert files(photos) == before


def test_linked_and_nested_photos_are_not_overwritten(impasto: Impasto, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "0.png").symlink_to(photos / "a" / "0.png")
    (photos / "a" / "a").mkdir()
    shutil.copy(photos / "b" / "0.png", photos / "a" / "a" / "1.png")
    before = files(photos)
    for source, out in (("links", "photos/a"), ("photos/a", "photos")):
        to = ["--style", "negative.safetensors", "--overwrite", "--out", out]
        done = impasto("paint", source, *to, check=False)
        assert done.returncode == 1 and "not overwritten" in done.stderr
        assert before.items() <= files(photos).items()


def test_two_photos_of_one_name_in_a_zip_keep_their_paintings_on_resume(
    impasto: Impasto, photos: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.write(photos / "a" / "0.png", "x.png")
        archive.write(photos / "b" / "0.png", "x.png")
    arguments = ["paint", "two.zip", "--style", "negative.safetensors", "--out", "two"]
    assert impasto(*arguments).stdout.startswith("2 paintings")
    first = files(tmp_path / "two")
    assert len(first) == 2
    assert impasto(*arguments).stdout == "0 paintings in two, and 2 there before\n"
    manifest_path = tmp_path / "two" / NAME
    manifest_path.write_text("".join(manifest_path.read_text().splitlines(keepends=True)[:2]))
    assert impasto(*arguments).stdout.startswith("1 painting in two, and 1 there before")
    assert files(tmp_path / "two") == first


def test_an_interrupted_overwrite_resumes_and_a_complete_one_starts_again(tmp_path: Path) -> None:
    old, new = {"style": "old"}, {"style": "new"}

    def enter(work: dict[str, Any], photo: str, *, overwrite: bool, stop: bool) -> list[str]:
        (tmp_path / photo).write_text("painted")
        with contextlib.suppress(KeyboardInterrupt), open_manifest(tmp_path, work, overwrite=overwrite) as manifest:
            before = list(manifest.done)
            manifest.add(photo, "digest", photo)
            if stop:
                raise KeyboardInterrupt
        return before

    assert enter(old, "1", overwrite=False, stop=False) == []
    assert enter(new, "2", overwrite=True, stop=True) == []
    assert enter(new, "3", overwrite=True, stop=False) == ["2"]
    assert enter(new, "4", overwrite=True, stop=False) == []
    assert enter(new, "5", overwrite=False, stop=False) == ["4"]
    with pytest.raises(ImpastoError, match="another style"), open_manifest(tmp_path, old, overwrite=False):
        pass


def test_an_overwrite_that_is_stopped_at_once_leaves_no_foreign_files(tmp_path: Path) -> None:
    out = tmp_path / "out.zip"
    for style, overwrite in (("old", False), ("new", True)):
        with (
            contextlib.suppress(KeyboardInterrupt),
            open_resumable_output(out, {"style": style}, overwrite=overwrite) as (writer, manifest),
        ):
            if not overwrite:
                writer.put("a.png", b"painted")
                manifest.add("a", "digest", "a.png")
            listed = (tmp_path / "out.zip.begun" / NAME).read_text()  # what a kill would leave
            raise KeyboardInterrupt
    assert '{"painting": "a.png"}' in listed
    with open_resumable_output(out, {"style": "new"}, overwrite=True) as (writer, manifest):
        assert manifest.done == {} and manifest.entered == {"a.png"}
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


def test_only_the_partial_files_of_processes_that_ended_are_deleted(tmp_path: Path) -> None:
    with open_manifest(tmp_path, {}, overwrite=False) as manifest:
        manifest.add("1", "digest", "1.png")
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    alive, dead, older = (
        tmp_path / "inside" / f".impasto.{number}.part"
        for number in (f"{os.getpid()}-1", f"{int(ended.stdout)}-1", f"{os.getpid()}-2")
    )
    alive.parent.mkdir()
    for part in (alive, dead, older):
        part.touch()
    os.utime(older, (0, 0))  # of a process that had the same number
    with open_manifest(tmp_path, {}, overwrite=False):
        assert [*alive.parent.iterdir()] == [alive]


def test_two_processes_cannot_write_to_one_output(impasto_command: list[str], photos: Path, tmp_path: Path) -> None:
    with open_manifest(tmp_path / "out", {}, overwrite=False) as manifest:
        (tmp_path / "out" / "1").touch()
        manifest.add("1", "digest", "1")
        done = subprocess.run(
            [*impasto_command, "paint", "photos", "--style", "negative.safetensors", "--out", "out"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1 and done.stderr.startswith("impasto: Another impasto process writes to out")
        assert done.stderr.count("\n") == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {NAME, "1"}
    lock = tmp_path / "lock"
    with exclusive(lock, "busy"), pytest.raises(ImpastoError, match="busy"), exclusive(lock, "busy"):
        pass
    assert not lock.exists()


@pytest.mark.parametrize(
    "painting",
    ["../evil.png", "/tmp/evil.png", "a/../../evil.png", "C:\\evil.png", "a\\b.png", "link/evil.png", "", ".", 7],
)
def test_a_name_that_leads_out_of_the_folder_is_ignored(painting: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "link").symlink_to(tmp_path)
    for name in ("evil.png", "out/fine.png"):
        (tmp_path / name).write_text("painted")
    lines: list[Any] = [{"style": "x"}, {"photo": "a", "digest": "b", "painting": painting}, [], 7, {"photo": "c"}]
    lines += [{"photo": "d", "digest": "e", "painting": "fine.png"}]
    (out / NAME).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with open_manifest(out, {"style": "x"}, overwrite=False) as manifest:
        assert manifest.done == {"d": ("e", "fine.png")} and manifest.entered == {"fine.png"}


def test_a_manifest_that_is_none_is_that_of_another_job(tmp_path: Path) -> None:
    for content in ("[]\n", '["style"]\n7\n', "hello\n"):
        (tmp_path / NAME).write_text(content)
        with open_manifest(tmp_path, {"style": "x"}, overwrite=False) as manifest:
            assert manifest.done == {}


def test_an_empty_manifest_is_treated_as_new(impasto: Impasto, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / NAME).touch()
    assert paint(impasto).stdout.startswith("9 paintings")
    assert paint(impasto).stdout == "0 paintings in out, and 9 there before\n"


def test_an_impossible_file_name_stops_no_other_photo(impasto: Impasto, photos: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        for name in ("a.png", f"{'b' * 300}.png", "c.png", "c.png/d.png"):
            archive.write(photos / "a" / "0.png", name)
    done = impasto("paint", "odd.zip", "--style", "negative.safetensors", "--out", "odd", check=False)
    assert done.returncode == 1 and done.stdout.startswith("2 paintings") and done.stdout.count("Left out") == 2
    assert set(files(tmp_path / "odd")) == {"a.png", "c.png"}


@pytest.mark.parametrize("out", ["/proc/x.png", f"{'x' * 300}.png", f"{'x' * 300}", "taken/x.png"])
def test_an_output_that_cannot_be_written_is_reported_in_one_line(
    out: str, impasto: Impasto, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").touch()
    done = impasto("paint", "photos/a/0.png", "--style", "negative.safetensors", "--out", out, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_another_file_in_the_output_is_not_overwritten_on_resume(
    impasto: Impasto, photos: Path, tmp_path: Path
) -> None:
    paint(impasto)
    whole = files(tmp_path / "out")
    lines = (tmp_path / "out" / NAME).read_text().splitlines(keepends=True)
    (tmp_path / "out" / NAME).write_text("".join(lines[:5]))  # stopped after four of nine
    unlisted = [json.loads(line)["painting"] for line in lines[5:10]]
    (tmp_path / "out" / unlisted[1]).write_bytes(b"mine")
    (tmp_path / "out" / unlisted[2]).write_bytes(b"")  # of a power failure
    done = paint(impasto, check=False)
    assert done.returncode == 1 and f"{unlisted[1]} is another file, which is not overwritten" in done.stdout
    assert done.stdout.startswith("4 paintings in out, and 4 there before")
    assert files(tmp_path / "out") == whole | {unlisted[1]: b"mine"}
    assert paint(impasto, "--overwrite").stdout.startswith("9 paintings")
    assert files(tmp_path / "out") == whole


def test_the_working_folder_of_a_zip_keeps_the_files_of_others(impasto: Impasto, photos: Path, tmp_path: Path) -> None:
    arguments = ["paint", "photos/a", "--style", "negative.safetensors", "--out"]
    (tmp_path / "out.zip.begun" / "inside").mkdir(parents=True)
    (tmp_path / "out.zip.begun" / "inside" / "mine").write_text("mine")
    for overwrite in ([], ["--overwrite"]):
        done = impasto(*arguments, "out.zip", *overwrite, check=False)
        assert done.returncode == 1 and "out.zip.begun is not impasto's, and stays as it is" in done.stderr
    assert files(tmp_path / "out.zip.begun") == {"inside/mine": b"mine"}
    impasto(*arguments, "alone.zip")
    assert (tmp_path / "alone.zip").exists() and not (tmp_path / "alone.zip.begun").exists()


@pytest.mark.parametrize("removed", ["out", "out/0.png", "out.zip.begun", "out.zip.begun/1.png"])
@pytest.mark.parametrize("again", [False, True])
def test_an_output_that_is_removed_during_the_run_is_not_reported_as_complete(
    removed: str, again: bool, photos: Path, tmp_path: Path
) -> None:
    begun = tmp_path / removed.partition("/")[0]
    out = begun.with_name(begun.name.removesuffix(".begun"))
    with (
        pytest.raises(ImpastoError, match="removed during the run"),
        open_resumable_output(out, {"a": 1}) as (
            writer,
            manifest,
        ),
    ):
        for number in range(4):
            writer.write(f"{number}.png", photo(number))
            manifest.add(f"{number}", "digest", f"{number}.png")
            if number == 2:
                place = tmp_path / removed
                shutil.rmtree(place) if place.is_dir() else place.unlink()
                if again and place == begun:
                    place.mkdir()
    assert not (tmp_path / "out.zip").exists()
    assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.rglob("*.lock"))


@pytest.mark.parametrize(
    "line",
    [
        "5",
        '"text"',
        "[" * 100_000,
        '{"photo": 1, "digest": "a", "painting": "b"}',
        '{"photo": "photos/a/0.png"}',
        '{"photo": "photos/a/0.png", "digest": "a", "painting": "../mine.png"}',
        "\0\0\0\0",
    ],
)
def test_a_damaged_line_of_a_manifest_is_skipped(impasto: Impasto, photos: Path, tmp_path: Path, line: str) -> None:
    paint(impasto)
    (tmp_path / "mine.png").write_text("mine")
    before = files(tmp_path / "out")
    first, *lines = (tmp_path / "out" / NAME).read_text().splitlines(keepends=True)
    (tmp_path / "out" / NAME).write_text("".join([first, line, "\n", *lines]))
    assert paint(impasto).stdout == "0 paintings in out, and 9 there before\n"
    (tmp_path / "out" / NAME).write_text("".join([line, "\n", first, *lines]))
    done = paint(impasto, check=False)
    assert done.returncode == 0 or "another style" in one_line(done)
    assert files(tmp_path / "out") == before
    assert (tmp_path / "mine.png").read_text() == "mine"
