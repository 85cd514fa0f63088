"""On a cluster every photo is painted once, with the same result as locally, even if workers die."""

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from fixtures.command import Impasto
from fixtures.noise_style import style
from fixtures.translators import translator
from impasto.errors import ImpastoError
from impasto.inference.options import PaintOptions
from impasto.inference.ray_backend import MANIFEST, Task, Worker, _rows

COUNT = 240


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cluster of two workers on this machine."""
    import ray

    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init(num_cpus=2, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    yield
    ray.shutdown()


def workers() -> list[psutil.Process]:
    """The processes that paint."""
    found = psutil.Process().children(recursive=True)
    return [each for each in found if each.is_running() and "MapWorker" in " ".join(each.cmdline())]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_loses_no_photo(impasto: Impasto, tmp_path: Path) -> None:
    translator(-1).save(tmp_path / "negative.safetensors")
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        path = tmp_path / "photos" / f"{number % 3}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)).save(path)
    (tmp_path / "photos" / "notes.txt").write_text("hello")
    killed: list[int] = []

    def kill() -> None:
        while len(list((tmp_path / "out").rglob("*.png"))) < 15:
            time.sleep(0.01)
        victim = workers()[0]
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
    assert not list((tmp_path / "out").rglob("*.part"))
    again = impasto(*paint, f"file://{tmp_path}/out", "--engine", "ray", check=False)
    assert again.stdout.startswith(f"0 paintings in file://{tmp_path}/out, and {COUNT} there before")
    other = impasto(*paint, "out", "--strength", "0.5", "--engine", "ray", check=False)
    assert other.returncode == 1 and "with other options" in other.stderr
    over = impasto(*paint, "photos", "--engine", "ray", check=False)
    assert over.returncode == 1 and "not overwritten" in over.stderr


def test_a_painting_that_cannot_be_moved_leaves_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.local import LocalFileSystem

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalFileSystem, "mv", fail)
    monkeypatch.setattr("torch.set_num_threads", lambda number: None)
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    worker = Worker(Task(translator(-1).to_bytes(), (tmp_path / "out").as_uri(), PaintOptions(), compare=False))
    row = worker({"photo": "a.png", "address": (tmp_path / "a.png").as_uri(), "painting": "a.png"})
    assert row["reason"] == "its painting cannot be written (No space left on device)"
    assert not list((tmp_path / "out").iterdir())


def test_output_names_are_stable_and_paintings_are_not_painted_again(tmp_path: Path) -> None:
    photos, out, work = tmp_path / "photos", tmp_path / "photos" / "painted", {"style": "one"}
    photos.mkdir()
    for name in ("a.bmp", "a.tif", "no ending"):
        (photos / name).touch()
    first = {row["photo"]: row["painting"] for row in _rows(str(photos), str(out), "keep", work)}
    assert first == {"a.bmp": "a.png", "a.tif": "a-2.png", "no ending": "no ending.png"}
    (out / "a.png").touch()
    (photos / "a.GIF").touch()
    assert {row["photo"]: row["painting"] for row in _rows(str(photos), str(out), "keep", work)} == {
        **first,
        "a.GIF": "a-3.png",
    }


def test_an_unconditional_style_is_refused_on_a_cluster(impasto: Impasto, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    style().save(tmp_path / "noise.safetensors")
    done = impasto("paint", "photos", "--style", "noise.safetensors", "--out", "out", "--engine", "ray", check=False)
    assert done.returncode == 1 and "cannot stylise photos" in done.stderr and done.stderr.count("\n") == 1


def test_a_missing_ray_is_reported_with_the_pip_command(impasto: Impasto, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else find(name))
    done = impasto("paint", "photos", "--out", "out", "--engine", "ray", check=False)
    assert done.returncode == 1 and "pip install 'ray[data]' fsspec" in done.stderr


@pytest.mark.parametrize("painting", ["../evil.png", "/tmp/evil.png", "a/../../evil.png", 7, None])
def test_a_manifest_leads_no_painting_out_of_the_folder(painting: object, tmp_path: Path) -> None:
    photos, out, job = tmp_path / "photos", tmp_path / "out", {"style": "x"}
    photos.mkdir()
    Image.new("RGB", (2, 2)).save(photos / "a.png")
    _rows(str(photos), str(out), "keep", job)
    known = json.loads((out / MANIFEST).read_text())
    (out / MANIFEST).write_text(json.dumps(known | {"paintings": {"a.png": painting}}))
    assert [row["painting"] for row in _rows(str(photos), str(out), "keep", job)] == ["a.png"]


@pytest.mark.parametrize(
    "manifest", ["", "hello", "[]", "{}", '{"work": {"style": "x"}}', '{"work": 7, "paintings": 7}']
)
def test_a_manifest_that_is_none_is_refused_in_one_line(manifest: str, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    for folder in (photos, out):
        folder.mkdir()
    Image.new("RGB", (2, 2)).save(photos / "a.png")
    (out / MANIFEST).write_text(manifest)
    with pytest.raises(ImpastoError, match="holds other files"):
        _rows(str(photos), str(out), "keep", {"style": "x"})
