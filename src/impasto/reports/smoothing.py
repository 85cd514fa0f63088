"""Binning and smoothing of noisy series."""

import numpy as np

from impasto.config.types import Values

BINS = 600
"""Points of a line: more are not visible, and 100,000 steps are drawn as fast as 1,000."""

SMOOTHING = 0.012
"""Standard deviation of the smoothing, as a share of the length."""


def bin_series(steps: Values, values: Values, bins: int = BINS) -> tuple[Values, Values, Values, Values]:
    """Reduce a series to at most ``bins`` bins of equally many points.

    Args:
        steps, values: (N,), N > 0, finite.

    Returns:
        Mean step and minimum, mean and maximum value of each bin: four arrays (min(N, bins),).
    """
    starts = np.arange(min(len(steps), bins)) * len(steps) // min(len(steps), bins)
    counts = np.diff(starts, append=len(steps))
    return (
        np.add.reduceat(steps, starts) / counts,
        np.minimum.reduceat(values, starts),
        np.add.reduceat(values, starts) / counts,
        np.maximum.reduceat(values, starts),
    )


def smooth(values: Values, share: float = SMOOTHING) -> Values:
    """Return the Gaussian moving average of (N,), with a standard deviation of ``share`` · N, truncated at the ends."""
    deviation = share * len(values)
    if deviation < 1:
        return values
    offsets = np.arange(-int(3 * deviation), int(3 * deviation) + 1)
    kernel = np.exp(-0.5 * (offsets / deviation) ** 2)
    weights = np.convolve(np.ones_like(values), kernel, mode="same")
    smoothed: Values = np.convolve(values, kernel, mode="same") / weights
    return smoothed
