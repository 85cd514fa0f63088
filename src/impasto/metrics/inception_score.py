"""The Inception score (Salimans et al. 2016, arXiv:1606.03498, section 4)."""

import numpy as np
from numpy.typing import NDArray


def inception_score(probabilities: NDArray[np.floating]) -> tuple[float, float]:
    """exp of the mean divergence of each picture's classes (N, K) from those of all, and its standard error.

    From 1, when all pictures look alike to the classifier or it is never sure, to K. All pictures are taken together:
    the usual ten parts would leave 30 pictures of 300. It grows with N.
    """
    p = probabilities.astype(np.float64)
    divergence = (p * (np.log(p + 1e-16) - np.log(p.mean(axis=0) + 1e-16))).sum(axis=1)  # (N,)
    score = float(np.exp(divergence.mean()))
    return score, score * float(divergence.std(ddof=1) / np.sqrt(len(p)))
