"""Nested borders are detected, and images without a border are left uncropped."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from impasto.data.border_crop import Box, find_content_box
from impasto.data.sources import open_source


def read(spec: str | Path) -> dict[str, Image.Image]:
    with open_source(spec) as source:
        return {entry.name: Image.open(io.BytesIO(entry.read())).convert("RGB") for entry in source.entries()}


PAINTINGS = list(read("sample:paintings").values())


def cut(picture: Image.Image) -> float:
    """Return the fraction of the area that is cropped."""
    left, top, right, bottom = find_content_box(np.asarray(picture))
    return 1 - (right - left) * (bottom - top) / (picture.width * picture.height)


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def mounted(
    picture: Image.Image,
    widths: tuple[int, int, int, int],
    colour: tuple[int, int, int],
    noise: float = 0,
    line: int = 0,
) -> Image.Image:
    left, top, right, bottom = widths
    mount = np.empty((picture.height + top + bottom, picture.width + left + right, 3))
    mount[:] = colour
    mount += np.random.default_rng(0).normal(0, noise, mount.shape) if noise else 0
    image = Image.fromarray(np.clip(mount, 0, 255).astype(np.uint8))
    if line:
        inner = (left - line, top - line, left + picture.width + line - 1, top + picture.height + line - 1)
        ImageDraw.Draw(image).rectangle(inner, "black")
    image.paste(picture, (left, top))
    return image


def uneven(rng: np.random.Generator) -> tuple[int, int, int, int]:
    left, top, right, bottom = (int(width) for width in rng.integers(8, 34, 4))
    return left, top, right, bottom


def differs_all_around(picture: Image.Image, colour: tuple[int, int, int]) -> bool:
    """Whether a border of that colour is visible along every side of the image."""
    away = np.abs(np.asarray(picture).astype(int) - colour).max(axis=2) > 50
    return all(bool(side.mean() > 0.97) for side in (away[:4], away[-4:], away[:, :4], away[:, -4:]))


def off(found: Box, truth: Box) -> list[int]:
    """Return the pixels cropped too much at each side; negative where some of the border is left."""
    return [found.left - truth.left, found.top - truth.top, truth.right - found.right, truth.bottom - found.bottom]


widths = st.tuples(*[st.integers(8, 60)] * 4)
colours = st.sampled_from([(255, 255, 255), (0, 0, 0), (240, 240, 240), (255, 0, 255), (0, 255, 0), (0, 0, 160)])


@settings(max_examples=25)
@given(picture=st.sampled_from(PAINTINGS), widths=widths, colour=colours, quality=st.integers(70, 97))
def test_a_uniform_border_of_different_widths_is_cropped(
    picture: Image.Image, widths: tuple[int, int, int, int], colour: tuple[int, int, int], quality: int
) -> None:
    assume(differs_all_around(picture, colour))
    found = find_content_box(np.asarray(as_jpeg(mounted(picture, widths, colour), quality)))
    truth = Box(widths[0], widths[1], widths[0] + picture.width, widths[1] + picture.height)
    own = find_content_box(np.asarray(picture))  # some paintings have a slim border of their own
    slack = [own.left, own.top, picture.width - own.right, picture.height - own.bottom]
    assert all(-4 <= each <= 4 + more for each, more in zip(off(found, truth), slack, strict=True))


def test_nested_textured_mounts_are_cropped() -> None:
    rng = np.random.default_rng(5)
    right = eaten = 0
    cases = [picture for picture in PAINTINGS[:16] if cut(picture) < 0.01]
    for picture in cases:
        white, silk, dark = (uneven(rng), uneven(rng), uneven(rng))
        image = mounted(picture, white, (250, 250, 250), noise=2, line=2)
        image = mounted(image, silk, (190, 160, 90), noise=8)
        image = as_jpeg(mounted(image, dark, (40, 20, 20), noise=3), 85)
        left, top = white[0] + silk[0] + dark[0], white[1] + silk[1] + dark[1]
        wrong = off(find_content_box(np.asarray(image)), Box(left, top, left + picture.width, top + picture.height))
        right += max(abs(each) for each in wrong) <= 5
        eaten += max(wrong) > 8
    assert right >= 0.8 * len(cases)
    assert eaten <= 0.05 * len(cases)


@given(picture=st.sampled_from(PAINTINGS), scale=st.floats(0.3, 6), data=st.data())
@settings(max_examples=15)
def test_the_box_lies_inside_the_image_at_any_size(picture: Image.Image, scale: float, data: st.DataObject) -> None:
    size = (round(picture.width * scale), round(picture.height * scale * data.draw(st.floats(0.2, 1))))
    box = find_content_box(np.asarray(picture.resize(size)))
    assert 0 <= box.left < box.right <= size[0]
    assert 0 <= box.top < box.bottom <= size[1]


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (3000, 2), (23, 23), (40, 40)])
def test_tiny_and_uniform_images_are_not_cropped(size: tuple[int, int]) -> None:
    for value in (0, 255):
        assert find_content_box(np.full((size[1], size[0], 3), value, np.uint8)) == (0, 0, *size)


def test_a_narrow_scroll_in_a_letterbox_is_found() -> None:
    scroll = PAINTINGS[0].resize((400, 50))
    image = as_jpeg(mounted(scroll, (0, 180, 0, 170), (242, 242, 242)), 90)
    assert max(abs(each) for each in off(find_content_box(np.asarray(image)), Box(0, 180, 400, 230))) <= 3


def test_a_fan_on_a_mount_is_found() -> None:
    fan = Image.new("L", (400, 220), 0)
    draw = ImageDraw.Draw(fan)
    draw.pieslice((0, 0, 399, 399), 200, 340, 255)
    draw.ellipse((120, 120, 279, 279), 0)
    image = mounted(Image.new("RGB", (400, 220), (205, 180, 110)), (30, 25, 30, 25), (205, 180, 110), noise=5)
    image.paste(PAINTINGS[3].resize((400, 220)), (30, 25), fan)
    left, top, right, bottom = fan.getbbox() or (0, 0, 0, 0)
    truth = Box(left + 30, top + 25, right + 30, bottom + 25)
    assert max(abs(each) for each in off(find_content_box(np.asarray(image)), truth)) <= 8


def test_a_sky_above_a_straight_horizon_is_not_a_border() -> None:
    rows = np.linspace(235, 190, 90)[:, None, None] + np.random.default_rng(1).normal(0, 2, (90, 256, 3))
    sea = np.asarray(PAINTINGS[0].resize((256, 166))).astype(float) * 0.5
    picture = np.clip(np.concatenate([rows, sea]), 0, 255).astype(np.uint8)
    assert find_content_box(picture) == (0, 0, 256, 256)


def test_empty_paper_around_a_drawing_is_not_a_border() -> None:
    paper = Image.new("RGB", (400, 400), (228, 224, 215))
    draw = ImageDraw.Draw(paper)
    rng = np.random.default_rng(2)
    for x in range(110, 300, 6):
        draw.line((x, 330, x + int(rng.integers(-40, 40)), int(rng.integers(120, 240))), (40, 40, 40), 3)
    assert find_content_box(np.asarray(as_jpeg(paper, 88))) == (0, 0, 400, 400)


def test_paintings_without_a_frame_are_not_cropped(shared_data: Path) -> None:
    monets = read(shared_data / "kaggle_monet" / "monet_jpg")
    cropped = [share for picture in list(monets.values())[::2] if (share := cut(picture))]
    assert len(cropped) <= 6
    assert sum(share > 0.05 for share in cropped) <= 1  # a round one, on white


def test_web_images_are_cropped_to_the_painting(shared_data: Path) -> None:
    pictures = read(shared_data / "chinese_raw")
    truth = {  # as read off the pictures by eye
        "10": (48, 0, 407, 458),
        "20": (0, 193, 458, 264),
        "22": (132, 0, 326, 458),
        "29": (0, 170, 458, 287),
        "35": (0, 68, 458, 388),
        "44": (12, 16, 430, 437),
        "50": (37, 7, 286, 451),
        "57": (0, 18, 458, 438),
        "65": (7, 10, 443, 447),
        "71": (10, 68, 313, 382),
        "73": (25, 8, 302, 447),
        "81": (3, 3, 455, 223),
    }
    for number, box in truth.items():
        picture = pictures[f"山水验证{number}.jpg"]
        assert max(abs(each) for each in off(find_content_box(np.asarray(picture)), Box(*box))) <= 6, number
    for number in ("3", "5", "6", "7", "8", "46", "47", "48", "49", "61", "84", "85", "94", "98", "100"):
        assert cut(pictures[f"山水验证{number}.jpg"]) <= 0.02, number
