"""Exploring, with whole commands as a user's shell runs them."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from planted import plant

from conftest import Impasto


def found_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "exploration.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder of faults, and what each file is."""
    folder = tmp_path_factory.mktemp("planted")
    return folder, plant(folder)


def test_every_planted_fault_is_found(planted: tuple[Path, dict[str, str]], impasto: Impasto, tmp_path: Path) -> None:
    folder, files = planted
    said = impasto("explore", folder, "--out", "look").stdout
    found = found_in(tmp_path / "look")["paintings"]
    survey = found["survey"]
    left_out = {each["name"]: each["reason"] for each in survey["left_out"]}
    kept = {each["name"]: each for each in survey["pictures"]}
    for name, what in files.items():
        if what.startswith("unreadable"):
            assert left_out.get(name), name
        elif what.startswith("duplicate"):
            assert name in {each["name"] for each in survey["duplicates"]}, name
        elif what.startswith("near duplicate"):
            assert name in {each for pair in survey["near_duplicates"] for each in pair}, name
        elif what.startswith("junk"):
            assert name not in kept and name not in left_out
        else:
            assert name in kept, name
        if what.startswith("framed"):
            assert name in {each["name"] for each in found["framed"]}, name
        if what.startswith("watermark"):
            assert name in {each["name"] for each in found["marks"]}, name
    assert any("megapixels" in reason for reason in left_out.values())
    assert any("text" in reason for reason in left_out.values())
    assert "CMYK" in {each["mode"] for each in kept.values()}
    assert any(each["width"] == each["height"] == 1 for each in kept.values())
    page = (tmp_path / "look" / "exploration.html").read_text(encoding="utf-8")
    assert "<h4>Exact duplicates</h4>" in page and "<h4>Nearly the same</h4>" in page
    assert survey["junk"] >= 2 and "left out" in said and "1. " in said


def test_the_page_holds_all_and_loads_nothing(impasto: Impasto, tmp_path: Path) -> None:
    impasto("explore", "sample:paintings", "--photos", "sample:photos", "--out", "look")
    page = (tmp_path / "look" / "exploration.html").read_text(encoding="utf-8")
    assert "60 paintings and 5 photos" in page and "http" not in page.replace("http-equiv", "")
    there = {path.name for path in (tmp_path / "look").iterdir()}
    assert {"histograms.png", "measures.png", "spectrum.png", "palettes.png", "similarity-paintings.png"} <= there
    found = found_in(tmp_path / "look")
    assert found["photos"]["survey"]["source"] == "sample:photos" and found["gap"] is None
    command = shlex.split(found["advice"][-1]["command"])
    assert command[:3] == ["impasto", "train", "monet"] and "sample:photos" in command


def test_an_older_exploration_of_the_folder_goes_and_nothing_else_does(impasto: Impasto, tmp_path: Path) -> None:
    (tmp_path / "look").mkdir()
    for name in ("frames-paintings-9.jpg", "mine.jpg"):
        (tmp_path / "look" / name).write_bytes(b"old")
    impasto("explore", "sample:photos", "--out", "look", "--recipe", "dcgan-128")
    assert not (tmp_path / "look" / "frames-paintings-9.jpg").exists() and (tmp_path / "look" / "mine.jpg").exists()
    assert found_in(tmp_path / "look")["advice"][-1]["command"].startswith("impasto train dcgan-128")


def test_frames_and_odd_shapes_of_real_pictures_are_found(impasto: Impasto, tmp_path: Path, shared_data: Path) -> None:
    impasto("explore", shared_data / "chinese_raw", "--out", "look")
    found = found_in(tmp_path / "look")
    assert 60 <= len(found["paintings"]["framed"]) <= 70
    assert any(each["command"] or "--crop-frames" in each["what"] for each in found["advice"])
    assert "--crop-frames" in found["advice"][-1]["command"]
    assert any("long paintings" in each["what"] for each in found["advice"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere"),
        (["sample:paintings", "--recipe", "dcgan-65"], "did you mean"),
        (["sample:paintings", "--photos", "sample:sketches"], "the samples are"),
    ],
)
def test_what_cannot_be_explored_is_told_in_one_line(impasto: Impasto, arguments: list[str], message: str) -> None:
    failed = impasto("explore", *arguments, check=False)
    assert failed.returncode == 1 and message in failed.stderr and failed.stderr.count("\n") == 1
