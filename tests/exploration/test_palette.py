"""Palettes recover the colours of an image with their shares."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from torch import Tensor

from impasto.exploration.palette import colour_name, oklab, palette, set_palette, srgb

Pixels = NDArray[np.uint8]


@pytest.mark.parametrize(
    ("colour", "expected"),
    [  # sRGB's primaries, as commonly tabulated
        ((255, 255, 255), (1.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 255, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 255), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_oklab_equals_published_values(colour: tuple[int, int, int], expected: tuple[float, float, float]) -> None:
    assert oklab(np.array(colour, np.uint8)) == pytest.approx(expected, abs=1e-4)


@given(arrays(np.uint8, (20, 3)))
def test_oklab_round_trips(colours: Pixels) -> None:
    assert np.array_equal(srgb(oklab(colours)), colours)


@settings(max_examples=50)
@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))), st.integers(1, 8))
def test_shares_sum_to_one_in_descending_order(picture: Pixels, count: int) -> None:
    found = palette(picture, count)
    shares = [colour.share for colour in found]
    assert 1 <= len(found) <= count
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True) and shares[-1] > 0
    assert len({colour.hex for colour in found}) == len(found)
    assert palette(picture, count) == found


@given(st.lists(st.sampled_from(["#000000", "#ffffff", "#c81e1e", "#1e1ec8", "#ffd21e"]), min_size=1, max_size=60))
def test_an_image_of_few_colours_has_exactly_those(names: list[str]) -> None:
    pixels = np.array([list(bytes.fromhex(name[1:])) for name in names], np.uint8)
    expected = {name: names.count(name) / len(names) for name in names}
    found = {colour.hex: colour.share for colour in palette(pixels)}
    assert found == pytest.approx(expected)


def test_noisy_stripes_give_their_colours() -> None:
    rng = np.random.default_rng(0)
    colours = np.array([[200, 40, 40], [40, 160, 60], [50, 60, 190], [230, 220, 200]])
    stripes = np.repeat(colours, [128, 64, 40, 24], axis=0)[None].repeat(256, axis=0)
    picture = np.clip(stripes + rng.normal(0, 4, stripes.shape), 0, 255).astype(np.uint8)
    for turned in (picture, picture.transpose(1, 0, 2)):  # thinned out, no direction is favoured
        found = palette(turned, 4)
        assert [colour.share for colour in found] == pytest.approx([0.5, 0.25, 0.156, 0.094], abs=0.03)
        levels = np.array([list(bytes.fromhex(colour.hex[1:])) for colour in found])
        assert np.abs(levels - colours).max() <= 3


def test_the_palette_of_a_data_set_weighs_images_equally() -> None:
    pictures = np.zeros((10, 64, 64, 3), np.uint8)
    pictures[:3] = (200, 40, 40)
    found = set_palette(pictures)
    assert [(colour.hex, round(colour.share, 2)) for colour in found] == [("#000000", 0.7), ("#c82828", 0.3)]


def test_cluster_centres_are_closer_than_the_mean_colour(paintings: Tensor) -> None:
    for picture in paintings.numpy():
        points = oklab(picture.reshape(-1, 3)[::17])
        centres = oklab(np.array([list(bytes.fromhex(each.hex[1:])) for each in palette(picture)], np.uint8))
        ways = np.square(points[:, None] - centres).sum(axis=2).min(axis=1).mean()
        assert ways < np.square(points - points.mean(axis=0)).sum(axis=1).mean() / 3


def test_a_palette_takes_milliseconds(paintings: Tensor) -> None:
    pictures = paintings.numpy()
    palette(pictures[0])
    seconds = []
    for picture in pictures:
        start = time.process_time()
        palette(picture)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.02  # 1.9 ms on an idle core


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("#000000", "black"),
        ("#ffffff", "white"),
        ("#808080", "grey"),
        ("#ff0000", "red"),
        ("#ff8c00", "orange"),
        ("#ffff00", "yellow"),
        ("#00a000", "green"),
        ("#40e0d0", "turquoise"),
        ("#0000ff", "blue"),
        ("#87ceeb", "blue"),
        ("#8a2be2", "violet"),
        ("#ff69b4", "pink"),
        ("#8b4513", "brown"),
        ("#f5deb3", "beige"),
        ("#808000", "olive"),
    ],
)
def test_colours_have_their_common_names(colour: str, name: str) -> None:
    assert colour_name(colour) == name
