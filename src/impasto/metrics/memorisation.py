"""Memorisation: cosine distances to the nearest training images, the competition's d, and MiFID.

Bai et al. 2021, "On Training Sample Memorization" (arXiv:2106.03062), and the Kaggle competition's own evaluation.
"""

import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Values
from impasto.metrics.base import METRICS, FeatureComparison, FeatureMetric, FeatureSet, standard_error
from impasto.metrics.fid import bootstrap_interval, frechet
from impasto.metrics.results import FID_NETWORK, Memorisation, Value

THRESHOLD, EPSILON = 0.1, 1e-15
#: Reals found for each fake.
NEIGHBOURS = 3
BLOCK = 1024  #: rows of the distance matrix in memory at a time


@METRICS.register("MiFID")
class MiFID(FeatureMetric):
    """Of the FID network alone."""

    meaning = "FID divided by d where d is below 0.1, as in the Kaggle competition"
    better = "lower"
    order = 30

    def compute(self, comparison: FeatureComparison) -> Value | None:
        if not comparison.extractor.name.startswith(FID_NETWORK):
            return None
        return Value(value=mifid(frechet(comparison), comparison.derived(_distance)))

    def interval(self, value: Value, comparison: FeatureComparison) -> tuple[float, float] | None:
        """The interval of the Fréchet distance, divided alike: d hardly varies."""
        return bootstrap_interval(value.value, comparison)


@METRICS.register("d")
class MemorisationDistance(FeatureMetric):
    """The competition's d. Low for copies and for good models alike, so neither direction is better."""

    meaning = "mean cosine distance of a fake to the nearest real image; near 0 for copies"
    order = 40

    def compute(self, comparison: FeatureComparison) -> Value:
        distances, _ = comparison.derived(nearest_reals)
        return Value(value=comparison.derived(_distance), error=standard_error(distances[:, 0]))


def nearest_reals(comparison: FeatureComparison) -> tuple[Values, NDArray[np.intp]]:
    """Return distances and indices of each fake's nearest reals: (N, :data:`NEIGHBOURS`), fewer for fewer reals."""
    return nearest_neighbours(comparison.fakes.features, comparison.reals.features, NEIGHBOURS)


def measure_memorisation(comparison: FeatureComparison) -> Memorisation:
    """Return the distances that tell whether the fakes reproduce the reals, without suspects."""
    fakes = comparison.derived(nearest_reals)[0][:, 0]
    reals = comparison.reals.derived(_distances_between)
    return Memorisation(network=comparison.extractor.name, fakes=fakes.tolist(), reals=reals.tolist(), suspects=[])


def nearest_neighbours(
    fakes: NDArray[np.floating], reals: NDArray[np.floating], count: int = 1
) -> tuple[Values, NDArray[np.intp]]:
    """Return the ``count`` reals nearest to each fake: distances 1 − |cosine| and indices, (N, count), nearest first.

    Features that are all zero have distance 1 to everything.
    """
    return _nearest(_normalised(fakes), _normalised(reals), count, exclude_self=False)


def nearest_other_distances(images: NDArray[np.floating]) -> Values:
    """Return the distance of each image to the nearest other one of the same set: (N,), N > 1."""
    rows = _normalised(images)
    return _nearest(rows, rows, 1, exclude_self=True)[0][:, 0]


def memorisation_distance(distances: Values, fakes: NDArray[np.floating]) -> float:
    """Return d: the mean of the nearest distances (N,) of the fakes (N, D) whose features are not all zero."""
    counted = fakes.any(axis=1)
    return float(distances[counted].mean()) if counted.any() else 1.0


def mifid(fid: float, d: float) -> float:
    """Return the competition's score: FID / d where d is below 0.1, and FID elsewhere."""
    return fid / ((d if d < THRESHOLD else 1.0) + EPSILON)


def _distances_between(images: FeatureSet) -> Values:
    return nearest_other_distances(images.features)


def _distance(comparison: FeatureComparison) -> float:
    return memorisation_distance(comparison.derived(nearest_reals)[0][:, 0], comparison.fakes.features)


def _normalised(features: NDArray[np.floating]) -> Values:
    rows = features.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    np.divide(rows, lengths, out=rows, where=lengths > 0)
    return rows


def _nearest(x: Values, y: Values, count: int, exclude_self: bool) -> tuple[Values, NDArray[np.intp]]:
    distances, indices = [], []
    count = min(count, len(y))
    for first in range(0, len(x), BLOCK):
        block = 1 - np.abs(x[first : first + BLOCK] @ y.T)  # (B, M)
        if exclude_self:
            rows = np.arange(len(block))
            block[rows, first + rows] = np.inf
        order = np.argsort(block, axis=1, kind="stable")[:, :count]
        indices.append(order)
        distances.append(np.maximum(np.take_along_axis(block, order, axis=1), 0.0))
    return np.concatenate(distances), np.concatenate(indices)
