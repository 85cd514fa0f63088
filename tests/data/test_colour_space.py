"""Colour spaces as numbers, against littlecms and published values."""

import numpy as np
import pytest

from impasto.data.colour_space import PRIMARIES, SRGB, TRANSFERS, ColourSpace

GREYS = np.arange(256, dtype=np.uint8)


def test_linear_light_is_encoded_by_the_srgb_curve() -> None:
    seen = ColourSpace(transfer=TRANSFERS[8]).to_srgb(GREYS[None])[0]
    assert seen[[0, 1, 55, 128, 255]].tolist() == [0, 13, 128, 188, 255]


def test_display_p3_is_converted_as_in_css_color_4() -> None:
    # color(srgb 1 0 0) is color(display-p3 0.9175 0.2003 0.1387); color(display-p3 0 1 0) lies outside sRGB.
    p3 = ColourSpace(PRIMARIES[12], TRANSFERS[13])
    colours = np.array([[[234, 51, 35], [0, 255, 0], [128, 128, 128], [255, 255, 255]]], np.uint8)
    expected = np.array([[255, 0, 0], [0, 255, 0], [128, 128, 128], [255, 255, 255]])
    assert np.abs(p3.to_srgb(colours)[0].astype(int) - expected).max() <= 2


@pytest.mark.parametrize("primaries", sorted(PRIMARIES))
def test_white_stays_white_and_grey_stays_grey(primaries: int) -> None:
    greys = np.repeat(GREYS[None, :, None], 3, axis=2)
    assert np.abs(ColourSpace(PRIMARIES[primaries]).to_srgb(greys).astype(int) - greys).max() <= 1


@pytest.mark.parametrize("number", sorted(TRANSFERS))
def test_every_transfer_function_rises_from_black_to_white(number: int) -> None:
    levels = np.linspace(0, 1, 4096)
    light = TRANSFERS[number](levels)
    assert (np.diff(light) >= 0).all() and abs(light[0]) < 0.01
    assert abs(light[-1] - (52.37 / 48 if number == 17 else 1)) < 1e-4


def test_sixteen_bits_give_the_levels_of_eight() -> None:
    space = ColourSpace(PRIMARIES[9], TRANSFERS[4])
    colours = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    assert (space.to_srgb(colours.astype(np.uint16) * 257) == space.to_srgb(colours)).all()


def test_narrow_range_reaches_black_and_white() -> None:
    seen = ColourSpace(narrow=True).to_srgb(GREYS[None])[0]
    assert seen[[0, 16, 126, 235, 255]].tolist() == [0, 0, 128, 255, 255]


def test_what_stands_for_srgb_is_srgb() -> None:
    assert ColourSpace().is_srgb
    assert ColourSpace.of_gamma(0.45455, SRGB).is_srgb
    assert ColourSpace.of_gamma(0.45455, None).is_srgb
    assert not ColourSpace.of_gamma(1.0, None).is_srgb
    assert not ColourSpace.of_gamma(0.45455, PRIMARIES[12]).is_srgb


@pytest.mark.parametrize("chromaticities", [(0.0,) * 8, (0.3,) * 8, (0.3127, 0.329, *(0.3, 0.3) * 3), (2.0,) * 8])
def test_impossible_chromaticities_are_ignored(chromaticities: tuple[float, ...]) -> None:
    assert ColourSpace.of_gamma(None, chromaticities).is_srgb
