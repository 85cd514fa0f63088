"""The commands that run styles."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.command import Impasto, one_line
from fixtures.noise_style import style


@pytest.fixture
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unconditional style, as a file."""
    path = tmp_path_factory.mktemp("style") / "noise.safetensors"
    style().save(path)
    return path


@pytest.mark.parametrize(
    ("arguments", "error"), [(["generate", "nowhere", "--out", "x"], "nowhere"), (["submit"], "--check")]
)
def test_wrong_options_are_refused_in_one_line(
    impasto: Impasto, tmp_path: Path, arguments: list[str], error: str
) -> None:
    assert error in one_line(impasto(*arguments, check=False))
    assert list(tmp_path.iterdir()) == []


def test_an_image_does_not_depend_on_how_many_are_generated(noise: Path, impasto: Impasto, tmp_path: Path) -> None:
    impasto("generate", noise, "--count", "40", "--seed", "3", "--out", "many")
    impasto("generate", noise, "--count", "5", "--seed", "3", "--start", "20", "--out", "few.zip")
    with zipfile.ZipFile(tmp_path / "few.zip") as few:
        assert few.namelist() == [f"{n:05d}.png" for n in range(20, 25)]
        for name in few.namelist():
            with few.open(name) as one, Image.open(one) as picture, Image.open(tmp_path / "many" / name) as same:
                assert np.array_equal(np.asarray(picture), np.asarray(same))


def test_a_submission_passes_its_check_and_a_damaged_one_does_not(
    noise: Path, impasto: Impasto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "6,999" in one_line(impasto("submit", noise, "--count", "6999", "--out", "few.zip", check=False))
    assert not (tmp_path / "few.zip").exists()
    monkeypatch.setattr("impasto.interop.kaggle_submission.FEWEST", 40)  # 7,000 take a while: tests/api/test_submit.py
    written = impasto("submit", noise, "--count", "40", "--out", "images.zip").stdout
    assert "40 images, valid for the competition" in written
    assert "40 images, valid for the competition" in impasto("submit", "--check", "images.zip").stdout
    with zipfile.ZipFile(tmp_path / "images.zip", "a") as images:
        images.writestr("notes.txt", "hello")
    done = impasto("submit", "--check", "images.zip", check=False)
    assert done.returncode == 1 and "notes.txt" in done.stdout
