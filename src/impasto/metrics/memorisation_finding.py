"""The verdict on memorisation: whether fakes are nearer to the training images than chance allows."""

import math
from dataclasses import dataclass
from typing import Literal

from impasto.metrics.results import Memorisation

Level = Literal["unknown", "none", "some", "memorised"]

FALSE_POSITIVES = 0.0005
"""Probability of each of the two tests to report a model without memorisation, for independent distances. They are not
quite independent: of 1,200 simulated models, with features of 10 and of 40 dimensions, 3 were reported."""

MEMORISED = 0.5
"""Share of the fakes near a real from which on a model counts as reproducing its training images."""

IDENTICAL = 0.001
"""Cosine distances below this are those of an image to itself, saved or resized once more."""

MIN_REALS = 50
"""Fewer reals make the 5th percentile too uncertain: trainings on 20 paintings, whose copies are obvious to the eye
despite artefacts, were not reported."""


@dataclass(frozen=True)
class MemorisationFinding:
    """Whether a model reproduces training images, the sentence with the numbers, and the share of the fakes, 0…1, that
    are as near to a training image as a copy is."""

    level: Level
    sentence: str
    share: float = 0.0

    @property
    def short(self) -> str:
        """The finding without numbers."""
        return {
            "unknown": "Memorisation cannot be determined.",
            "none": "No sign of memorisation.",
            "some": "Some fakes may be copies of training images.",
            "memorised": "The model reproduces training images, so good scores say nothing about quality.",
        }[self.level]

    @property
    def suspicious(self) -> bool:
        """Whether a reader should be warned, and the model ranked after all that are not suspicious."""
        return self.level in ("some", "memorised")


def assess_memorisation(found: Memorisation) -> MemorisationFinding:
    """Test whether fakes are nearer to the reals than the reals are to each other, beyond chance."""
    fakes, reals = len(found.fakes), len(found.reals)
    identical = sum(distance < IDENTICAL for distance in found.fakes)
    if not fakes or not reals or (reals < MIN_REALS and not identical):
        return MemorisationFinding(
            "unknown",
            f"{fakes:,} fakes and {reals:,} reals are too few to test for memorisation: inspect the nearest reals.",
        )
    are = "is" if identical == 1 else "are"
    copies = f"{identical:,} of {fakes:,} fakes {are} practically identical to a real image"
    if found.threshold < IDENTICAL:
        duplicates = "At least 5 % of the reals have duplicates, which hides memorisation: remove them"
        if identical:
            return MemorisationFinding("some", f"{copies}. {duplicates}.", identical / fakes)
        return MemorisationFinding("unknown", f"{duplicates}.")
    near = sum(distance < found.threshold for distance in found.fakes)
    # Mutual nearest neighbours share one distance, so reals provide only half as many independent ones.
    limit = expected_maximum(fakes, reals // 2, max(1, (reals // 20 + 1) // 2))
    nearest = sum(distance < min(found.reals) for distance in found.fakes)
    nearest_limit = expected_maximum(fakes, reals // 2, 1)
    sentence = (
        f"{near:,} of {fakes:,} fakes {'is' if near == 1 else 'are'} nearer to a real image than 95 % of the "
        f"{reals:,} reals are to their nearest other real"
    )
    share = near / fakes
    if near >= MEMORISED * fakes and near > limit:
        return MemorisationFinding("memorised", f"{sentence}: the model has memorised its training images.", share)
    if near > limit:
        return MemorisationFinding(
            "some",
            f"{sentence}; with {reals:,} reals, at most {limit:,} can be chance. Some are copies, or nearly.",
            share,
        )
    if identical >= MEMORISED * fakes:
        return MemorisationFinding("memorised", f"{copies}: the model has memorised its training images.", share)
    if identical:
        return MemorisationFinding("some", f"{copies}.", share)
    # Occasional copies may stay below 5 %, but they are nearer than any two reals.
    if nearest > nearest_limit:
        return MemorisationFinding(
            "some",
            f"{nearest:,} of {fakes:,} fakes {'is' if nearest == 1 else 'are'} nearer to a real image than any of the "
            f"{reals:,} reals is to another; at most {nearest_limit:,} by chance. Some are copies, or nearly.",
            share,
        )
    return MemorisationFinding(
        "none", f"{sentence}; with {reals:,} reals, up to {limit:,} can be chance: no sign of memorisation."
    )


def expected_maximum(fakes: int, reals: int, rank: int) -> int:
    """Return the number of fakes below the ``rank``-th smallest distance of the reals that chance exceeds with
    probability :data:`FALSE_POSITIVES` without memorisation.

    The share of distances below that one is Beta(rank, reals + 1 − rank), so their number is beta-binomial: with few
    reals the percentile is uncertain, which a binomial of 5 % would ignore.
    """
    a, b = rank, reals + 1 - rank
    constant = math.lgamma(fakes + 1) - math.lgamma(fakes + a + b)
    constant += math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    cumulative = 0.0
    for near in range(fakes + 1):
        ways = math.lgamma(near + 1) + math.lgamma(fakes - near + 1)
        cumulative += math.exp(constant - ways + math.lgamma(near + a) + math.lgamma(fakes - near + b))
        if cumulative >= 1 - FALSE_POSITIVES:
            return near
    return fakes
