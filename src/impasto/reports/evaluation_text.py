"""Summary of an evaluation in sentences, derived from its numbers alone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from impasto.metrics.formatting import (
    SIGNIFICANT,
    format_floor,
    format_percent,
    format_value,
)
from impasto.metrics.results import DECIDING_METRIC, Evaluation, Memorisation, Scores, Value

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

VISIBLE_CHECKERBOARD = 3.0
"""Decibels above the reals from which on a checkerboard is reported: twice the power. Photos saved as JPEG of quality
50, sharpened, brightened or slightly blurred stay below."""


@dataclass(frozen=True)
class MemorisationFinding:
    """Whether a model reproduces training images, and the sentence with the numbers."""

    level: Literal["unknown", "none", "some", "memorised"]
    sentence: str

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
        """Whether a reader should be warned."""
        return self.level in ("some", "memorised")


def format_halves(scores: Scores) -> str:
    """Return the numbers of images of the floor: ``150 v 150``; empty without floors."""
    return f"{scores.halves[0]:,} v {scores.halves[1]:,}" if scores.halves else ""


def format_sets(scores: Scores, against: str = "reals") -> str:
    """Return the numbers of images of both sets: ``1,000 fakes v 270 reals``."""
    return f"{scores.fakes:,} fakes v {scores.reals:,} {against}"


def summarise(evaluation: Evaluation) -> Iterator[str]:
    """Yield the deciding metric, fidelity and diversity, visible checkerboard artefacts, and the reverse direction."""
    for scores in evaluation.scores[:1]:
        if DECIDING_METRIC in scores.values:
            yield _distance(scores)
        shares = list(_shares(scores))
        if shares:
            yield f"{', '.join(shares)}, with {scores.network}."
    if evaluation.checkerboard is not None:
        yield from _checkerboard(evaluation.checkerboard)
    for scores in evaluation.scores_reverse[:1]:
        yield f"Reverse direction (painting → photo): {_distance(scores)}"


def _checkerboard(found: Value) -> Iterator[str]:
    if found.value - (found.floor or 0.0) > max(VISIBLE_CHECKERBOARD, SIGNIFICANT * (found.error or 0.0)):
        reals = "" if found.floor is None else f" (reals: {format_floor(found)} dB)"
        yield (
            "The fakes have checkerboard artefacts: upsampling peaks in their spectrum of "
            f"{format_value(found)} dB{reals}."
        )


def _distance(scores: Scores) -> str:
    found = scores.values[DECIDING_METRIC]
    floor = (
        f"; floor {format_floor(found)}, {format_halves(scores)}" if found.floor is not None and scores.halves else ""
    )
    numbers = f"{scores.label(DECIDING_METRIC)} is {format_value(found)} ({format_sets(scores)}{floor})"
    if not found.error:
        return f"{numbers}."
    # By chance the floor is negative as often as positive; the true one is 0.
    if found.value - max(found.floor or 0.0, 0.0) <= SIGNIFICANT * found.error:
        return f"{numbers}: fakes and reals are not distinguishable with this many images."
    return f"{numbers}: fakes and reals are distinguishable."


def _shares(scores: Scores) -> Iterator[str]:
    if "precision" in scores.values:
        yield f"Precision {_share(scores.values['precision'])} (fakes inside the manifold of the reals)"
    if "recall" in scores.values:
        yield f"recall {_share(scores.values['recall'])} (reals inside the manifold of the fakes)"
    if "coverage" in scores.values:
        yield f"coverage {_share(scores.values['coverage'])} (reals with a fake in their neighbourhood)"


def _share(value: Value) -> str:
    return format_percent(min(max(value.value, 0.0), 1.0))


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
            return MemorisationFinding("some", f"{copies}. {duplicates}.")
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
    if near >= MEMORISED * fakes and near > limit:
        return MemorisationFinding("memorised", f"{sentence}: the model has memorised its training images.")
    if near > limit:
        return MemorisationFinding(
            "some", f"{sentence}; with {reals:,} reals, at most {limit:,} can be chance. Some are copies, or nearly."
        )
    if identical:
        return MemorisationFinding("some", f"{copies}.")
    # Occasional copies may stay below 5 %, but they are nearer than any two reals.
    if nearest > nearest_limit:
        return MemorisationFinding(
            "some",
            f"{nearest:,} of {fakes:,} fakes {'is' if nearest == 1 else 'are'} nearer to a real image than any of the "
            f"{reals:,} reals is to another; at most {nearest_limit:,} by chance. Some are copies, or nearly.",
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
