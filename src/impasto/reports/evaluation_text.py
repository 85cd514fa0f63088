"""Summary of an evaluation in sentences, derived from its numbers alone."""

from collections.abc import Iterator

from impasto.metrics.formatting import (
    SIGNIFICANT,
    format_floor,
    format_percent,
    format_value,
)
from impasto.metrics.results import DECIDING_METRIC, Evaluation, Scores, Value

VISIBLE_CHECKERBOARD = 3.0
"""Decibels above the reals from which on a checkerboard is reported: twice the power. Photos saved as JPEG of quality
50, sharpened, brightened or slightly blurred stay below."""


def format_halves(scores: Scores) -> str:
    """Return the numbers of images of the floor: ``150 v 150``; empty without floors."""
    return f"{scores.halves[0]:,} v {scores.halves[1]:,}" if scores.halves else ""


def format_sets(scores: Scores, against: str = "reals") -> str:
    """Return the numbers of images of both sets: ``1,000 fakes v 270 reals``, and of the sample of larger ones."""
    if scores.sample is None:
        return f"{scores.fakes:,} fakes v {scores.reals:,} {against}"
    return f"FD: {scores.fakes:,} fakes v {scores.reals:,} {against}, others: {_format_sample(scores)} evenly spaced"


def _format_sample(scores: Scores) -> str:
    fakes, reals = scores.sample or (scores.fakes, scores.reals)
    return f"{fakes:,} fakes v {reals:,} reals"


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
    numbers = f"{scores.label(DECIDING_METRIC)} is {format_value(found)} ({_format_sample(scores)}{floor})"
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
