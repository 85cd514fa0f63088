"""The commands ``info``, ``doctor`` and ``cache``."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.command import Impasto, one_line
from fixtures.translators import translator


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    translator(-1).save(tmp_path / "negative.safetensors")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / "my photo.png")
    return tmp_path / "my photo.png"


@pytest.mark.parametrize("format", ["jpg", "png"])
def test_the_command_in_a_painting_makes_it_again(impasto: Impasto, photo: Path, tmp_path: Path, format: str) -> None:
    options = ("--style", "negative.safetensors", "--strength", "0.5", "--compare", "--format", format)
    impasto("paint", "my photo.png", *options, "--out", "first")
    painting = tmp_path / f"first/my photo.{format}"
    found = json.loads(impasto("info", painting, "--json").stdout)
    assert found["kind"] == "picture" and (found["facts"]["width"], found["facts"]["height"]) == (60, 20)
    assert found["facts"]["settings"] == {
        "style": "negative.safetensors",
        "strength": 0.5,
        "compare": True,
        "photo": "my photo.png",
    }
    _, *again = shlex.split(found["made_by"])
    assert found["made_by"] in impasto("info", painting).stdout
    impasto(*again, "--format", format)
    assert (tmp_path / f"painted/my photo.{format}").read_bytes() == painting.read_bytes()


def test_styles_packs_and_pictures_without_settings_are_told_and_others_refused(
    impasto: Impasto, photo: Path, tmp_path: Path
) -> None:
    assert "no settings of impasto" in impasto("info", photo).stdout
    style = impasto("info", "negative.safetensors").stdout
    assert "photos → paintings" in style and "impasto train" in style
    impasto("pack", photo, "squares", "--size", "16")
    packed = json.loads(impasto("info", "squares", "--json").stdout)
    assert packed["kind"] == "pack" and packed["facts"]["summary"]["pictures"] == 1
    assert packed["made_by"] == f"impasto pack {shlex.quote(str(photo))} squares --size 16"
    (tmp_path / "words.txt").write_text("dear diary")
    for path, reason in (("words.txt", "no picture"), (".", "neither a run folder nor a pack"), ("gone", "no file")):
        assert reason in one_line(impasto("info", path, check=False))


def test_the_cache_is_shown_and_cleared(impasto: Impasto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache/hub").mkdir(parents=True)
    (tmp_path / "cache/hub" / f"{'ab' * 16}.json").write_text("{}")
    assert "hub: 1 files" in impasto("cache").stdout
    assert "--clear KIND" in one_line(impasto("cache", "hub", check=False))
    assert "no kind 'x'" in one_line(impasto("cache", "--clear", "x", check=False))
    removed = json.loads(impasto("cache", "--clear", "hub", "--json").stdout)["removed"]
    assert [(each["kind"], each["files"]) for each in removed] == [("hub", 1)]
    assert not list((tmp_path / "cache/hub").iterdir())


def test_doctor_reports_and_its_exit_code_tells_of_problems(impasto: Impasto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    done = impasto("doctor", check=False)
    assert done.returncode == 1 and "OMP_NUM_THREADS is many" in done.stdout and "Versions" in done.stdout
    found = json.loads(impasto("doctor", "--json", check=False).stdout)
    assert found["versions"]["torch"] and not found["complete"]
