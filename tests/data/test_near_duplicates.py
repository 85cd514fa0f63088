"""Near duplicates are found, and different images are not, also among many and among uniform ones."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from impasto.data import near_duplicates
from impasto.data.near_duplicates import SIDE, NearDuplicates, find_near_duplicates, thumbnail
from impasto.data.sources import open_source

with open_source("sample:paintings") as source:
    PAINTINGS = [Image.open(io.BytesIO(entry.read())).convert("RGB") for entry in source.entries()]


def recompressed(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=50)
    return Image.open(file).convert("RGB")


def smaller(picture: Image.Image) -> Image.Image:
    return picture.resize((97, 97), Image.Resampling.LANCZOS)


def brighter(picture: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(1.1)


def trimmed(picture: Image.Image) -> Image.Image:
    return picture.crop((2, 2, picture.width - 2, picture.height - 2)).resize(picture.size)


def found(thumbnails: np.ndarray) -> list[tuple[int, int]]:
    return [(one, other) for one, other in find_near_duplicates(thumbnails).tolist()]


def test_different_paintings_are_not_near_duplicates() -> None:
    assert found(np.stack([thumbnail(picture) for picture in PAINTINGS])) == []


@pytest.mark.parametrize("change", [recompressed, smaller, brighter, trimmed])
def test_a_modified_copy_is_found(change: Callable[[Image.Image], Image.Image]) -> None:
    pictures = PAINTINGS + [change(picture) for picture in PAINTINGS]
    pairs = found(np.stack([thumbnail(picture) for picture in pictures]))
    expected = {(k, k + len(PAINTINGS)) for k in range(len(PAINTINGS))}
    assert set(pairs) <= expected
    assert len(pairs) >= 0.95 * len(expected)
    assert pairs == sorted(pairs)


def test_noisy_skies_are_not_near_duplicates() -> None:
    rng = np.random.default_rng(0)
    skies = []
    for _ in range(300):
        top, bottom = rng.uniform(120, 255, (2, 1, 1, 3))
        sky = top + (bottom - top) * np.linspace(0, 1, 64)[:, None, None] + rng.normal(0, 3, (64, 64, 3))
        skies.append(thumbnail(Image.fromarray(np.clip(sky, 0, 255).astype(np.uint8))))
    assert found(np.stack(skies)) == []


def test_fewer_than_two_images_have_no_pairs() -> None:
    for count in (0, 1):
        assert found(np.zeros((count, 16, 16), np.uint8)) == []


def test_uniform_images_are_not_near_duplicates() -> None:
    assert found(np.full((50, 16, 16), 200, np.uint8)) == []


def test_thousands_of_images_are_compared_in_seconds() -> None:
    rng = np.random.default_rng(0)
    pieces = []
    for _ in range(4000):
        picture = PAINTINGS[int(rng.integers(len(PAINTINGS)))]
        side = int(rng.integers(60, 120))
        x, y = rng.integers(0, 256 - side, 2)
        pieces.append(thumbnail(picture.crop((int(x), int(y), int(x) + side, int(y) + side))))
    stack = np.stack(pieces)
    stack[3999] = stack[7]
    assert (7, 3999) in found(stack)


def test_copies_among_thousands_of_textures_are_found() -> None:
    # Textures have hardly any composition, so they all share a few cells.
    rng = np.random.default_rng(0)
    textures = rng.integers(30, 226, (1500, SIDE, SIDE)).astype(float)
    copies = textures + rng.normal(0, 6, textures.shape)
    pairs = found(np.concatenate([textures, copies]).round().astype(np.uint8))
    assert len(set(pairs) & {(number, number + 1500) for number in range(1500)}) >= 1490
    assert len(pairs) <= 1500


@pytest.mark.long
def test_pairs_of_thousands_of_frames_of_one_film_are_bounded() -> None:
    """All pairs would be 3 million, and take as many comparisons in each of the grids."""
    frame = thumbnail(PAINTINGS[0]).astype(int)
    noise = np.random.default_rng(0).integers(-1, 2, (2500, *frame.shape))
    pairs = found(np.clip(frame + noise, 0, 255).astype(np.uint8))
    assert {first for first, _ in pairs} | {second for _, second in pairs} == set(range(2500))
    assert 2500 <= len(pairs) <= 2500 * 32 * 12 and pairs == sorted(set(pairs))
    assert all(first < second for first, second in pairs)


@given(known=st.integers(0, 25), count=st.integers(0, 60))
@settings(max_examples=30, deadline=None)
def test_each_image_of_a_stream_is_compared_with_half_a_window_before_it(known: int, count: int) -> None:
    """Pairs are found once, by position, also where the stream was interrupted."""
    window = 20
    originals = np.random.default_rng(0).integers(0, 256, (30, SIDE, SIDE), np.uint8)
    stream = originals[np.arange(85) // 3]  # each three times in a row
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_duplicates, "WINDOW", window)
        near = NearDuplicates(stream[:known], known)
        parts = [near.add(each) for each in stream[known : known + count]]
        pairs = np.concatenate([*parts, near.finish()]).tolist()
    expected = [pair for pair in map(list, found(stream[: known + count])) if pair[1] >= known]
    near_enough = [pair for pair in expected if pair[1] - pair[0] <= window // 2]
    assert [pair for pair in pairs if pair in near_enough] == near_enough
    assert len(set(map(tuple, pairs))) == len(pairs) and all(pair in expected for pair in pairs)
