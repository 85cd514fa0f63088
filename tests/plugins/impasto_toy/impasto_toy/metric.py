"""A metric: the cosine between the mean features of fakes and reals."""

import numpy as np

from impasto.metrics.base import METRICS, FeatureComparison, FeatureMetric
from impasto.metrics.results import Value


@METRICS.register("toy-cosine")
class MeanCosine(FeatureMetric):
    """The cosine of the angle between both means."""

    meaning = "cosine between the mean features of fakes and reals"
    better = "higher"

    def compute(self, comparison: FeatureComparison) -> Value:
        fakes, reals = comparison.fakes.values.mean(0), comparison.reals.values.mean(0)
        return Value(value=float(fakes @ reals / np.linalg.norm(fakes) / np.linalg.norm(reals)))
