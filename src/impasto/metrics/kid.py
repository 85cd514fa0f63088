"""KID, the kernel distance (Bińkowski et al. 2018, arXiv:1801.01401, section 4).

The squared maximum mean discrepancy under the kernel (x·y/D + 1)³, by the unbiased estimator: its expectation does not
depend on the number of images, and it may be negative for similar sets. The paper averages over random subsets to save
memory; here all pairs count, block by block, which has a lower variance.
"""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Values
from impasto.metrics.base import METRICS, FeatureComparison, FeatureMetric, FeatureSet
from impasto.metrics.results import Value

BLOCK = 1024  #: rows of the kernel matrix in memory at a time


@METRICS.register("KID")
class KernelDistance(FeatureMetric):
    """KID with the jackknife's standard error."""

    meaning = "kernel distance (MMD²) of the features; unbiased for small sets"
    better = "lower"
    order = 10

    def compute(self, comparison: FeatureComparison) -> Value:
        fakes, reals = comparison.fakes, comparison.reals
        value, error = _distance(fakes.values, reals.values, fakes.derived(_within), reals.derived(_within))
        return Value(value=value, error=error if isfinite(error) else None)


def kernel_distance(fakes: NDArray[np.floating], reals: NDArray[np.floating]) -> tuple[float, float]:
    """Return the distance of features (N, D) and (M, D), both of at least 2 rows, and its standard error.

    The error is the jackknife's, over all subsets that leave one image out; NaN for fewer than 3 rows.
    """
    x, y = fakes.astype(np.float64, copy=False), reals.astype(np.float64, copy=False)
    return _distance(x, y, _others(x), _others(y))


def _distance(x: Values, y: Values, within_x: Values, within_y: Values) -> tuple[float, float]:
    across_x, across_y = _row_sums(x, y), _row_sums(y, x)
    n, m = len(x), len(y)
    xx, yy, xy = within_x.sum(), within_y.sum(), across_x.sum()
    value = xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)
    if min(n, m) < 3:
        return float(value), float("nan")
    without_x = (
        (xx - 2 * within_x) / ((n - 1) * (n - 2)) + yy / (m * (m - 1)) - 2 * (xy - across_x) / ((n - 1) * m)
    )  # (N,)
    without_y = (
        xx / (n * (n - 1)) + (yy - 2 * within_y) / ((m - 1) * (m - 2)) - 2 * (xy - across_y) / (n * (m - 1))
    )  # (M,)
    variance = (n - 1) * without_x.var() + (m - 1) * without_y.var()
    return float(value), float(np.sqrt(variance))


def _within(images: FeatureSet) -> Values:
    return _others(images.values)


def _others(x: Values) -> Values:
    """Return, for each row of x, the kernel summed over all other rows."""
    return _row_sums(x, x) - _diagonal(x)


def _row_sums(x: Values, y: Values) -> Values:
    """Return, for each row of x, the kernel summed over all rows of y."""
    blocks = [((x[i : i + BLOCK] @ y.T / x.shape[1] + 1) ** 3).sum(axis=1) for i in range(0, len(x), BLOCK)]
    return np.concatenate(blocks)


def _diagonal(x: Values) -> Values:
    """Return the kernel of each row with itself."""
    diagonal: Values = (np.square(x).sum(axis=1) / x.shape[1] + 1) ** 3
    return diagonal
