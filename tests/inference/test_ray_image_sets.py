"""Workers of a cluster measure images as this machine does."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from fixtures.command import Impasto
from fixtures.noise_images import write_noise
from fixtures.ray_cluster import compute_here, ray_cluster, worker_killed_at_work
from impasto.inference import ray_image_sets


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders, a zip and a pack of different images, an equal one, and files that are none."""
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    for number in range(22):
        folder = tmp_path / "fakes" / ("b" if number % 3 else "a10" if number % 2 else "a9")
        folder.mkdir(parents=True, exist_ok=True)
        write_noise(folder / f"{number}.png", number, size=(32, 32))
    shutil.copy(tmp_path / "fakes" / "b" / "1.png", tmp_path / "fakes" / "z.png")
    (tmp_path / "fakes" / "a9" / "1.png").write_text("no picture")
    with ZipFile(tmp_path / "reals.zip", "w") as archive:
        for number in range(12):
            write_noise(tmp_path / "real.png", 100 + number, 4, size=(32, 32))
            archive.write(tmp_path / "real.png", f"x/{number}.png")
        archive.writestr("x/3.jpg", "no picture")
    return tmp_path


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    del found["created"]
    return found


def test_folders_zips_packs_and_addresses_score_as_by_the_local_engine(
    images: Path, impasto: Impasto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_image_sets, "compute", compute_here)
    monkeypatch.setattr("torch.set_num_threads", lambda number: None)
    options = ("--against", "reals.zip", "--count", "23", "--out")
    impasto("evaluate", "fakes", *options, "local")
    impasto("evaluate", "fakes", *options, "ray", "--engine", "ray")
    assert result(images / "ray") == result(images / "local")
    assert result(images / "ray")["fakes"]["left_out"] and result(images / "ray")["fakes"]["scored"] == 22

    impasto("pack", "reals.zip", "packed", "--size", "48")
    impasto("evaluate", "packed", *options[:2], "--out", "local")
    files = MemoryFileSystem()
    try:
        files.pipe_file("/bucket/reals.zip", (images / "reals.zip").read_bytes())
        for path in (images / "packed").iterdir():
            files.put_file(str(path), f"/bucket/packed/{path.name}")
        addresses = ("memory://bucket/packed", "--against", "memory://bucket/reals.zip")
        impasto("evaluate", *addresses, "--out", "ray", "--engine", "ray")
        assert result(images / "ray")["scores"] == result(images / "local")["scores"]
    finally:
        files.rm("/", recursive=True)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_is_killed_changes_no_score(
    images: Path, impasto: Impasto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_image_sets, "CHUNK", 4)
    options = ("fakes", "--against", "reals.zip", "--out")
    impasto("evaluate", *options, "local")
    with ray_cluster(), worker_killed_at_work("FeatureWorker") as killed:
        impasto("evaluate", *options, "ray", "--engine", "ray")
    assert killed and result(images / "ray") == result(images / "local")


def test_what_workers_cannot_read_is_refused_in_one_line(
    images: Path, impasto: Impasto, monkeypatch: pytest.MonkeyPatch
) -> None:
    (images / "records").mkdir()
    (images / "records" / "a.tfrec").write_bytes(b"")
    for fakes, reason in (("records", "TFRecords"), ("nowhere", "no file or folder"), ("foo://x", "foo://x")):
        done = impasto("evaluate", fakes, "--against", "reals.zip", "--engine", "ray", check=False)
        assert done.returncode == 1 and reason in done.stderr and done.stderr.count("\n") == 1
    monkeypatch.setitem(sys.modules, "ray", None)
    done = impasto("evaluate", "fakes", "--against", "reals.zip", "--engine", "ray", check=False)
    assert done.returncode == 1 and "pip install 'impasto[ray]'" in done.stderr
