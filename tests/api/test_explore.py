"""The explore verb, through the command line and in Python."""

import io
import json
import shlex
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import impasto as package
from fixtures.command import Impasto, one_line
from fixtures.planted import plant, stamped
from impasto.api import explore as module
from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.exploration.speed import SpeedEstimate
from impasto.reports.exploration_text import summary


def found_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "exploration.json").read_text(encoding="utf-8"))
    return found


def training(found: dict[str, Any]) -> str:
    """Return the training command."""
    (command,) = (each["command"] for each in found["recommendations"] if each["action"].startswith("Train "))
    return str(command)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Return a folder with issues, and the kind of each file."""
    folder = tmp_path_factory.mktemp("planted")
    return folder, plant(folder)


@pytest.fixture
def known_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A speed that is not measured: tests/exploration/test_speed.py does it."""
    monkeypatch.setattr(module, "estimate_speed", lambda *_: SpeedEstimate(0.3, 16, 10**9))


@pytest.mark.usefixtures("known_speed")
def test_every_planted_issue_is_found(planted: tuple[Path, dict[str, str]], impasto: Impasto, tmp_path: Path) -> None:
    folder, files = planted
    said = impasto("explore", folder, "--out", "look").stdout
    found = found_in(tmp_path / "look")["paintings"]
    inventory = found["inventory"]
    left_out = {each["name"]: each["reason"] for each in inventory["left_out"]}
    kept = {each["name"]: each for each in inventory["pictures"]}
    for name, action in files.items():
        if action.startswith("unreadable"):
            assert left_out.get(name), name
        elif action.startswith("duplicate"):
            assert name in {each["name"] for each in inventory["duplicates"]}, name
        elif action.startswith("near duplicate"):
            assert name in {each for pair in inventory["near_duplicates"] for each in pair}, name
        elif action.startswith("junk"):
            assert name not in kept and name not in left_out
        else:
            assert name in kept, name
        if action.startswith("framed"):
            assert name in {each["name"] for each in found["frames"]}, name
        if action.startswith("watermark"):
            assert name in {each["name"] for each in found["watermarks"]}, name
    assert any("megapixels" in reason for reason in left_out.values())
    assert any("text" in reason for reason in left_out.values())
    assert "CMYK" in {each["mode"] for each in kept.values()}
    assert any(each["width"] == each["height"] == 1 for each in kept.values())
    page = (tmp_path / "look" / "exploration.html").read_text(encoding="utf-8")
    assert "<h4>Exact duplicates</h4>" in page and "<h4>Near duplicates</h4>" in page
    assert inventory["junk"] >= 2 and "left out" in said and "1. " in said


@pytest.mark.usefixtures("known_speed")
def test_the_page_is_complete_and_loads_nothing(impasto: Impasto, tmp_path: Path) -> None:
    impasto("explore", "sample:paintings", "--photos", "sample:photos", "--out", "look")
    page = (tmp_path / "look" / "exploration.html").read_text(encoding="utf-8")
    assert "60 paintings and 5 photos" in page and "http" not in page.replace("http-equiv", "")
    there = {path.name for path in (tmp_path / "look").iterdir()}
    assert {"histograms.png", "statistics.png", "spectrum.png", "palettes.png", "similarity-paintings.png"} <= there
    found = found_in(tmp_path / "look")
    assert found["photos"]["inventory"]["source"] == "sample:photos" and found["gap"] is None
    command = shlex.split(training(found))
    assert command[:3] == ["impasto", "train", "monet"] and "sample:photos" in command


@pytest.mark.usefixtures("known_speed")
@pytest.mark.long
def test_an_earlier_exploration_is_replaced_and_other_files_are_not(impasto: Impasto, tmp_path: Path) -> None:
    out, command = tmp_path / "look", ("explore", "sample:photos", "--out", "look", "--recipe", "dcgan-64")
    out.mkdir()
    (out / "mine.jpg").write_bytes(b"old")
    impasto(*command)
    assert training(found_in(out)).startswith("impasto train dcgan-64")
    first = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    impasto(*command)
    second = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] == second[name]} == {"mine.jpg"}
    (out / "map-photos.jpg").write_bytes(b"mine")
    assert "holds map-photos.jpg, which is not of an earlier report" in one_line(impasto(*command, check=False))
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir() if path.name in second} == second
    assert (out / "map-photos.jpg").read_bytes() == b"mine"


@pytest.mark.long
@pytest.mark.usefixtures("known_speed")
def test_frames_and_elongated_images_are_found(impasto: Impasto, tmp_path: Path, shared_data: Path) -> None:
    impasto("explore", shared_data / "chinese_raw", "--out", "look")
    found = found_in(tmp_path / "look")
    assert 60 <= len(found["paintings"]["frames"]) <= 70
    assert any("--crop-frames" in each["action"] for each in found["recommendations"])
    assert "--crop-frames" in training(found)
    assert any("long paintings" in each["action"] for each in found["recommendations"])


@pytest.mark.usefixtures("known_speed")
@pytest.mark.long
def test_a_common_watermark_is_reported_and_shown(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with zipfile.ZipFile(Path(package.__file__).parent / "sample" / "paintings.zip") as archive:
        for name in sorted(archive.namelist())[:20]:
            picture = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
            stamped(picture, alpha=0.3, size=0.09, place=(0.5, 0.9)).save(tmp_path / "set" / f"{Path(name).stem}.png")
    found = module.explore(str(tmp_path / "set"), tmp_path / "look", device="cpu")
    assert found.paintings.common_watermarks and all(each.box[1] > 0.75 for each in found.paintings.common_watermarks)
    assert not any("edges" in mark.reason for mark in found.paintings.watermarks)
    assert any("Crop the bottom of the paintings" in each.action for each in found.recommendations)
    assert any("have the same mark at the bottom" in line for line in summary(found))
    page = (tmp_path / "look" / "exploration.html").read_text(encoding="utf-8")
    assert page.count('alt="Position of a common mark') == 3 * len(found.paintings.common_watermarks)


def test_an_unknown_recipe_is_an_error_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "scan_source", lambda *_, **__: pytest.fail("the images were measured first"))
    with pytest.raises(ImpastoError, match="did you mean"):
        module.explore("sample:paintings", tmp_path / "look", recipe="dcgan-65")


def test_without_enough_memory_there_is_no_speed_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(error: Exception) -> None:
        def estimate_speed(*_: object) -> None:
            raise error

        monkeypatch.setattr(module, "estimate_speed", estimate_speed)

    recipe, device = Recipe.load("dcgan-64"), torch.device("cpu")
    fails(torch.OutOfMemoryError("CUDA out of memory."))
    assert module._estimate_speeds(recipe, device, "32-true") == {}
    fails(RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        module._estimate_speeds(recipe, device, "32-true")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere"),
        (["sample:paintings", "--recipe", "dcgan-65"], "did you mean"),
        (["sample:paintings", "--photos", "sample:sketches"], "the samples are"),
    ],
)
def test_errors_are_one_line(impasto: Impasto, arguments: list[str], message: str) -> None:
    failed = impasto("explore", *arguments, check=False)
    assert failed.returncode == 1 and message in failed.stderr and failed.stderr.count("\n") == 1
