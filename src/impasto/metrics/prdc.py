"""Precision and recall, density and coverage: fidelity and diversity measured apart.

Precision and recall: Kynkäänniemi et al. 2019 (arXiv:1904.06991), equation 1, with 3 neighbours.
Density and coverage: Naeem et al. 2020 (arXiv:2002.09797), equations 3 and 5, with 5 neighbours.
"""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from impasto.config.types import Values
from impasto.metrics.base import METRICS, FeatureComparison, FeatureMetric, FeatureSet, standard_error
from impasto.metrics.results import Value

PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS = 3, 5
BLOCK = 1024  #: rows of the distance matrix in memory at a time


@dataclass(frozen=True)
class Manifold:
    """Features (N, D), N > 5, as a union of balls around each that reach to its k-th nearest neighbour."""

    features: Values

    @cached_property
    def radii(self) -> Values:
        """Squared distances of each to its 3rd and 5th nearest neighbour: (N, 2)."""
        places = [PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS]  # place 0 is the row itself
        blocks = [
            np.partition(squared_distances(self.features[i : i + BLOCK], self.features), places, axis=1)[:, places]
            for i in range(0, len(self.features), BLOCK)
        ]
        return np.concatenate(blocks)


@dataclass(frozen=True)
class PRDC:
    """Values of single images, whose means are the four metrics, for N fakes and M reals."""

    precision: Values  #: (N,): 1 for a fake inside the reals' manifold
    recall: Values  #: (M,): 1 for a real inside the fakes' manifold
    density: Values  #: (N,): in how many reals' balls a fake lies, over 5
    coverage: Values  #: (M,): 1 for a real with a fake in its ball


def prdc(fakes: Manifold, reals: Manifold) -> PRDC:
    """Compute all four, block by block."""
    recall = np.zeros(len(reals.features), dtype=bool)
    coverage = np.zeros(len(reals.features), dtype=bool)
    precision, density = [], []
    for i in range(0, len(fakes.features), BLOCK):
        distances = squared_distances(fakes.features[i : i + BLOCK], reals.features)  # (B, M)
        precision.append((distances <= reals.radii[:, 0]).any(axis=1))
        density.append((distances <= reals.radii[:, 1]).sum(axis=1) / DENSITY_NEIGHBOURS)
        coverage |= (distances <= reals.radii[:, 1]).any(axis=0)
        recall |= (distances <= fakes.radii[i : i + BLOCK, :1]).any(axis=0)
    return PRDC(
        precision=np.concatenate(precision).astype(np.float64),
        recall=recall.astype(np.float64),
        density=np.concatenate(density),
        coverage=coverage.astype(np.float64),
    )


class _ManifoldMetric(FeatureMetric):
    """Base of the four. They need more images of each set than neighbours."""

    better = "higher"

    def compute(self, comparison: FeatureComparison) -> Value | None:
        if min(len(comparison.fakes), len(comparison.reals)) <= DENSITY_NEIGHBOURS:
            return None
        return self._value(comparison.derived(_prdc))

    @abstractmethod
    def _value(self, each: PRDC) -> Value: ...


# Errors are those of other fakes against the same reals. How recall and coverage vary with the fakes cannot be
# estimated from one set, so they have none.
@METRICS.register("precision")
class Precision(_ManifoldMetric):
    meaning = "share of the fakes inside the manifold of the reals: fidelity"
    order = 50

    def _value(self, each: PRDC) -> Value:
        return Value(value=float(each.precision.mean()), error=standard_error(each.precision))

    def interval(self, value: Value, comparison: FeatureComparison) -> tuple[float, float] | None:
        found = super().interval(value, comparison)
        return found and (max(found[0], 0.0), min(found[1], 1.0))


@METRICS.register("recall")
class Recall(_ManifoldMetric):
    meaning = "share of the reals inside the fakes' manifold: diversity"
    order = 51

    def _value(self, each: PRDC) -> Value:
        return Value(value=float(each.recall.mean()))


@METRICS.register("density")
class Density(_ManifoldMetric):
    meaning = (
        "number of real k-nearest-neighbour balls around a fake, divided by k; about 1 if the distributions match: "
        "fidelity, more robust than precision"
    )
    order = 52

    def _value(self, each: PRDC) -> Value:
        return Value(value=float(each.density.mean()), error=standard_error(each.density))


@METRICS.register("coverage")
class Coverage(_ManifoldMetric):
    meaning = "share of the reals with a fake in their neighbourhood: diversity, more robust than recall"
    order = 53

    def _value(self, each: PRDC) -> Value:
        return Value(value=float(each.coverage.mean()))


def squared_distances(x: Values, y: Values) -> Values:
    """Return the squared distance of each row of x (N, D) to each of y (M, D): (N, M)."""
    distances: Values = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)[None] - 2 * (x @ y.T)
    np.maximum(distances, 0.0, out=distances)
    return distances


def _prdc(comparison: FeatureComparison) -> PRDC:
    return prdc(comparison.fakes.derived(_manifold), comparison.reals.derived(_manifold))


def _manifold(images: FeatureSet) -> Manifold:
    return Manifold(images.values)
