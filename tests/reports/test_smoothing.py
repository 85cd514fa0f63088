"""Long series are reduced without losing extremes, and smoothed without moving ends."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from impasto.reports.smoothing import BINS, bin_series, smooth


@given(count=st.integers(1, 3 * BINS), seed=st.integers(0, 99))
def test_binning_keeps_extremes_and_mean(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=count)
    steps = np.arange(count, dtype=np.float64)
    centres, low, mean, high = bin_series(steps, values)
    assert len(centres) == len(mean) == min(count, BINS)
    assert low.min() == values.min()
    assert high.max() == values.max()
    assert ((low <= mean + 1e-12) & (mean <= high + 1e-12)).all()
    assert (np.diff(centres) > 0).all()


@given(st.integers(1, 700), st.floats(-5, 5))
def test_smoothing_leaves_a_constant_series_constant(count: int, level: float) -> None:
    assert np.allclose(smooth(np.full(count, level)), level)


def test_smoothing_reduces_noise() -> None:
    noise = np.random.default_rng(0).normal(size=600)
    assert smooth(noise).std() < 0.3 * noise.std()
