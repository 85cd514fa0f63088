"""Claims about the close look: it finds what was planted, says where in shares, and keeps little in memory."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fixtures.planted import plant
from impasto.data.pixel_store import pack
from impasto.exploration import inspection
from impasto.exploration.inspection import SHOWN, inspect_images


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("planted") / "pictures"
    return folder, plant(folder)


def test_planted_borders_and_stamps_are_found_and_good_pictures_are_left_alone(
    planted: tuple[Path, dict[str, str]],
) -> None:
    folder, what = planted
    close = inspect_images(str(folder), what)
    assert {"white-border.png", "dark-frame.jpg"} <= {framed.name for framed in close.framed}
    assert "stamped.jpg" in {mark.name for mark in close.marks}
    suspected = {framed.name for framed in close.framed} | {mark.name for mark in close.marks}
    assert sum(what[name].startswith("good") for name in suspected) <= 1


def test_the_box_of_a_planted_border_is_that_of_the_picture(planted: tuple[Path, dict[str, str]]) -> None:
    (framed,) = inspect_images(str(planted[0]), ["white-border.png"]).framed
    assert np.allclose(framed.box, (24 / 304, 24 / 304, 280 / 304, 280 / 304), atol=0.02)


def test_only_the_named_are_looked_at_and_the_unreadable_are_passed_over(planted: tuple[Path, dict[str, str]]) -> None:
    names = ["cut.jpg", "empty.jpg", "bomb.png", "dot.png", "stamped.jpg", "there is no such.jpg"]
    close = inspect_images(str(planted[0]), names)
    assert {mark.name for mark in close.marks} == {"stamped.jpg"}
    assert inspect_images(str(planted[0]), []).crops == []


def test_crops_to_show_are_small_few_and_boxed_in_their_own_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MOST_SHOWN", 3)
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    picture = ImageOps.expand(Image.fromarray(noise).resize((600, 400), Image.Resampling.NEAREST), 50, "white")
    names = [f"{i}.png" for i in range(5)]
    for name in names:
        picture.save(tmp_path / name)
    close = inspect_images(str(tmp_path), names)
    assert [framed.name for framed in close.framed] == names
    assert [crop.name for crop in close.crops] == names[:3]
    for crop in close.crops:
        assert max(crop.before.size) == SHOWN
        assert np.allclose(crop.box, np.multiply((50, 50, 650, 450), SHOWN / 700), atol=3)


def test_a_pack_is_looked_at_as_its_folder_is(planted: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, what = planted
    pack(folder, tmp_path / "packed", 256)
    close = inspect_images(str(tmp_path / "packed"), what)
    assert "dark-frame.jpg" in {framed.name for framed in close.framed}
    assert "stamped.jpg" in {mark.name for mark in close.marks}
