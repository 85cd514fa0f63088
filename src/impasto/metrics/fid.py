"""The Fréchet distance between two sets of features (Heusel et al. 2017, arXiv:1706.08500, equation 6).

With means μ and covariances Σ it is ‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½). No square root of a matrix is taken: with
roots R of the covariances (RᵀR = Σ), the trace of (Σ₁Σ₂)^½ is the sum of the singular values of R₁R₂ᵀ, which has no
more rows and columns than there are pictures. So it is exact for few pictures too, whose covariances have no inverse.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Gaussian:
    """The normal distribution that the distance takes features for.

    Attributes:
        mean: (D,) float64.
        root: R, (min(N, D), D) float64, where RᵀR is the unbiased covariance of the N rows.
    """

    mean: NDArray[np.float64]
    root: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> Self:
        """Of features (N, D), N > 1."""
        rows = features.astype(np.float64)
        mean = rows.mean(axis=0)
        rows -= mean
        rows /= np.sqrt(len(rows) - 1)
        return cls(mean, rows if len(rows) <= rows.shape[1] else np.linalg.qr(rows).R)


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """The distance: symmetric, never negative, 0 for equal distributions."""
    traces = np.square(one.root).sum() + np.square(other.root).sum()
    product = np.linalg.svd(one.root @ other.root.T, compute_uv=False).sum()
    return max(0.0, float(np.square(one.mean - other.mean).sum() + traces - 2 * product))
