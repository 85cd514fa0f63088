"""What the best of several models is chosen by: a score on images that none was trained on, and no memorisation."""

from collections.abc import Iterable

import torch
from pydantic import BaseModel

from impasto.config.types import Features, Pixels
from impasto.metrics.base import FeatureComparison, FeatureSet
from impasto.metrics.choice import Choice
from impasto.metrics.feature_extractors import DEFAULT, FeatureExtractor, open_feature_extractor
from impasto.metrics.features import extract
from impasto.metrics.image_sets import ImageSet
from impasto.metrics.memorisation import measure_memorisation
from impasto.metrics.memorisation_finding import MemorisationFinding, assess_memorisation
from impasto.metrics.results import DECIDING_METRIC, Scores
from impasto.metrics.scoring import score


class Candidate(BaseModel, frozen=True):
    """The scores of a model.

    Attributes:
        scores: against the training images.
        unseen: against held-out images; None if there are too few.
        memorisation: whether it reproduces training images.
    """

    scores: Scores
    unseen: Scores | None = None
    memorisation: MemorisationFinding = MemorisationFinding("unknown", "")

    @property
    def deciding(self) -> Scores:
        """The scores whose deciding metric ranks candidates: those against held-out images, if there are any."""
        return self.scores if self.unseen is None else self.unseen

    @property
    def value(self) -> float:
        """The deciding metric; lower is better."""
        return self.deciding.values[DECIDING_METRIC].value

    @property
    def copies(self) -> float:
        """The share of the fakes, 0…1, that are as near to a training image as a copy; 0 unless that is suspicious."""
        return self.memorisation.share

    @property
    def decided_by(self) -> str:
        """The deciding metric with network and counts: ``KID[efficientnet-lite0] 256 v 30 held-out``."""
        kind = "" if self.unseen is None else " held-out"
        return f"{self.deciding.label(DECIDING_METRIC)} {self.deciding.counts}{kind}"

    def as_choice(self, step: int) -> Choice:
        """Return the choice of the model as the best one, at that step of its training."""
        level = self.memorisation.level
        return Choice(step=step, decided_by=self.decided_by, value=self.value, memorisation=level, copies=self.copies)

    def row(self) -> dict[str, float]:
        """The columns of a log: all scores against the training images, the deciding one, and the share of copies."""
        return self.scores.row() | {self.decided_by: self.value, f"copies {self.scores.counts}": self.copies}


#: Reals that are scored beforehand, to compute what metrics derive from all reals; more than any metric's neighbours.
WARM_UP = 8


def open_networks(name: str, device: torch.device) -> tuple[FeatureExtractor, FeatureExtractor]:
    """Return the network of that name, to score by, and the one to find copies by: the default network, which finds
    more than others do (docs/decisions.md)."""
    network = open_feature_extractor(name, device)
    return network, network if network.name == DEFAULT else open_feature_extractor(DEFAULT, device)


def features_of(networks: Iterable[FeatureExtractor], images: Pixels) -> list[Features]:
    """Return the features, each (N, D), of images, uint8 (N, S, S, 3), by each different network."""
    return [extract(network, images) for network in dict.fromkeys(networks)]


class CandidateScorer:
    """Scores the features of generated images as those of a candidate. What is derived from the reals alone is computed
    beforehand, so that the time of a score depends on the fakes.

    Args:
        network: of a family that the model is not trained against.
        reals: the training images.
        unseen: held-out images that decide; None if there are too few.
        memorisation: the network that copies are found with.
    """

    def __init__(
        self, network: FeatureExtractor, reals: ImageSet, unseen: ImageSet | None, memorisation: FeatureExtractor
    ) -> None:
        self._network, self._memorisation = network, memorisation
        self._reals = FeatureSet(reals.features(network), network, reals.size)
        self._unseen = None if unseen is None else FeatureSet(unseen.features(network), network, unseen.size)
        self._originals = self._reals
        if memorisation.name != network.name:
            self._originals = FeatureSet(reals.features(memorisation), memorisation, reals.size)
        for each in filter(None, (self._reals, self._unseen)):
            score(FeatureComparison(each.features[:WARM_UP], each))
        measure_memorisation(FeatureComparison(self._originals.features[:WARM_UP], self._originals))

    def features(self, images: Pixels) -> list[Features]:
        """Return the features of images, uint8 (N, S, S, 3), by each network."""
        return features_of((self._network, self._memorisation), images)

    def score(self, features: list[Features]) -> Candidate:
        """Score the features of at least 2 images."""
        comparison = FeatureComparison(features[0], self._reals)
        copied = FeatureComparison(features[-1], self._originals) if len(features) > 1 else comparison
        unseen = None if self._unseen is None else score(FeatureComparison(features[0], self._unseen))
        memorisation = assess_memorisation(measure_memorisation(copied))
        return Candidate(scores=score(comparison), unseen=unseen, memorisation=memorisation)
