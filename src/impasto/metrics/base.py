"""The contract of a metric, its registry, and the features that metrics compare."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar, cast

import numpy as np

from impasto.config.registry import Registry
from impasto.config.types import Features, Progress, Values
from impasto.errors import ImpastoError
from impasto.metrics.moments import Moments
from impasto.metrics.results import Value

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from impasto.metrics.feature_extractors import FeatureExtractor

T = TypeVar("T")

#: Fewest images of each set that can be scored.
MIN_IMAGES = 2
#: Resamples of a bootstrap.
RESAMPLES = 200


class Metric(ABC):
    """One number about a set of fakes. Stateless; registered under its name in tables and files, such as ``KID``.

    Tables, floors, intervals and comparisons read its meaning, direction and order from here.
    """

    meaning: ClassVar[str]  #: one clause for tables, without the direction
    better: ClassVar[Literal["lower", "higher"] | None] = None  #: None: neither direction is better in general
    order: ClassVar[int] = 1000  #: place in tables; built-in metrics come first


#: Metrics by name. Other packages add modules by the entry-point group ``impasto.metrics``.
METRICS: Registry[type[Metric]] = Registry("metric", package="impasto.metrics", group="impasto.metrics")


class Memo:
    """Caches what functions derive from an object, so that metrics share intermediate results."""

    def __init__(self) -> None:
        self._derived: dict[Callable[..., Any], Any] = {}

    def derived(self, compute: Callable[[Self], T]) -> T:
        """Return ``compute(self)``, computed at the first call."""
        if compute not in self._derived:
            self._derived[compute] = compute(self)
        return cast(T, self._derived[compute])


class FeatureSet(Memo):
    """Features of one image set through one network.

    Attributes:
        features: float32 (N, D), N ≥ 2, finite.
        extractor: the network that they are from.
        size: side in pixels of the images.
        moments: of the features of all images, in parts, where ``features`` are those of a sample; else none.
    """

    def __init__(
        self,
        features: Features,
        extractor: "FeatureExtractor",
        size: int,
        kind: str = "real",
        moments: tuple[Moments, ...] = (),
    ) -> None:
        """
        Args:
            features, extractor, size, moments: see the attributes.
            kind: what the images are, for errors: "real" or "generated".

        Raises:
            ImpastoError: there are too few images, or features are NaN or infinite.
        """
        super().__init__()
        if len(features) < MIN_IMAGES:
            raise ImpastoError(f"A score needs at least {MIN_IMAGES} {kind} images, and there are {len(features)}.")
        if not np.isfinite(features).all() or not all(each.is_finite for each in moments):
            raise ImpastoError(f"Features of the {kind} images are NaN or infinite: the network's weights are damaged.")
        self.features, self.extractor, self.size, self.moments = features, extractor, size, moments

    def __len__(self) -> int:
        return len(self.features)

    @property
    def count(self) -> int:
        """The number of all images."""
        return sum(each.count for each in self.moments) or len(self)

    @property
    def values(self) -> Values:
        """The features as float64 (N, D)."""
        return self.derived(_as_float64)


class FeatureComparison(Memo):
    """Fakes and reals through the same network: what feature metrics are computed from."""

    def __init__(
        self,
        fakes: Features,
        reals: FeatureSet,
        progress: Progress | None = None,
        moments: tuple[Moments, ...] = (),
    ) -> None:
        """
        Args:
            fakes: float32 (N, D).
            reals: the real images, which may serve any number of comparisons.
            progress: called with the number of bootstrap resamples done, and of how many.
            moments: of all fakes, if ``fakes`` are a sample of them.
        """
        super().__init__()
        self.fakes, self.reals = FeatureSet(fakes, reals.extractor, reals.size, "generated", moments), reals
        self._progress = progress
        self._resampled: dict[Callable[[Features, Features], float], Values] = {}

    @property
    def extractor(self) -> "FeatureExtractor":
        return self.reals.extractor

    def bootstrap(self, statistic: Callable[[Features, Features], float], seed: int = 0) -> Values:
        """Return a statistic of fakes and reals for images drawn with replacement from both: (RESAMPLES,)."""
        if statistic not in self._resampled:
            rng = np.random.default_rng(seed)
            fakes, reals = self.fakes.features, self.reals.features
            found = np.empty(RESAMPLES)
            for k in range(RESAMPLES):
                one = fakes[rng.integers(len(fakes), size=len(fakes))]
                other = reals[rng.integers(len(reals), size=len(reals))]
                found[k] = statistic(one, other)
                if self._progress is not None:
                    self._progress(k + 1, RESAMPLES)
            self._resampled[statistic] = found
        return self._resampled[statistic]


class FeatureMetric(Metric):
    """A metric of the features of fakes and reals."""

    @abstractmethod
    def compute(self, comparison: FeatureComparison) -> Value | None:
        """Return the value, with its standard error where one is known; None where it cannot be computed."""

    def interval(self, value: Value, comparison: FeatureComparison) -> tuple[float, float] | None:
        """Return the 95 % confidence interval: of the normal distribution with the value's standard error."""
        if value.error is None:
            return None
        return value.value - 1.96 * value.error, value.value + 1.96 * value.error


class PairMetric(Metric):
    """A metric of a photo and its translation: how much content is preserved."""

    smallest: ClassVar[int] = 1  #: least side of the images, in pixels

    def __init__(self, device: "torch.device") -> None:
        self.device = device

    @abstractmethod
    def compute(self, sources: "Tensor", images: "Tensor") -> "Tensor":
        """Compare uint8 images (B, S, S, 3) on the device, pair by pair: float32 (B,)."""


def feature_metrics() -> dict[str, type[FeatureMetric]]:
    """Return the registered feature metrics, in the order of tables."""
    return {name: metric for name, metric in _in_order() if issubclass(metric, FeatureMetric)}


def pair_metrics() -> dict[str, type[PairMetric]]:
    """Return the registered pair metrics, in the order of tables."""
    return {name: metric for name, metric in _in_order() if issubclass(metric, PairMetric)}


def better(name: str) -> Literal["lower", "higher"] | None:
    """Return which direction of a metric is better; None if neither is, or no metric has this name."""
    return METRICS[name].better if name in METRICS else None


def describe(name: str) -> str:
    """Return what a metric measures and which direction is better; empty if no metric has this name."""
    if name not in METRICS:
        return ""
    metric = METRICS[name]
    return f"{metric.meaning}; {metric.better} is better" if metric.better else metric.meaning


def standard_error(values: Values) -> float | None:
    """Return the standard error of the mean of (N,); None for a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def _as_float64(images: FeatureSet) -> Values:
    return images.features.astype(np.float64)


def _in_order() -> list[tuple[str, type[Metric]]]:
    return sorted(METRICS.items(), key=lambda item: item[1].order)
