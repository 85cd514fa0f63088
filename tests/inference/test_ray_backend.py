"""On a cluster every photo is painted once, with the same result as locally, even if workers die."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from fixtures.command import Impasto
from fixtures.noise_style import style
from fixtures.ray_cluster import ray_cluster, ray_workers
from fixtures.translators import translator
from fixtures.videos import audio_packets, read_video, scene, write_video
from impasto.inference import ray_backend
from impasto.inference.ray_backend import Result, Row, Worker

COUNT = 240


@pytest.fixture
def cluster() -> Iterator[None]:
    with ray_cluster():
        yield


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_loses_no_photo(impasto: Impasto, tmp_path: Path) -> None:
    translator(-1).save(tmp_path / "negative.safetensors")
    for number in range(COUNT):
        photo(tmp_path / "photos" / f"{number % 3}" / f"{number}.png", number, side=70)
    (tmp_path / "photos" / "notes.txt").write_text("hello")
    killed: list[int] = []

    def kill() -> None:
        while len(list((tmp_path / "out").rglob("*.png"))) < 15:
            time.sleep(0.01)
        victim = ray_workers("Worker")[0]
        os.kill(victim.pid, signal.SIGKILL)
        killed.append(len(list((tmp_path / "out").rglob("*.png"))))

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    paint = ("paint", "--style", "negative.safetensors", "photos", "--out")
    done = impasto(*paint, "out", "--engine", "ray", check=False)
    thread.join(timeout=10)
    assert killed and killed[0] < COUNT, "it was killed while there was something left to paint"
    assert done.returncode == 1 and "photos/notes.txt: text, not an image" in done.stdout
    impasto(*paint, "here", check=False)
    folders = (tmp_path / "out", tmp_path / "here")
    ours, theirs = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*.png")} for f in folders)
    assert len(ours) == COUNT and ours == theirs
    assert not list((tmp_path / "out").rglob("unfinished"))
    again = impasto(*paint, f"file://{tmp_path}/out", "--engine", "ray", check=False)
    assert again.stdout.startswith(f"0 paintings in file://{tmp_path}/out, and {COUNT} there before")
    other = impasto(*paint, "out", "--strength", "0.5", "--engine", "ray", check=False)
    assert other.returncode == 1 and "with other options" in other.stderr
    over = impasto(*paint, "photos", "--engine", "ray", check=False)
    assert over.returncode == 1 and "not overwritten" in over.stderr


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("cluster")
def test_a_photo_that_kills_its_workers_is_left_out(
    impasto: Impasto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator(-1).save(tmp_path / "negative.safetensors")
    for number in range(40):
        photo(tmp_path / "in" / f"{number}.png", number)

    class Mortal(Worker):
        """Dies of a photo."""

        def work(self, items: list[Row]) -> list[Result]:
            results = super().work(items)
            if any(row.photo.name == "7.png" for row in items):
                os._exit(1)
            return results

    monkeypatch.setattr(ray_backend, "Worker", Mortal)
    done = impasto("paint", "--style", "negative.safetensors", "in", "--out", "out", "--engine", "ray", check=False)
    assert done.returncode == 1 and "in/7.png: 3 workers died while they painted it" in done.stdout
    again = impasto("paint", "--style", "negative.safetensors", "in", "--out", "out", "--engine", "ray", check=False)
    assert "0 paintings in out, and 39 there before" in again.stdout


def photo(path: Path, seed: int = 0, side: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def here(impasto: Impasto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Impasto:
    """The command, painting in this process instead of on a cluster."""
    translator(-1).save(tmp_path / "negative.safetensors")
    monkeypatch.setattr("torch.set_num_threads", lambda number: None)
    monkeypatch.setattr(
        ray_backend, "_results", lambda task, rows: ((row, Worker(task).work([row])[0]) for row in rows)
    )

    def run(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        return impasto("paint", "--style", "negative.safetensors", *arguments, "--engine", "ray", check=check)

    return run


def paintings(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found if ".impasto" not in str(path)}


def test_several_sources_are_painted_as_by_the_local_engine(here: Impasto, impasto: Impasto, tmp_path: Path) -> None:
    for number, name in enumerate(["in/a.bmp", "in/a.tif", "in/b/c.jpg", "in/b/c.JPG", "one.webp", "2/x.png"]):
        photo(tmp_path / name, number)
    photo(tmp_path / "2" / "y.jpg").rename(tmp_path / "2" / "y")
    with ZipFile(tmp_path / "archive.zip", "w") as archive:
        for name in ("in/a.bmp", "one.webp", "2/y"):
            archive.write(tmp_path / name, name)
    sources = ("in", "archive.zip", "one.webp", "2/*", "one.webp")
    done = here(*sources, "--out", "out")
    local = impasto("paint", "--style", "negative.safetensors", *sources, "--out", "local")
    assert paintings(tmp_path / "out") == paintings(tmp_path / "local") and len(paintings(tmp_path / "out")) == 10
    assert sorted(done.stdout.replace(" out", " local").splitlines()) == sorted(local.stdout.splitlines())


def test_only_photos_that_changed_or_are_missing_are_painted_again(here: Impasto, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        photo(tmp_path / "in" / f"{name}.png")
    assert here("in", "--out", "out").stdout == "4 paintings in out\n"
    first = paintings(tmp_path / "out")
    photo(tmp_path / "in" / "a.png", 1)
    (tmp_path / "out" / "b.png").unlink()
    (tmp_path / "out" / "c.png").write_bytes(b"")
    assert here("in", "--out", "out").stdout == "3 paintings in out, and 1 there before\n"
    second = paintings(tmp_path / "out")
    assert second.keys() == first.keys() and {name for name in first if first[name] != second[name]} == {"a.png"}
    assert here("in", "--out", "out").stdout == "0 paintings in out, and 4 there before\n"
    assert here("in", "--out", "out", "--overwrite").stdout == "4 paintings in out\n"
    assert not list((tmp_path / "out").rglob("unfinished"))


def test_another_file_is_replaced_only_to_overwrite(here: Impasto, tmp_path: Path) -> None:
    photo(tmp_path / "in" / "a.png")
    here("in", "--out", "out")
    photo(tmp_path / "in" / "b.png")
    (tmp_path / "out" / "b.png").write_text("mine")
    done = here("in", "--out", "out", check=False)
    assert done.returncode == 1 and "in/b.png: b.png is another file, which is not overwritten" in done.stdout
    assert (tmp_path / "out" / "b.png").read_text() == "mine"
    assert here("in", "--out", "out", "--overwrite").stdout == "2 paintings in out\n"
    with Image.open(tmp_path / "out" / "a.png") as one, Image.open(tmp_path / "out" / "b.png") as other:
        assert one.tobytes() == other.tobytes()


def test_a_film_is_painted_with_its_sound_and_not_again(here: Impasto, tmp_path: Path) -> None:
    frames = [scene(number) for number in range(4)]
    write_video(tmp_path / "film.mkv", frames, sound="aac")
    (tmp_path / "damaged.mp4").write_bytes(b"hello")
    photo(tmp_path / "in" / "a.png")
    done = here("film.mkv", "damaged.mp4", "in", "--out", "out", check=False)
    first, second, *_ = done.stdout.splitlines()
    assert done.returncode == 1 and first == "4 frames in out/film.mp4"
    assert second.startswith("Left out: damaged.mp4 ") and "/film" not in second
    painted, _ = read_video(tmp_path / "out" / "film.mp4")
    for before, after in zip(frames, painted, strict=True):
        assert np.abs(after.astype(int) - (255 - before)).mean() < 6
    assert audio_packets(tmp_path / "out" / "film.mp4") == audio_packets(tmp_path / "film.mkv")
    again = here("film.mkv", "--out", "out")
    assert again.stdout == "out/film.mp4 was there before\n"
    assert "frames in out/film.mp4" in here("film.mkv", "--out", "out", "--overwrite").stdout


def test_photos_and_films_go_from_address_to_address(here: Impasto, tmp_path: Path) -> None:
    files = MemoryFileSystem()
    try:
        photo(tmp_path / "a.png")
        write_video(tmp_path / "film.mp4", [scene(0)] * 2)
        for name in ("a.png", "film.mp4"):
            files.pipe_file(f"/bucket/{name}", (tmp_path / name).read_bytes())
        here("memory://bucket/film.mp4", "memory://bucket", "--out", "memory://bucket/painted", check=False)
        assert {"/bucket/painted/a.png", "/bucket/painted/film.mp4"} <= {*files.find("/bucket/painted")}
        again = here("memory://bucket/film.mp4", "memory://bucket/a.png", "--out", "memory://bucket/painted")
        assert again.stdout.count("there before") == 2
    finally:
        files.rm("/", recursive=True)


@pytest.mark.parametrize("out", ["out.zip", "out.jpg", "out.mp4", "s3.tif"])
def test_an_output_that_is_a_file_is_refused(out: str, here: Impasto, tmp_path: Path) -> None:
    photo(tmp_path / "in" / "a.png")
    done = here("in", "--out", out, check=False)
    assert "paints into a folder" in one_line_of(done.stderr)


def one_line_of(text: str) -> str:
    assert text.count("\n") == 1
    return text


def test_a_painting_that_cannot_be_moved_leaves_no_partial_file(
    here: Impasto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalFileSystem, "mv", fail)
    photo(tmp_path / "a.png")
    done = here("a.png", "--out", "out", check=False)
    assert "its painting cannot be written (No space left on device)" in done.stderr
    assert not paintings(tmp_path / "out")


def test_an_unconditional_style_is_refused_on_a_cluster(impasto: Impasto, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    style().save(tmp_path / "noise.safetensors")
    done = impasto("paint", "photos", "--style", "noise.safetensors", "--out", "out", "--engine", "ray", check=False)
    assert done.returncode == 1 and "cannot stylise photos" in done.stderr and done.stderr.count("\n") == 1


def test_a_missing_ray_is_reported_with_the_pip_command(impasto: Impasto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = impasto("paint", "photos", "--out", "out", "--engine", "ray", check=False)
    assert done.returncode == 1 and "pip install 'impasto[ray]'" in one_line_of(done.stderr)
