"""Workers of a cluster explore a data set as this machine does."""

import json
from pathlib import Path

import pytest

from fixtures.command import Impasto
from fixtures.noise_images import write_noise
from fixtures.ray_cluster import compute_here, ray_cluster, worker_killed_at_work
from impasto.data.sources import open_source
from impasto.exploration import ray_scan, scan
from impasto.exploration.scan import Scan, scan_source
from impasto.inference.remote_photos import open_remote_source


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Images in folders, two of them equal, and two files that are none."""
    for number in range(24):
        folder = tmp_path / "images" / ("b" if number % 3 else "a10" if number % 2 else "a9")
        folder.mkdir(parents=True, exist_ok=True)
        write_noise(folder / f"{number}.png", min(number, 22), size=(48, 32 + number // 2 % 2))
    (tmp_path / "images" / "b" / "x.png").write_text("no picture")
    (tmp_path / "images" / "broken.png").symlink_to("nowhere")
    return tmp_path / "images"


def test_a_scan_is_that_of_the_local_engine(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_scan, "compute", compute_here)
    monkeypatch.setattr(scan, "SAMPLE", 5)
    local = scan_source(str(images), 32, crop_frames=True)
    remote = scan_source(str(images), 32, crop_frames=True, remote=open_remote_source(str(images)))
    assert len(local.statistics) == 23 and len(local.inventory.duplicates) == 1 and len(local.squares) == 5
    require_equal(remote, local)
    with open_source(images) as source:
        names = [entry.name for entry in source.entries()]
    assert [entry.name for entry in open_remote_source(str(images)).entries()] == names


def require_equal(one: Scan, other: Scan) -> None:
    reasons = [({each.name for each in every.inventory.left_out}) for every in (one, other)]
    assert reasons[0] == reasons[1] and len(reasons[0]) == 2
    for each in (one, other):
        each.inventory.left_out.clear()  # the reason of a broken link has other words
    assert one.inventory == other.inventory and one.statistics == other.statistics and one.sample == other.sample
    for name in ("histogram", "power", "squares"):
        assert (getattr(one, name) == getattr(other, name)).all(), name


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_is_killed_changes_no_result(
    images: Path, impasto: Impasto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_scan, "CHUNK", 2)
    (images / "broken.png").unlink()
    impasto("explore", images, "--out", "local", "--recipe", "dcgan-64")
    with ray_cluster(), worker_killed_at_work("ScanWorker") as killed:
        impasto("explore", images, "--out", "ray", "--recipe", "dcgan-64", "--engine", "ray")
    local, ray = (json.loads((tmp_path / name / "exploration.json").read_text()) for name in ("local", "ray"))
    assert killed and ray["paintings"] == local["paintings"]
    assert {each.name for each in (tmp_path / "ray").iterdir()} == {
        each.name for each in (tmp_path / "local").iterdir()
    }
