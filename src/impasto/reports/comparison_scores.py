"""Which scores of several runs are comparable, and which of them is best."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from impasto.config.scoring import network_family
from impasto.metrics.base import better
from impasto.metrics.formatting import SIGNIFICANT
from impasto.metrics.results import DECIDING_METRIC, ImageSetSummary, Scores, Value
from impasto.reports.comparison_results import ComparedRun
from impasto.reports.record_text import base_name


@dataclass(frozen=True)
class Condition:
    """Everything that must be equal for two scores to be comparable."""

    network: str
    counts: str
    size: int
    reals: str
    fingerprint: str  #: of the training images, where those are the reals
    heldout: tuple[int, int] | None  #: seed and number of the held-out images, where those are the reals

    @property
    def unseen(self) -> bool:
        """Whether the reals are held-out images."""
        return self.heldout is not None

    def __str__(self) -> str:
        kind = f", held-out images (seed {self.heldout[0]})" if self.heldout else ""
        return f"{self.network}, {self.counts}, {self.size}×{self.size} px, against {self.reals}{kind}"

    def differences(self, other: "Condition") -> list[str]:
        """Return what is not equal."""
        differs = {
            "network": self.network != other.network,
            "counts": self.counts != other.counts,
            "size": self.size != other.size,
            "real images": (self.reals, self.fingerprint, self.heldout)
            != (other.reals, other.fingerprint, other.heldout),
        }
        return [name for name, found in differs.items() if found]


def conditions(run: ComparedRun) -> dict[Condition, Scores]:
    """Return a run's scores by condition; none if it was not evaluated.

    Runs of different seeds hold out different images. They share nearly all training images, so those count as the
    same.
    """
    if run.evaluation is None:
        return {}
    reals = _reals(run.evaluation.reals)
    fingerprint = "" if run.afresh else run.fingerprint

    def condition(scores: Scores, heldout: tuple[int, int] | None) -> Condition:
        return Condition(scores.network, scores.counts, scores.size, reals, fingerprint, heldout)

    found = {condition(each, None): each for each in run.evaluation.scores}
    if run.evaluation.unseen is not None:
        found[condition(run.evaluation.unseen, (run.seed, run.heldout))] = run.evaluation.unseen
    return found


def ranking_conditions(run: ComparedRun) -> dict[Condition, Scores]:
    """Return the scores that may rank a run: those with the deciding metric, not through a network of a family that it
    is trained against."""
    return {
        condition: scores
        for condition, scores in conditions(run).items()
        if DECIDING_METRIC in scores.values and not trained_against([run], condition.network)
    }


def trained_against(runs: Sequence[ComparedRun], network: str) -> list[str]:
    """Return the names of the runs that are trained against features of a network's family, by which none is ranked."""
    return [run.name for run in runs if network_family(network) in run.families]


def mark_best(metric: str, values: Sequence[Value | None]) -> list[bool]:
    """Return which of several runs' values is best or not significantly worse; none if no error is known or all are.

    Significant are two standard errors of the difference. The reals are shared, so errors of two runs are correlated
    and their difference is a little more certain than this: the test is conservative.
    """
    known = [value for value in values if value is not None and math.isfinite(value.value)]
    direction = better(metric)
    if direction is None or len(known) < 2 or any(_error(value) is None for value in known):
        return [False] * len(values)
    best = (min if direction == "lower" else max)(known, key=lambda value: value.value)
    found = [
        value is not None
        and abs(value.value - best.value) <= SIGNIFICANT * math.hypot(_error(value) or 0.0, _error(best) or 0.0)
        for value in values
    ]
    return [False] * len(values) if all(found) else found


def _reals(side: ImageSetSummary) -> str:
    return f"{base_name(side.name)} ({side.there:,} images)"


def _error(value: Value) -> float | None:
    """Return the standard error; from the 95 % interval of a normal distribution where only that is known."""
    if value.error is None and value.interval is not None:
        return (value.interval[1] - value.interval[0]) / (2 * 1.96)
    return value.error
