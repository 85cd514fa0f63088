"""All metrics of fakes against reals through one feature network, with floors and confidence intervals."""

import logging
import math

import numpy as np

from impasto.metrics.base import METRICS, MIN_IMAGES, FeatureComparison, FeatureMetric, FeatureSet, feature_metrics
from impasto.metrics.results import DECIDING_METRIC, Scores, Value

_log = logging.getLogger(__name__)


def score(comparison: FeatureComparison) -> Scores:
    """Compute every feature metric. A value that is NaN or infinite is left out, with a warning."""
    found = {name: metric().compute(comparison) for name, metric in feature_metrics().items()}
    for name, value in found.items():
        # The caller decides what a missing deciding metric means; JSON has no NaN for the others.
        if value is not None and not math.isfinite(value.value) and name != DECIDING_METRIC:
            _log.warning("The metric %s is %s with %s and is left out.", name, value.value, comparison.extractor.name)
            found[name] = None
    return Scores(
        network=comparison.extractor.name,
        size=comparison.reals.size,
        fakes=comparison.fakes.count,
        reals=comparison.reals.count,
        sample=_sample(comparison.fakes, comparison.reals),
        values={name: value for name, value in found.items() if value is not None},
    )


def add_floors(scores: Scores, reals: FeatureSet, seed: int = 0) -> Scores:
    """Add the floor of each metric: one random half of the reals scored against the other half."""
    if len(reals) < 2 * MIN_IMAGES:
        return scores
    order = np.random.default_rng(seed).permutation(len(reals))
    one, other = (reals.features[half] for half in (order[: len(order) // 2], order[len(order) // 2 :]))
    half = FeatureSet(other, reals.extractor, reals.size, moments=reals.moments[1:])
    floors = score(FeatureComparison(one, half, moments=reals.moments[:1])).values
    values = {
        name: value.model_copy(update={"floor": floors[name].value}) if name in floors else value
        for name, value in scores.values.items()
    }
    return scores.model_copy(update={"values": values, "halves": (len(one), len(other))})


def _sample(fakes: FeatureSet, reals: FeatureSet) -> tuple[int, int] | None:
    return (len(fakes), len(reals)) if fakes.moments or reals.moments else None


def add_intervals(scores: Scores, comparison: FeatureComparison) -> Scores:
    """Add 95 % confidence intervals, by each metric's own method; bootstraps take a while."""

    def with_interval(name: str, value: Value) -> Value:
        metric = METRICS[name]
        assert issubclass(metric, FeatureMetric)
        return value.model_copy(update={"interval": metric().interval(value, comparison)})

    return scores.model_copy(
        update={"values": {name: with_interval(name, value) for name, value in scores.values.items()}}
    )
