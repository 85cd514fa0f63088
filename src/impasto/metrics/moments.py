"""Mean and scatter of features that are too many to keep, and an evenly spaced sample of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Features, Values

#: Most images whose features are kept: the cost of pairwise distances grows with the square.
MAX_SAMPLE = 10_000
#: Features that are added at a time, whatever the batches in which they are computed.
CHUNK = 2048


@dataclass
class Moments:
    """Moments of features (N, D).

    Attributes:
        count: N.
        mean: (D,) float64.
        scatter: (D, D) float64, the sum over the images of the outer products of their deviations from the mean.
    """

    count: int
    mean: Values
    scatter: Values

    @classmethod
    def none(cls, dimension: int) -> Self:
        return cls(0, np.zeros(dimension), np.zeros((dimension, dimension)))

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> Self:
        """Return the moments of features (N, D), N ≥ 1."""
        rows = features.astype(np.float64)
        mean = rows.mean(axis=0)
        rows -= mean
        return cls(len(rows), mean, rows.T @ rows)

    def merge(self, other: "Moments") -> None:
        """Add the images of another set (Chan, Golub & LeVeque 1983, The American Statistician 37)."""
        total = self.count + other.count
        if not other.count:
            return
        away = other.mean - self.mean
        self.scatter += other.scatter
        self.scatter += np.outer(away, away * (self.count * other.count / total))
        self.mean = self.mean + away * (other.count / total)
        self.count = total

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.mean).all() and np.isfinite(self.scatter).all())


def sample_numbers(count: int) -> NDArray[np.int64]:
    """Return the numbers of the images whose features are kept: all, or :data:`MAX_SAMPLE` at equal intervals."""
    if count <= MAX_SAMPLE:
        return np.arange(count)
    return np.linspace(0, count - 1, MAX_SAMPLE).round().astype(np.int64)


class FeatureCollector:
    """The features of an image set, as they are computed: all of them, or a sample of more than :data:`MAX_SAMPLE`
    with the moments of all, in two halves. Does not depend on the batches in which they arrive.

    Args:
        dimension: D.
        count: images in the set; some may be unreadable.
    """

    def __init__(self, dimension: int, count: int) -> None:
        self._numbers = sample_numbers(count)
        self._kept = [np.empty((0, dimension), np.float32)]
        self._halves = [] if count <= MAX_SAMPLE else [Moments.none(dimension), Moments.none(dimension)]
        self._waiting: list[Features] = []
        self._done = 0

    def add(self, features: Features) -> None:
        """Add the features (B, D) of the next images."""
        first, self._done = self._done, self._done + len(features)
        low, high = np.searchsorted(self._numbers, (first, self._done))
        self._kept.append(features[self._numbers[low:high] - first])
        if self._halves:
            self._waiting.append(features)
            if self._done // CHUNK > first // CHUNK:
                rows = np.concatenate(self._waiting)
                whole = len(rows) - self._done % CHUNK
                for begin in range(0, whole, CHUNK):
                    self._add(rows[begin : begin + CHUNK])
                self._waiting = [rows[whole:].copy()]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the features, and the moments of the halves if some were not kept."""
        found: dict[str, NDArray[np.generic]] = {"features": np.concatenate(self._kept)}
        if not self._halves:
            return found
        self._add(np.concatenate([*self._waiting, found["features"][:0]]))
        self._waiting = []
        for name in ("count", "mean", "scatter"):
            found[f"moments_{name}"] = np.stack([getattr(half, name) for half in self._halves])
        return found

    def _add(self, rows: Features) -> None:
        for parity, half in enumerate(self._halves):  # chunks are even, so these are the even and the odd images
            if len(part := rows[parity::2]):
                half.merge(Moments.of(part))


def halves(arrays: Mapping[str, NDArray[np.generic]]) -> tuple[Moments, ...]:
    """Return the moments of :meth:`FeatureCollector.arrays`: of both halves, or none if all features were kept."""
    if "moments_count" not in arrays:
        return ()
    counts, means, scatters = (arrays[f"moments_{name}"] for name in ("count", "mean", "scatter"))
    return tuple(
        Moments(int(count), mean.astype(np.float64), scatter.astype(np.float64))
        for count, mean, scatter in zip(counts, means, scatters, strict=True)
    )
