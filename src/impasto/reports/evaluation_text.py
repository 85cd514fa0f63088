"""What an evaluation says, in plain words and from nothing but its numbers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from impasto.metrics.results import Copies, Evaluation, Scores, Value
from impasto.reports.diagnostics import percent

CHANCE = 0.0005
"""How seldom each of the two questions may suspect an honest painter, if distances were independent. They are not
quite: of 1,200 honest painters that were invented, with features of 10 and of 40 dimensions, 3 were suspected."""

BY_HEART = 0.5
"""From this share on, copying is not something that a painter also does, but what it does."""

SAME = 0.001
"""Cosine distances below this lie between a picture and itself, saved or shrunk once more."""

FEW_REALS = 50
"""With fewer real pictures the border is too uncertain to acquit anyone: of trainings on 20 paintings, whose copies the
eye knows though they are full of artefacts, not one was suspected."""

SURE = 2.0
"""Standard errors apart from which on two numbers count as different: once in twenty by chance."""

PLAIN = 3.0
"""Decibels by which the fakes' checkerboard has to exceed that of the reals to be spoken of: twice the power. Photos saved
as JPEG of quality 50, sharpened, brightened or a little blurred stay below."""

SPACE = "\N{NO-BREAK SPACE}"

LOWER, HIGHER = ("KID", "FD", "MiFID", "checkerboard"), ("precision", "recall", "density", "coverage")
"""Measures of which less, and of which more, is better. Of d neither: a copyist has little, and so has a master. Nor of
IS: what it asks about is photos of things."""


@dataclass(frozen=True)
class Copying:
    """Whether a painter copies: how far the suspicion goes, and the sentence that says why."""

    level: Literal["unknown", "none", "some", "by heart"]
    sentence: str

    @property
    def short(self) -> str:
        """The same without its numbers."""
        return {
            "unknown": "Whether it copies cannot be told.",
            "none": "No sign of copying.",
            "some": "Some of its pictures may be copies.",
            "by heart": "It has learned its pictures by heart: a copyist scores well, which says nothing of its art.",
        }[self.level]

    @property
    def suspicious(self) -> bool:
        """Whether a reader should be warned."""
        return self.level in ("some", "by heart")


def number(value: float, decimals: int | None = None) -> str:
    """A number with three significant digits, or so many decimals: ``0.0563``, ``99.1``, ``1,240``, ``−0.0002``."""
    if not math.isfinite(value):
        return "—"
    text = f"{value:,.{places(value, 3) if decimals is None else decimals}f}"
    if not text.strip("-0.,"):  # -0.000 is no less than nothing
        text = text.removeprefix("-")
    return text.replace("-", "−")


def places(value: float, digits: int, most: int = 6) -> int:
    """Decimals at which a number has so many significant digits."""
    if value == 0 or not math.isfinite(value):
        return digits - 1
    return min(max(digits - 1 - math.floor(math.log10(abs(value))), 0), most)


def decimals(value: Value) -> int:
    """Decimals of a measured number, its error and all that it is compared with: two digits of the error, or one where
    the number would have more than four; without an error three digits of the number, and one decimal at least."""
    if not value.error:
        return max(places(value.value, 3, most=4), 1)
    return min(places(value.error, 2), max(places(value.error, 1), places(value.value, 4)))


def measured(value: Value) -> str:
    """A measured number and its standard error: ``0.0563 ± 0.0021``; ``99.1`` where no error is known."""
    digits = decimals(value)
    error = "" if value.error is None else f"{SPACE}±{SPACE}{number(value.error, digits)}"
    return number(value.value, digits) + error


def interval(value: Value) -> str:
    """The 95 % interval, such as ``0.0521 to 0.0604``; empty where none was taken."""
    if value.interval is None:
        return ""
    low, high = value.interval
    return f"{number(low, decimals(value))} to {number(high, decimals(value))}"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def halves(scores: Scores) -> str:
    """The counts that the floors were taken of: ``150 v 150``; empty where none was."""
    return f"{scores.halves[0]:,} v {scores.halves[1]:,}" if scores.halves else ""


def sentences(evaluation: Evaluation) -> Iterator[str]:
    """How far the fakes are from the reals, how good and how varied they are, where that was measured, whether a
    checkerboard lies over them, and how far the photos are that a style makes of paintings, if it has both directions."""
    for scores in evaluation.scores[:1]:
        if "KID" in scores.values:
            yield _distance(scores)
        shares = list(_shares(scores))
        if shares:
            yield f"Through {scores.network}, {scores.counts}: {' and '.join(shares)}."
    if evaluation.checkerboard is not None:
        yield from _checkerboard(evaluation.checkerboard)
    for scores in evaluation.scores_reverse[:1]:
        distance = _distance(scores)
        yield f"In the reverse direction, photos of paintings, {distance[0].lower()}{distance[1:]}"


def _checkerboard(found: Value) -> Iterator[str]:
    floor = found.floor or 0.0
    if found.value - floor > max(PLAIN, SURE * (found.error or 0.0)):
        beside = "" if found.floor is None else f"; that of the reals by {number(floor, decimals(found))}"
        yield (
            f"A checkerboard lies over the fakes, every second or fourth pixel: their spectrum stands out there by "
            f"{measured(found)} dB{beside}."
        )


def _distance(scores: Scores) -> str:
    kid = scores.values["KID"]
    numbers = f"{scores.label('KID')} is {measured(kid)}, {scores.counts}"
    floor = ""
    if kid.floor is not None and scores.halves:
        floor = (
            f", where one half of the reals is {number(kid.floor, decimals(kid))} away from the other, {halves(scores)}"
        )
    if not kid.error:
        return f"The distance of the fakes from the reals: {numbers}{floor}."
    # A half against the other is by chance below 0 as often as above: then 0 is the floor.
    if kid.value - max(kid.floor or 0.0, 0.0) <= SURE * kid.error:
        return f"The fakes cannot be told from the reals by so many pictures: {numbers}{floor}."
    return f"The fakes can be told from the reals: {numbers}{floor}."


def _shares(scores: Scores) -> Iterator[str]:
    if "precision" in scores.values:
        yield f"{percent(_share(scores.values['precision']))} of the fakes lie among the reals (precision)"
    if "coverage" in scores.values:
        yield f"{percent(_share(scores.values['coverage']))} of the reals have a fake near them (coverage)"
    elif "recall" in scores.values:
        yield f"{percent(_share(scores.values['recall']))} of the reals lie among the fakes (recall)"


def _share(value: Value) -> float:
    return min(max(value.value, 0.0), 1.0)


def copying(copies: Copies) -> Copying:
    """Whether the fakes lie nearer to the reals than the reals to each other, beyond chance."""
    fakes, reals = len(copies.fakes), len(copies.reals)
    same = sum(distance < SAME for distance in copies.fakes)
    if not fakes or not reals or (reals < FEW_REALS and not same):
        return Copying(
            "unknown",
            f"Whether it copies cannot be told by distances of {fakes:,} fakes and {reals:,} reals, which are too few: "
            "look at the nearest.",
        )
    twins = f"{same:,} of {fakes:,} fakes {'is' if same == 1 else 'are'} practically identical to a real picture"
    if copies.threshold < SAME:
        doubles = "At least one real picture in twenty has its double among them, which hides copies: leave doubles out"
        return Copying("some", f"{twins}. {doubles}.") if same else Copying("unknown", f"{doubles}.")
    near = sum(distance < copies.threshold for distance in copies.fakes)
    # Two pictures that are each other's nearest share one distance, so reals say no more than half as many would.
    most = by_chance(fakes, reals // 2, max(1, (reals // 20 + 1) // 2))
    nearer = sum(distance < min(copies.reals) for distance in copies.fakes)
    most_nearer = by_chance(fakes, reals // 2, 1)
    found = (
        f"{near:,} of {fakes:,} fakes {'lies' if near == 1 else 'lie'} closer to a real picture than 95 % of the "
        f"{reals:,} real pictures lie to each other"
    )
    if near >= BY_HEART * fakes and near > most:
        return Copying("by heart", f"{found}: it has learned its pictures by heart.")
    if near > most:
        return Copying("some", f"{found}; by chance it would be {most:,} at most: some of them are copies, or nearly.")
    if same:
        return Copying("some", f"{twins}.")
    # A painter that copies now and then may stay below 5 %; its copies are nearer than any two reals all the same.
    if nearer > most_nearer:
        return Copying(
            "some",
            f"{nearer:,} of {fakes:,} fakes lie closer to a real picture than any of the {reals:,} real pictures lies "
            f"to another; by chance it would be {most_nearer:,} at most: some of them are copies, or nearly.",
        )
    return Copying("none", f"{found}; by chance it could be {most:,}: no sign of copying.")


def by_chance(fakes: int, reals: int, rank: int) -> int:
    """The most fakes of an honest painter that chance puts below the ``rank``-th lowest of the reals' distances, but
    for :data:`CHANCE`.

    The share of an honest painter's distances below that one is distributed as Beta(rank, reals + 1 − rank), and their
    number among ``fakes`` as the beta-binomial with those parameters: few reals make an uncertain border, which a
    binomial of 5 % would take for certain.
    """
    a, b = rank, reals + 1 - rank
    whole = math.lgamma(fakes + 1) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) - math.lgamma(fakes + a + b)
    below = 0.0
    for near in range(fakes + 1):
        ways = math.lgamma(near + 1) + math.lgamma(fakes - near + 1)
        below += math.exp(whole - ways + math.lgamma(near + a) + math.lgamma(fakes - near + b))
        if below >= 1 - CHANCE:
            return near
    return fakes
