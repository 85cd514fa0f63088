"""Inception score (Salimans et al. 2016, arXiv:1606.03498, section 4)."""

import numpy as np
import torch
from numpy.typing import NDArray

from impasto.metrics.base import METRICS, FeatureComparison, FeatureMetric
from impasto.metrics.results import Value


@METRICS.register("IS")
class InceptionScore(FeatureMetric):
    """Of networks with a classifier."""

    # No direction: it asks for recognisable ImageNet objects, which paintings need not have.
    meaning = "Inception score: confidence and diversity of a classifier's predictions; higher is better for photos"
    order = 60

    def compute(self, comparison: FeatureComparison) -> Value | None:
        probabilities = comparison.extractor.probabilities(torch.from_numpy(comparison.fakes.features))
        if probabilities is None:
            return None
        score, error = inception_score(probabilities.cpu().numpy())
        return Value(value=score, error=error)


def inception_score(probabilities: NDArray[np.floating]) -> tuple[float, float]:
    """Return exp of the mean KL divergence of each image's class distribution (N, K) from their mean, and its error.

    From 1, for equal or uniform predictions, to K. Computed over all images at once, as the usual ten splits would
    leave 30 images of 300. It grows with N.
    """
    p = probabilities.astype(np.float64)
    divergence = (p * (np.log(p + 1e-16) - np.log(p.mean(axis=0) + 1e-16))).sum(axis=1)  # (N,)
    score = float(np.exp(divergence.mean()))
    return score, score * float(divergence.std(ddof=1) / np.sqrt(len(p)))
