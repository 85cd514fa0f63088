import numpy as np
import pytest
from PIL import Image, ImageFilter

from impasto.score.swd import SlicedWasserstein


def pictures(shared: np.random.Generator, count: int = 40, side: int = 32) -> np.ndarray:
    noise = shared.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(p).filter(ImageFilter.GaussianBlur(2))) for p in noise])


def test_a_set_is_no_distance_from_itself_in_any_order() -> None:
    reals = pictures(np.random.default_rng(0))
    assert SlicedWasserstein(reals)(reals)["swd"] == 0
    assert SlicedWasserstein(reals)(reals[::-1].copy())["swd"] < 60


def test_two_halves_of_a_set_are_nearer_than_the_same_set_tinted_blurred_or_noisy() -> None:
    rng = np.random.default_rng(0)
    reals, others = pictures(rng), pictures(rng)
    floor = SlicedWasserstein(reals)(others)["swd"]
    tinted = np.clip(others.astype(int) + np.array([20, 0, -20]), 0, 255).astype(np.uint8)
    blurred = np.stack([np.asarray(Image.fromarray(p).filter(ImageFilter.GaussianBlur(2))) for p in others])
    noisy = np.clip(others + rng.normal(0, 12, others.shape), 0, 255).astype(np.uint8)
    for worse in (tinted, blurred, noisy):
        assert SlicedWasserstein(reals)(worse)["swd"] > 1.5 * floor


def test_a_shift_of_all_colours_is_measured_in_deviations_of_the_reference() -> None:
    """Only on the coarsest level, and there by the mean of |shift · direction| over unit directions."""
    reals = np.random.default_rng(0).integers(60, 180, (50, 32, 32, 3), dtype=np.uint8)
    coarse = reals.reshape(50, 16, 2, 16, 2, 3).mean((2, 4))
    measured = SlicedWasserstein(reals)(reals + np.uint8(10))
    assert measured["swd_16"] == pytest.approx(1000 * 10 / coarse.std() * np.sqrt(2 / np.pi), rel=0.12)
    assert measured["swd_32"] < 1


def test_levels_are_named_by_their_side() -> None:
    reals = pictures(np.random.default_rng(0), side=64)
    assert list(SlicedWasserstein(reals)(reals)) == ["swd", "swd_64", "swd_32", "swd_16"]
