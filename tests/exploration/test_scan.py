"""One pass over a data set."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.data.pixel_store import pack
from impasto.exploration import scan as module
from impasto.exploration.image_statistics import measure_image
from impasto.exploration.scan import common_size, load_squares, scan_source


def folder_of(folder: Path, count: int, side: int = 64) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        colours = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{number:03d}.png")
    return folder


def test_every_image_is_measured_and_the_sample_is_bounded_and_evenly_spaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE", 10)
    seen = scan_source(str(folder_of(tmp_path / "set", 87)), 64)
    assert len(seen.statistics) == 87 and [each.name for each in seen.statistics] == [f"{k:03d}.png" for k in range(87)]
    assert len(seen.squares) == len(seen.sample) == 10
    gaps = np.diff([-1, *seen.sample, 87])
    assert gaps.max() <= 16
    again = load_squares(str(tmp_path / "set"), seen.names, 64, crop_frames=False)
    assert all(np.array_equal(again[name], square) for name, square in zip(seen.names, seen.squares, strict=True))


def test_histogram_and_power_are_sums_over_all_images(tmp_path: Path) -> None:
    seen = scan_source(str(folder_of(tmp_path / "set", 9)), 64)
    measures = [measure_image(square) for square in seen.squares]
    assert np.allclose(seen.power, sum(each.power for each in measures))
    counts = np.sum([each.histogram for each in measures], axis=0)
    assert np.allclose(seen.histogram, counts / counts.sum(axis=1, keepdims=True))
    assert [each.brightness for each in seen.statistics] == [each.brightness for each in measures]


def test_a_pack_is_measured_like_its_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "set", 5)
    pack(folder, tmp_path / "pack", size=64)
    one, two = scan_source(str(folder), 64), scan_source(str(tmp_path / "pack"), 64)
    assert one.statistics == two.statistics and np.array_equal(one.squares, two.squares)
    assert common_size(str(folder), str(tmp_path / "pack")) == 64 and common_size(str(folder)) == 256
    assert scan_source(str(tmp_path / "pack"), 32).squares.shape == (5, 32, 32, 3)
