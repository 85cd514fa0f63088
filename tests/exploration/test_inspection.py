"""Inspection finds planted frames and watermarks, and returns small crops of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fixtures.planted import plant
from impasto.data.pixel_store import pack
from impasto.exploration import inspection
from impasto.exploration.inspection import CROP_SIDE, inspect_images


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("planted") / "pictures"
    return folder, plant(folder)


def test_planted_borders_and_watermarks_are_found_without_false_positives(
    planted: tuple[Path, dict[str, str]],
) -> None:
    folder, kinds = planted
    close = inspect_images(str(folder), kinds)
    assert {"white-border.png", "dark-frame.jpg"} <= {each.name for each in close.frames}
    assert "stamped.jpg" in {mark.name for mark in close.watermarks}
    suspected = {each.name for each in close.frames} | {mark.name for mark in close.watermarks}
    assert sum(kinds[name].startswith("good") for name in suspected) <= 1


def test_the_box_of_a_planted_border_is_the_image_inside(planted: tuple[Path, dict[str, str]]) -> None:
    (frame,) = inspect_images(str(planted[0]), ["white-border.png"]).frames
    assert np.allclose(frame.box, (24 / 304, 24 / 304, 280 / 304, 280 / 304), atol=0.02)


def test_only_the_named_images_are_inspected_and_unreadable_ones_skipped(planted: tuple[Path, dict[str, str]]) -> None:
    names = ["cut.jpg", "empty.jpg", "bomb.png", "dot.png", "stamped.jpg", "there is no such.jpg"]
    close = inspect_images(str(planted[0]), names)
    assert {mark.name for mark in close.watermarks} == {"stamped.jpg"}
    assert inspect_images(str(planted[0]), []).crops == []


def test_crops_are_small_few_and_have_boxes_in_their_own_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MAX_CROPS", 3)
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    picture = ImageOps.expand(Image.fromarray(noise).resize((600, 400), Image.Resampling.NEAREST), 50, "white")
    names = [f"{i}.png" for i in range(5)]
    for name in names:
        picture.save(tmp_path / name)
    close = inspect_images(str(tmp_path), names)
    assert [each.name for each in close.frames] == names
    assert [crop.name for crop in close.crops] == names[:3]
    for crop in close.crops:
        assert max(crop.before.size) == CROP_SIDE
        assert np.allclose(crop.box, np.multiply((50, 50, 650, 450), CROP_SIDE / 700), atol=3)


def test_a_pack_is_inspected_like_its_folder(planted: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, kinds = planted
    pack(folder, tmp_path / "packed", 256)
    close = inspect_images(str(tmp_path / "packed"), kinds)
    assert "dark-frame.jpg" in {each.name for each in close.frames}
    assert "stamped.jpg" in {mark.name for mark in close.watermarks}
