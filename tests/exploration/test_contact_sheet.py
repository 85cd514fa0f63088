"""Sheets show the right pictures in the right order, and text that can be read."""

import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from impasto.exploration.contact_sheet import GAP, Crop, _drawable, _font_file, _label, before_after, contact_sheet

SIDE = 64
RED = np.array([230, 30, 30])


def plain(count: int) -> np.ndarray:
    """``count`` pictures of 64×64, each of its own grey."""
    greys = np.linspace(60, 180, count).astype(np.uint8)
    return np.broadcast_to(greys[:, None, None, None], (count, SIDE, SIDE, 3)).copy()


def greys(sheet: Image.Image) -> list[int]:
    """The plain pictures' greys as they lie on the sheet, row by row."""
    pixels = np.asarray(sheet)
    found: list[int] = []
    for y in range(SIDE // 2, sheet.height, SIDE // 4):
        for x in range(GAP + SIDE // 2, sheet.width, SIDE + GAP):
            patch = pixels[y - 4 : y + 4, x - 4 : x + 4]
            if patch.size and patch.min() == patch.max() < 255 and int(patch.max()) not in found:
                found.append(int(patch.max()))
    return found


def test_a_contact_sheet_shows_every_picture_in_order() -> None:
    pictures = plain(12)
    assert greys(contact_sheet(pictures, "Greys")) == [int(picture[0, 0, 0]) for picture in pictures]


def test_of_too_many_pictures_an_even_choice_is_shown() -> None:
    pictures = plain(101)
    shown = greys(contact_sheet(pictures, "Greys", limit=5))
    assert shown == [int(pictures[i, 0, 0, 0]) for i in (0, 25, 50, 75, 100)]


def test_captions_make_room_below_and_do_not_touch_the_pictures() -> None:
    pictures = plain(4)
    bare, captioned = contact_sheet(pictures, "Greys"), contact_sheet(pictures, "Greys", list("abcd"))
    assert captioned.height > bare.height and captioned.width == bare.width
    assert greys(captioned) == greys(bare)


def test_each_picture_needs_its_caption() -> None:
    with pytest.raises(ValueError, match="3 pictures have 2 captions"):
        contact_sheet(plain(3), "Greys", ["a", "b"])


def test_no_picture_makes_no_sheet() -> None:
    with pytest.raises(ValueError):
        contact_sheet(np.zeros((0, 8, 8, 3), np.uint8), "Nothing")


def framed() -> Image.Image:
    picture = Image.new("RGB", (300, 200), "black")
    picture.paste((0, 0, 255), (60, 40, 240, 160))
    return picture


def test_a_crop_is_shown_with_its_box_and_what_is_left_beside_it() -> None:
    (page,) = before_after([Crop("framed.jpg", framed(), (60, 40, 240, 160))])
    pixels = np.asarray(page)
    assert (pixels == RED).all(-1).any(0).nonzero()[0].max() < page.width // 2
    before, after = pixels[:-40, : page.width // 2], pixels[40:-40, page.width // 2 + GAP :]
    assert (before == 0).all(-1).sum() > 5000
    assert (after == 0).all(-1).sum() == 0 and (after == (0, 0, 255)).all(-1).sum() > 20_000


def test_many_crops_go_on_several_pages_with_one_large_picture_in_memory_at_a_time() -> None:
    made: list[weakref.ref[Image.Image]] = []

    def crops() -> Iterator[Crop]:
        for number in range(7):
            picture = framed()
            assert sum(ref() is not None for ref in made) <= 1
            made.append(weakref.ref(picture))
            yield Crop(f"{number}.jpg", picture, (0, 0, 300, 200))

    assert len(before_after(crops(), per_page=3)) == 3


def test_the_picture_itself_is_not_drawn_upon() -> None:
    picture = framed()
    before_after([Crop("framed.jpg", picture, (60, 40, 240, 160))])
    assert picture.tobytes() == framed().tobytes()


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Seerosen im Fluß.jpg", "Seerosen im Fluß.jpg"),
        ("Кувшинки.jpg", "Кувшинки.jpg"),
        ("山水验证1.jpg", "#7 …1.jpg"),
        ("two\nlines.jpg", "#7 two…lines.jpg"),
    ],
)
def test_a_name_the_font_cannot_draw_gets_its_number(name: str, label: str) -> None:
    assert _label(7, name) == label


@settings(deadline=None)
@given(st.text(max_size=12))
def test_no_name_ever_shows_an_empty_box(name: str) -> None:
    font = ImageFont.truetype(_font_file(), 20)
    tofu = np.asarray(font.getmask("\U000f0000"))
    for character in _drawable(name):
        drawn = np.asarray(font.getmask(character))
        assert drawn.shape != tofu.shape or (drawn != tofu).any()


def test_a_long_name_stays_within_its_picture() -> None:
    sheet = contact_sheet(plain(1), "Long", ["a very long name " * 20 + ".jpg"])
    assert (np.asarray(sheet)[:, GAP + SIDE :] == 255).all()
