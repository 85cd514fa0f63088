"""Fréchet distance between two sets of features (Heusel et al. 2017, arXiv:1706.08500, equation 6).

With means μ and covariances Σ it is ‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½). The matrix square root is avoided: with
factors R of the covariances (RᵀR = Σ), Tr (Σ₁Σ₂)^½ is the sum of the singular values of R₁R₂ᵀ, a matrix of at most
N₁ × N₂. So it is exact for fewer images than features too, where the covariances are singular.

It is the one metric of all images of a set that is too large to keep its features: their moments are enough.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Features, Values
from impasto.metrics.base import METRICS, FeatureComparison, FeatureMetric, FeatureSet
from impasto.metrics.moments import Moments
from impasto.metrics.results import Value


@METRICS.register("FD")
class FrechetDistance(FeatureMetric):
    """FID, named so for the Inception network of 2015 alone; biased upwards for few images."""

    meaning = "Fréchet distance of the features; depends on the number of images, so compare equal counts only"
    better = "lower"
    order = 20

    def compute(self, comparison: FeatureComparison) -> Value:
        return Value(value=comparison.derived(_distance))

    def interval(self, value: Value, comparison: FeatureComparison) -> tuple[float, float] | None:
        return bootstrap_interval(value.value, comparison)


@dataclass(frozen=True)
class Gaussian:
    """The normal distribution fitted to features.

    Attributes:
        mean: (D,) float64.
        root: R, (min(N, D), D) float64, where RᵀR is the unbiased covariance of the N rows.
    """

    mean: Values
    root: Values

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> Self:
        """Fit features (N, D), N > 1."""
        rows = features.astype(np.float64)
        mean = rows.mean(axis=0)
        rows -= mean
        rows /= np.sqrt(len(rows) - 1)
        return cls(mean, rows if len(rows) <= rows.shape[1] else np.linalg.qr(rows).R)

    @classmethod
    def of_moments(cls, parts: Iterable[Moments]) -> Self:
        """Fit features by the moments of their parts, more images than features."""
        first, *others = parts
        whole = Moments(first.count, first.mean, first.scatter.copy())
        for part in others:
            whole.merge(part)
        strengths, directions = np.linalg.eigh(whole.scatter / (whole.count - 1))
        return cls(whole.mean, np.sqrt(np.maximum(strengths, 0))[:, None] * directions.T)


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """Return the distance: symmetric, never negative, 0 for equal distributions."""
    traces = np.square(one.root).sum() + np.square(other.root).sum()
    product = np.linalg.svd(one.root @ other.root.T, compute_uv=False).sum()
    return max(0.0, float(np.square(one.mean - other.mean).sum() + traces - 2 * product))


def frechet(comparison: FeatureComparison) -> float:
    """Return the distance of fakes and reals, computed once for all metrics that are based on it."""
    return comparison.derived(_distance)


def bootstrap_interval(value: float, comparison: FeatureComparison) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval of a value that is proportional to the distance; None where features of some
    images were not kept.

    Resampled sets hold images twice, which increases the Fréchet distance; only the variation of the resamples around
    their mean is used.
    """
    if comparison.fakes.moments or comparison.reals.moments:
        return None
    resampled = comparison.bootstrap(_statistic)
    shift = np.quantile(resampled, (0.025, 0.975)) - resampled.mean()
    low, high = value + shift * value / max(frechet(comparison), 1e-12)
    return float(low), float(high)


def _distance(comparison: FeatureComparison) -> float:
    return frechet_distance(comparison.fakes.derived(_gaussian), comparison.reals.derived(_gaussian))


def _gaussian(images: FeatureSet) -> Gaussian:
    return Gaussian.of_moments(images.moments) if images.moments else Gaussian.of(images.features)


def _statistic(fakes: Features, reals: Features) -> float:
    return frechet_distance(Gaussian.of(fakes), Gaussian.of(reals))
