"""One pass over a set of pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.data.pixel_store import pack
from impasto.exploration import scan as module
from impasto.exploration.image_statistics import measure
from impasto.exploration.scan import common_size, look, see


def folder_of(folder: Path, count: int, side: int = 64) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        colours = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{number:03d}.png")
    return folder


def test_every_picture_is_measured_and_a_bounded_sample_is_kept_that_spreads_over_the_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE", 10)
    seen = look(str(folder_of(tmp_path / "set", 87)), 64)
    assert len(seen.looks) == 87 and [each.name for each in seen.looks] == [f"{k:03d}.png" for k in range(87)]
    assert len(seen.squares) == len(seen.sample) == 10
    gaps = np.diff([-1, *seen.sample, 87])
    assert gaps.max() <= 16
    again = see(str(tmp_path / "set"), seen.names, 64, crop_frames=False)
    assert all(np.array_equal(again[name], square) for name, square in zip(seen.names, seen.squares, strict=True))


def test_what_is_summed_up_is_that_of_all_pictures(tmp_path: Path) -> None:
    seen = look(str(folder_of(tmp_path / "set", 9)), 64)
    measures = [measure(square) for square in seen.squares]
    assert np.allclose(seen.power, sum(each.power for each in measures))
    counts = np.sum([each.histogram for each in measures], axis=0)
    assert np.allclose(seen.histogram, counts / counts.sum(axis=1, keepdims=True))
    assert [each.brightness for each in seen.looks] == [each.brightness for each in measures]


def test_a_pack_is_looked_at_like_the_folder_it_was_made_of(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "set", 5)
    pack(folder, tmp_path / "pack", size=64)
    one, two = look(str(folder), 64), look(str(tmp_path / "pack"), 64)
    assert one.looks == two.looks and np.array_equal(one.squares, two.squares)
    assert common_size(str(folder), str(tmp_path / "pack")) == 64 and common_size(str(folder)) == 256
    assert look(str(tmp_path / "pack"), 32).squares.shape == (5, 32, 32, 3)
