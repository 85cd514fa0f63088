"""Quality and variety apart from each other, by neighbourhoods in feature space.

Precision and recall: Kynkäänniemi et al. 2019 (arXiv:1904.06991), equation 1, with 3 neighbours.
Density and coverage: Naeem et al. 2020 (arXiv:2002.09797), equations 3 and 5, with 5 neighbours.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from impasto.config.types import Values

PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS = 3, 5
BLOCK = 1024  #: rows of the matrix of distances in memory at a time


@dataclass(frozen=True)
class Manifold:
    """A set of features (N, D), N > 5, as the union of balls that reach to each one's neighbours."""

    features: Values

    @cached_property
    def radii(self) -> Values:
        """Squared distances of each to its 3rd and 5th nearest other one: (N, 2)."""
        places = [PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS]  # place 0 is its own
        blocks = [
            np.partition(squared_distances(self.features[i : i + BLOCK], self.features), places, axis=1)[:, places]
            for i in range(0, len(self.features), BLOCK)
        ]
        return np.concatenate(blocks)


def neighbourhoods(fakes: Manifold, reals: Manifold) -> dict[str, Values]:
    """Values of single pictures, whose means are the measures.

    ``precision`` (N,): whether a fake lies among the reals; ``recall`` (M,): whether a real lies among the fakes;
    ``density`` (N,): of how many reals' neighbourhoods a fake is part, over 5; ``coverage`` (M,): whether there is a
    fake in a real's neighbourhood.
    """
    recall = np.zeros(len(reals.features), dtype=bool)
    coverage = np.zeros(len(reals.features), dtype=bool)
    precision, density = [], []
    for i in range(0, len(fakes.features), BLOCK):
        distances = squared_distances(fakes.features[i : i + BLOCK], reals.features)  # (B, M)
        precision.append((distances <= reals.radii[:, 0]).any(axis=1))
        density.append((distances <= reals.radii[:, 1]).sum(axis=1) / DENSITY_NEIGHBOURS)
        coverage |= (distances <= reals.radii[:, 1]).any(axis=0)
        recall |= (distances <= fakes.radii[i : i + BLOCK, :1]).any(axis=0)
    return {
        "precision": np.concatenate(precision).astype(np.float64),
        "recall": recall.astype(np.float64),
        "density": np.concatenate(density),
        "coverage": coverage.astype(np.float64),
    }


def squared_distances(x: Values, y: Values) -> Values:
    """Of each row of x (N, D) to each of y (M, D): (N, M)."""
    distances: Values = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)[None] - 2 * (x @ y.T)
    np.maximum(distances, 0.0, out=distances)
    return distances
