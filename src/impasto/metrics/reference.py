"""All measures of fakes against reals, from their features."""

from collections.abc import Callable
from functools import cached_property
from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray

from impasto.config.types import Features
from impasto.errors import ImpastoError
from impasto.metrics.feature_extractors import FeatureExtractor
from impasto.metrics.fid import Gaussian, frechet_distance
from impasto.metrics.inception_score import inception_score
from impasto.metrics.kid import kernel_distance
from impasto.metrics.memorisation import memorisation_distance, mifid, nearest
from impasto.metrics.prdc import DENSITY_NEIGHBOURS, Manifold, neighbourhoods
from impasto.metrics.results import FID_NETWORK, Scores, Value

#: The fewest pictures of a side that say anything.
FEWEST = 2
#: Resamples behind an interval.
RESAMPLES = 200


class Reference:
    """Real pictures' features (M, D), to which any number of sets of fakes are compared."""

    def __init__(self, network: FeatureExtractor, size: int, features: Features) -> None:
        _require_enough(features, "real")
        self.network, self.size, self.features = network, size, features
        self._gaussian = Gaussian.of(features)

    @cached_property
    def _manifold(self) -> Manifold:
        return Manifold(self.features.astype(np.float64))

    def scores(self, fakes: Features) -> Scores:
        """Every measure of the fakes' features (N, D)."""
        _require_enough(fakes, "made")
        kid, error = kernel_distance(fakes, self.features)
        values = {"KID": Value(value=kid, error=error if isfinite(error) else None)}
        values["FD"] = Value(value=frechet_distance(Gaussian.of(fakes), self._gaussian))
        distances = nearest(fakes, self.features)[0][:, 0]
        d = memorisation_distance(distances, fakes)
        if self.network.name.startswith(FID_NETWORK):
            values["MiFID"] = Value(value=mifid(values["FD"].value, d))
        values["d"] = Value(value=d, error=_error(distances))
        # The errors are those of other fakes against these very reals; what recall and coverage owe to the fakes that
        # happened to be made cannot be read off one set, so they have none.
        if min(len(fakes), len(self.features)) > DENSITY_NEIGHBOURS:
            single = neighbourhoods(Manifold(fakes.astype(np.float64)), self._manifold)
            for name, each in single.items():
                error_known = name in ("precision", "density")
                values[name] = Value(value=float(each.mean()), error=_error(each) if error_known else None)
        probabilities = self.network.probabilities(torch.from_numpy(fakes))
        if probabilities is not None:
            score, error = inception_score(probabilities.cpu().numpy())
            values["IS"] = Value(value=score, error=error)
        return Scores(
            network=self.network.name, size=self.size, fakes=len(fakes), reals=len(self.features), values=values
        )

    def with_floors(self, scores: Scores, seed: int = 0) -> Scores:
        """The scores, with what one random half of the reals has against the other: what the real thing scores, by
        those counts."""
        if len(self.features) < 2 * FEWEST:
            return scores
        order = np.random.default_rng(seed).permutation(len(self.features))
        one, other = order[: len(order) // 2], order[len(order) // 2 :]
        floors = Reference(self.network, self.size, self.features[other]).scores(self.features[one]).values
        values = {
            name: value.model_copy(update={"floor": floors[name].value}) if name in floors else value
            for name, value in scores.values.items()
        }
        return scores.model_copy(update={"values": values, "halves": (len(one), len(other))})

    def with_intervals(
        self, scores: Scores, fakes: Features, seed: int = 0, progress: Callable[[int, int], object] | None = None
    ) -> Scores:
        """The scores, with 95 % intervals: of Fréchet distances by the bootstrap, of others from their errors.

        Resampled sets hold pictures twice, which moves the Fréchet distance up; the interval is the resamples'
        spread around the value, without that shift. MiFID's is that over d, which hardly varies.
        """
        rng = np.random.default_rng(seed)
        resampled = np.empty(RESAMPLES)
        for k in range(RESAMPLES):
            one = fakes[rng.integers(len(fakes), size=len(fakes))]
            other = self.features[rng.integers(len(self.features), size=len(self.features))]
            resampled[k] = frechet_distance(Gaussian.of(one), Gaussian.of(other))
            if progress is not None:
                progress(k + 1, RESAMPLES)
        shift = np.quantile(resampled, (0.025, 0.975)) - resampled.mean()
        values = {}
        for name, value in scores.values.items():
            if name in ("FD", "MiFID"):
                around = shift * value.value / max(scores.values["FD"].value, 1e-12)
            elif value.error is not None:
                around = 1.96 * np.array((-value.error, value.error))
            else:
                values[name] = value
                continue
            low, high = value.value + around
            if name == "precision":
                low, high = max(low, 0.0), min(high, 1.0)
            values[name] = value.model_copy(update={"interval": (float(low), float(high))})
        return scores.model_copy(update={"values": values})


def _error(values: NDArray[np.float64]) -> float:
    """The standard error of a mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _require_enough(features: Features, kind: str) -> None:
    if len(features) < FEWEST:
        count = "one picture" if len(features) else "no picture"
        raise ImpastoError(f"There is {count} on the {kind} side: a score needs at least {FEWEST} on each.")
    if not np.isfinite(features).all():
        raise ImpastoError(f"The features of the {kind} pictures are not numbers: the network's weights are damaged.")
