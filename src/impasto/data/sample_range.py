"""Convert samples of 16 and 32 bits and floating point to 8 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Rows that are converted at a time.
BAND = 256
#: Samples from which the range of an image is estimated.
PROBED = 1 << 20
#: Share of the samples that an outlier does not belong to.
MOST = 0.98
#: Percentiles that become black and white where the samples fit no nominal range.
STRETCHED = (0.1, 99.9)

#: Upper ends of the ranges that images are usually stored in, beside 0…1.
_RANGES = (255.0, 65535.0)


@np.errstate(all="ignore")  # floating-point samples may be anything
def to_eight_bits(samples: NDArray[Any], *, white_is_zero: bool = False) -> NDArray[np.uint8]:
    """Convert integer or floating-point samples (H, W) to 8 bits, NaN to black.

    uint16 is scaled from 0…65535. Floating point is scaled from 0…1 if the median lies in it. Others are scaled from
    the first of the ranges 0…255, 0…65535 and that of the type (of 32 bits: if they use half of it) that nearly all of
    them lie in. What lies outside is clipped. Samples that fit none, or of which many are negative, are stretched
    between percentiles.
    """
    low, high = _range(samples)
    levels = np.empty(samples.shape, np.uint8)
    for top in range(0, len(samples), BAND):
        band = samples[top : top + BAND].astype(np.float64)
        scaled = np.nan_to_num((band - low) * (255.0 / (high - low)), nan=0.0).clip(0, 255)
        levels[top : top + BAND] = np.rint(255 - scaled if white_is_zero else scaled)
    return levels


def _range(samples: NDArray[Any]) -> tuple[float, float]:
    """Return the values that become 0 and 255."""
    if samples.dtype == np.uint16:
        return 0.0, 65535.0
    probe = samples.reshape(-1)[:: max(1, samples.size // PROBED)].astype(np.float64)
    probe = probe[np.isfinite(probe)]
    if not probe.size:
        return 0.0, 1.0
    if np.mean(probe >= 0) >= MOST:
        positive = probe[probe > 0]  # a mostly black image may have any range
        if samples.dtype.kind == "f" and np.median(positive if positive.size else probe) <= 1:
            return 0.0, 1.0  # the rest are highlights
        for full in _nominal_ranges(samples.dtype, float(probe.max())):
            if not positive.size or np.mean(positive <= full) >= MOST:
                return 0.0, full
        return 0.0, float(np.percentile(positive, STRETCHED[1]))
    low, high = np.percentile(probe, STRETCHED)
    return float(low), float(max(high, np.nextafter(low, np.inf)))


def _nominal_ranges(dtype: np.dtype[Any], highest: float) -> tuple[float, ...]:
    if dtype.kind == "f":
        return _RANGES
    full = float(np.iinfo(dtype).max)
    smaller = tuple(each for each in _RANGES if each < full)
    return (*smaller, full) if full < _RANGES[-1] or highest > full / 2 else smaller
