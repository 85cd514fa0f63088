"""Overlaid text is detected anywhere, and brush strokes are not."""

import io
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import impasto
from fixtures.planted import stamped
from impasto.exploration.watermarks import common_watermarks, find_watermarks


def sample(which: str) -> list[Image.Image]:
    with zipfile.ZipFile(Path(impasto.__file__).parent / "sample" / f"{which}.zip") as archive:
        files = [io.BytesIO(archive.read(name)) for name in sorted(archive.namelist())]
    return [Image.open(file).convert("RGB") for file in files]


PAINTINGS = sample("paintings")


def kinds(picture: Image.Image) -> set[str]:
    return {mark.kind for mark in find_watermarks(np.asarray(picture))}


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def test_most_web_addresses_on_paintings_are_found_at_their_place() -> None:
    rng = random.Random(0)
    hits = []
    for picture in PAINTINGS[::3]:
        side = rng.choice([256, 384])
        size, alpha, place = rng.uniform(0.05, 0.08), rng.uniform(0.5, 0.95), (rng.random(), rng.choice([0.03, 0.97]))
        marked = stamped(picture.resize((side, side)), size=size, alpha=alpha, place=place)
        watermarks = find_watermarks(np.asarray(as_jpeg(marked, rng.randint(75, 95))))
        hits.append(
            any(abs((box[1] + box[3]) / 2 - place[1]) < 0.1 for kind, box, _ in watermarks if kind == "watermark")
        )
    assert np.mean(hits) >= 0.7


def test_false_positives_on_paintings_are_rare() -> None:
    assert np.mean([bool(kinds(picture)) for picture in PAINTINGS[::2]]) <= 0.05


@settings(max_examples=20)
@given(
    size=st.tuples(st.integers(64, 700), st.integers(64, 700)),
    text=st.text("abcdefghijklmnopqrstuvwxyz. ", min_size=1, max_size=30),
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_boxes_lie_inside_the_image(size: tuple[int, int], text: str, place: tuple[float, float]) -> None:
    for mark in find_watermarks(np.asarray(stamped(PAINTINGS[0].resize(size), text, place=place))):
        left, top, right, bottom = mark.box
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (3000, 2), (40, 40), (64, 64), (2000, 64), (700, 500)])
def test_uniform_images_have_no_watermarks(size: tuple[int, int]) -> None:
    for value in (0, 128, 255):
        assert find_watermarks(np.full((size[1], size[0], 3), value, np.uint8)) == []


def test_large_images_are_searched_like_small_ones() -> None:
    marked = stamped(Image.new("RGB", (320, 240), (90, 110, 130)), size=0.07)
    for scale in (1, 4):
        (mark,) = find_watermarks(np.asarray(marked.resize((320 * scale, 240 * scale))))
        assert mark.kind == "watermark"
        assert mark.box[0] > 0.4
        assert mark.box[1] > 0.8


def test_dark_letters_in_a_lower_corner_are_a_signature() -> None:
    signed = stamped(Image.new("RGB", (300, 300), (200, 190, 160)), "cl. monet", colour="black", size=0.06)
    assert kinds(signed) == {"signature"}


def paper() -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 4, (400, 300, 1))
    return Image.fromarray(np.clip(noise + np.array([222, 214, 196]), 0, 255).astype(np.uint8))


def test_a_red_seal_on_paper_is_found_and_red_leaves_are_not() -> None:
    sealed, leafy = paper(), paper()
    draw = ImageDraw.Draw(sealed)
    draw.rectangle((240, 340, 261, 363), (188, 40, 34))
    draw.line((244, 351, 257, 351), (230, 200, 180), 2)
    (mark,) = find_watermarks(np.asarray(as_jpeg(sealed, 88)))
    assert mark.kind == "seal"
    assert np.allclose(np.multiply(mark.box, (300, 400, 300, 400)), (240, 340, 262, 364), atol=3)
    draw = ImageDraw.Draw(leafy)
    rng = np.random.default_rng(1)
    for x, y in rng.integers((20, 20), (280, 380), (60, 2)):
        draw.ellipse((x, y, x + 14, y + 9), (188, 40, 34))
    assert kinds(leafy) == set()


def squares(pictures: list[Image.Image]) -> NDArray[np.uint8]:
    return np.stack([np.asarray(picture.resize((128, 128))) for picture in pictures])


def test_a_faint_common_watermark_is_found_across_images() -> None:
    faint = [stamped(picture, alpha=0.3, size=0.09, place=(0.5, 0.9)) for picture in PAINTINGS[:24]]
    boxes = [box for box, _ in common_watermarks(squares(faint))]
    assert boxes
    assert all(top > 0.75 and bottom > 0.8 for _, top, _, bottom in boxes)


def test_unrelated_images_have_no_common_watermark() -> None:
    for count in (7, 8, 20, 60):
        assert common_watermarks(squares(PAINTINGS[:count])) == []
    assert common_watermarks(squares(sample("photos"))) == []


def test_the_competition_photos_have_watermarks(shared_data: Path) -> None:
    folder = shared_data / "kaggle_monet" / "photo_jpg"
    files = sorted(folder.glob("*.jpg"))[::23]
    stamped_by_eye = [16, 28, 50, 51, 60, 74, 78, 97, 131, 132, 140, 158, 201, 205, 208]
    plain_by_eye = [2, 3, 10, 13, 14, 17, 23, 25, 30, 33, 37, 39, 41, 44, 48, 53, 56, 58, 63, 66]
    assert np.mean([bool(kinds(Image.open(files[i]))) for i in stamped_by_eye]) >= 0.6
    assert np.mean([bool(kinds(Image.open(files[i]))) for i in plain_by_eye]) <= 0.05
