"""The kernel distance, KID (Bińkowski et al. 2018, arXiv:1801.01401, section 4).

The squared maximum mean discrepancy under the kernel (x·y/D + 1)³, by the estimator that has no bias: its expectation
does not depend on how many pictures there are, and it may fall below 0 for sets that are alike. The paper averages
over random subsets to save memory; here all pairs count, block by block, which varies less.
"""

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024  #: rows of the kernel's matrix in memory at a time

Features = NDArray[np.floating]
Sums = NDArray[np.float64]


def kernel_distance(fakes: Features, reals: Features) -> tuple[float, float]:
    """The distance of features (N, D) and (M, D), and its standard error.

    The error is the jackknife's: from all the subsets that leave one picture out. N and M are at least 2, and the error
    of fewer than 3 is not a number.
    """
    x, y = fakes.astype(np.float64), reals.astype(np.float64)
    within_x, within_y = _sums(x, x) - _diagonal(x), _sums(y, y) - _diagonal(y)
    across_x, across_y = _sums(x, y), _sums(y, x)
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


def _sums(x: Sums, y: Sums) -> Sums:
    """For each row of x, the kernel summed over all rows of y."""
    blocks = [((x[i : i + BLOCK] @ y.T / x.shape[1] + 1) ** 3).sum(axis=1) for i in range(0, len(x), BLOCK)]
    return np.concatenate(blocks)


def _diagonal(x: Sums) -> Sums:
    """The kernel of each row with itself."""
    diagonal: Sums = (np.square(x).sum(axis=1) / x.shape[1] + 1) ** 3
    return diagonal
