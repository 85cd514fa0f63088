"""Do fakes copy the pictures that were learned from? As the Kaggle competition measures it, and one by one.

Bai et al. 2021, "On Training Sample Memorization" (arXiv:2106.03062), and the competition's own evaluation.
"""

import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Values

THRESHOLD, EPSILON = 0.1, 1e-15
BLOCK = 1024  #: rows of the matrix of distances in memory at a time


def nearest(
    fakes: NDArray[np.floating], reals: NDArray[np.floating], count: int = 1
) -> tuple[Values, NDArray[np.intp]]:
    """The ``count`` reals nearest to each fake: distances 1 − |cosine| and indices, (N, count), nearest first.

    Features that are all zero are near to nothing: their distances are 1.
    """
    return _nearest(_directions(fakes), _directions(reals), count, same=False)


def nearest_others(pictures: NDArray[np.floating]) -> Values:
    """The distance of each picture to the nearest other one of the same set: (N,), N > 1."""
    directions = _directions(pictures)
    return _nearest(directions, directions, 1, same=True)[0][:, 0]


def memorisation_distance(distances: Values, fakes: NDArray[np.floating]) -> float:
    """d: the mean of the nearest distances (N,) of all fakes (N, D) whose features are not all zero."""
    there = fakes.any(axis=1)
    return float(distances[there].mean()) if there.any() else 1.0


def mifid(fid: float, d: float) -> float:
    """The competition's score: the Fréchet distance over d where d is below 0.1, and over 1 elsewhere."""
    return fid / ((d if d < THRESHOLD else 1.0) + EPSILON)


def _directions(features: NDArray[np.floating]) -> Values:
    rows = features.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    np.divide(rows, lengths, out=rows, where=lengths > 0)
    return rows


def _nearest(x: Values, y: Values, count: int, same: bool) -> tuple[Values, NDArray[np.intp]]:
    distances, indices = [], []
    count = min(count, len(y))
    for first in range(0, len(x), BLOCK):
        block = 1 - np.abs(x[first : first + BLOCK] @ y.T)  # (B, M)
        if same:
            rows = np.arange(len(block))
            block[rows, first + rows] = np.inf
        order = np.argsort(block, axis=1, kind="stable")[:, :count]
        indices.append(order)
        distances.append(np.maximum(np.take_along_axis(block, order, axis=1), 0.0))
    return np.concatenate(distances), np.concatenate(indices)
