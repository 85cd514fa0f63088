"""Contact sheets show the images in order, with readable text."""

import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from impasto.exploration.contact_sheet import GAP, Crop, _drawable, _font_file, _label, contact_sheet, crop_pages

SIDE = 64
RED = np.array([230, 30, 30])


def plain(count: int) -> np.ndarray:
    """Return ``count`` images of 64×64, each of its own grey."""
    greys = np.linspace(60, 180, count).astype(np.uint8)
    return np.broadcast_to(greys[:, None, None, None], (count, SIDE, SIDE, 3)).copy()


def greys(sheet: Image.Image) -> list[int]:
    """Return the greys on the sheet, row by row."""
    pixels = np.asarray(sheet)
    found: list[int] = []
    for y in range(SIDE // 2, sheet.height, SIDE // 4):
        for x in range(GAP + SIDE // 2, sheet.width, SIDE + GAP):
            patch = pixels[y - 4 : y + 4, x - 4 : x + 4]
            if patch.size and patch.min() == patch.max() < 255 and int(patch.max()) not in found:
                found.append(int(patch.max()))
    return found


def test_a_contact_sheet_shows_every_image_in_order() -> None:
    pictures = plain(12)
    assert greys(contact_sheet(pictures, "Greys")) == [int(picture[0, 0, 0]) for picture in pictures]


def test_above_the_limit_evenly_spaced_images_are_shown() -> None:
    pictures = plain(101)
    shown = greys(contact_sheet(pictures, "Greys", limit=5))
    assert shown == [int(pictures[i, 0, 0, 0]) for i in (0, 25, 50, 75, 100)]


def test_captions_are_below_the_images() -> None:
    pictures = plain(4)
    bare, captioned = contact_sheet(pictures, "Greys"), contact_sheet(pictures, "Greys", list("abcd"))
    assert captioned.height > bare.height and captioned.width == bare.width
    assert greys(captioned) == greys(bare)


def test_each_image_needs_a_caption() -> None:
    with pytest.raises(ValueError, match="3 images have 2 captions"):
        contact_sheet(plain(3), "Greys", ["a", "b"])


def test_a_sheet_needs_an_image() -> None:
    with pytest.raises(ValueError):
        contact_sheet(np.zeros((0, 8, 8, 3), np.uint8), "Nothing")


def frames() -> Image.Image:
    picture = Image.new("RGB", (300, 200), "black")
    picture.paste((0, 0, 255), (60, 40, 240, 160))
    return picture


def test_a_crop_is_shown_with_its_box_beside_its_result() -> None:
    (page,) = crop_pages([Crop("framed.jpg", frames(), (60, 40, 240, 160))])
    pixels = np.asarray(page)
    assert (pixels == RED).all(-1).any(0).nonzero()[0].max() < page.width // 2
    before, after = pixels[:-40, : page.width // 2], pixels[40:-40, page.width // 2 + GAP :]
    assert (before == 0).all(-1).sum() > 5000
    assert (after == 0).all(-1).sum() == 0 and (after == (0, 0, 255)).all(-1).sum() > 20_000


def test_many_crops_take_several_pages_with_one_large_image_in_memory() -> None:
    made: list[weakref.ref[Image.Image]] = []

    def crops() -> Iterator[Crop]:
        for number in range(7):
            picture = frames()
            assert sum(ref() is not None for ref in made) <= 1
            made.append(weakref.ref(picture))
            yield Crop(f"{number}.jpg", picture, (0, 0, 300, 200))

    assert len(crop_pages(crops(), per_page=3)) == 3


def test_the_given_image_is_not_modified() -> None:
    picture = frames()
    crop_pages([Crop("framed.jpg", picture, (60, 40, 240, 160))])
    assert picture.tobytes() == frames().tobytes()


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Seerosen im Fluß.jpg", "Seerosen im Fluß.jpg"),
        ("Кувшинки.jpg", "Кувшинки.jpg"),
        ("山水验证1.jpg", "#7 …1.jpg"),
        ("two\nlines.jpg", "#7 two…lines.jpg"),
    ],
)
def test_a_name_without_glyphs_gets_a_number(name: str, label: str) -> None:
    assert _label(7, name) == label


@settings(deadline=None)
@given(st.text(max_size=12))
def test_missing_glyphs_are_replaced(name: str) -> None:
    font = ImageFont.truetype(_font_file(), 20)
    tofu = np.asarray(font.getmask("\U000f0000"))
    for character in _drawable(name):
        drawn = np.asarray(font.getmask(character))
        assert drawn.shape != tofu.shape or (drawn != tofu).any()


def test_a_long_name_is_shortened_to_the_width() -> None:
    sheet = contact_sheet(plain(1), "Long", ["a very long name " * 20 + ".jpg"])
    assert (np.asarray(sheet)[:, GAP + SIDE :] == 255).all()
