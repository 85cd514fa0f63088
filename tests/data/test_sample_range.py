"""Samples of any type become the 8 bits that a viewer shows."""

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from impasto.data.sample_range import to_eight_bits

RAMP = np.linspace(0, 255, 64 * 96).round().reshape(64, 96)


@pytest.mark.parametrize(
    "samples",
    [
        (RAMP * 257).astype(np.uint16),
        RAMP.astype(np.int32),
        (RAMP * 257).astype(np.int32),
        (RAMP * 8_421_504).astype(np.int32),
        (RAMP * 16_843_009).astype(np.uint32),
        (RAMP * 128.5).astype(np.int16),
        (RAMP / 255).astype(np.float32),
        RAMP.astype(np.float32),
        (RAMP * 257).astype(np.float32),
        (RAMP * 9 - 700).astype(np.float32),
        (RAMP / 127.5 - 1).astype(np.float32),
    ],
    ids=lambda samples: f"{samples.dtype}, {samples.min():.4g} to {samples.max():.4g}",
)
def test_every_range_is_shown_from_black_to_white(samples: NDArray[Any]) -> None:
    assert np.abs(to_eight_bits(samples).astype(int) - RAMP).max() <= 1
    assert (to_eight_bits(samples, white_is_zero=True) == 255 - to_eight_bits(samples)).mean() > 0.95


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
@pytest.mark.parametrize("outlier", [1.02, 1e6, np.inf, np.nan, -0.05, -np.inf])
def test_one_outlier_changes_no_other_pixel(top: float, outlier: float) -> None:
    samples = (RAMP / 255 * top).astype(np.float32)
    samples[3, 4] = outlier * top
    expected = RAMP.copy()
    expected[3, 4] = 255 if outlier > 1 else 0
    assert np.abs(to_eight_bits(samples).astype(int) - expected).max() <= 1


def test_highlights_above_one_are_clipped() -> None:
    samples = (RAMP / 255).astype(np.float32)
    samples[:20] = 7.5  # a third of the image
    assert np.abs(to_eight_bits(samples)[20:].astype(int) - RAMP[20:]).max() <= 1
    assert (to_eight_bits(samples)[:20] == 255).all()


def test_stars_on_a_black_sky_keep_their_range() -> None:
    samples = np.zeros((64, 64), np.float32)
    samples[::8, ::8] = np.linspace(20, 250, 64).reshape(8, 8)
    assert np.abs(to_eight_bits(samples) - samples).max() <= 1


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, np.nan, np.inf, 1e-320, 1e308, -1e308])
def test_a_constant_image_has_one_level_and_no_warning(value: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(np.unique(to_eight_bits(np.full((4, 4), value)))) == 1
