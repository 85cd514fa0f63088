"""Blending is exact, and colour transfer keeps the luma."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from impasto.inference import postprocess as module
from impasto.inference.options import PaintOptions
from impasto.inference.postprocess import LUMA, blend, postprocess

PIXELS = arrays(np.uint8, (3, 5, 3))


@given(PIXELS, PIXELS, st.floats(0, 1))
def test_blending_interpolates_linearly_and_rounds_to_nearest(
    photo: np.ndarray, painting: np.ndarray, strength: float
) -> None:
    exact = photo + strength * (painting.astype(float) - photo)
    assert np.abs(blend(photo, painting.astype(np.float32), strength) - exact).max() <= 0.5 + 1e-4


@given(PIXELS, PIXELS)
def test_strength_0_is_the_photo_and_strength_1_the_painting(photo: np.ndarray, painting: np.ndarray) -> None:
    for strength, expected in ((0, photo), (1, painting)):
        mixed = painting.copy()
        postprocess(photo[None], mixed[None], PaintOptions(strength))
        assert np.array_equal(mixed, expected)


def test_colour_transfer_keeps_the_luma_of_the_painting() -> None:
    rng = np.random.default_rng(0)
    photo = np.full((60, 80, 3), (150, 110, 100), np.uint8)
    painting = rng.integers(90, 160, (60, 80, 3), np.uint8)
    coloured = painting.copy()
    postprocess(photo[None], coloured[None], PaintOptions(keep_colour=True))
    assert np.abs(coloured @ LUMA - painting @ LUMA).max() <= 0.6
    hue = coloured.mean((0, 1)) - (coloured @ LUMA).mean()
    assert np.abs(hue - (np.array([150, 110, 100]) - photo[0, 0] @ LUMA)).max() < 1
    within = coloured - (coloured @ LUMA)[..., None]
    assert within.std((0, 1)).min() > 10, "strokes still differ in colour from each other"


def test_post_processing_does_not_depend_on_the_window_size(monkeypatch: pytest.MonkeyPatch) -> None:
    photo, painting = np.random.default_rng(0).integers(0, 256, (2, 1, 70, 95, 3), np.uint8)
    options, found = PaintOptions(strength=0.7, keep_colour=True), []
    for part in (1024, 13):
        monkeypatch.setattr(module, "WINDOW", part)
        found.append(painting.copy())
        postprocess(photo, found[-1], options)
    assert np.abs(found[0].astype(int) - found[1]).max() <= 1
    assert (found[0] != found[1]).mean() < 1e-3
