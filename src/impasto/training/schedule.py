"""What comes at which step: how long a training is, and where on its way it is sampled and scored."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impasto.metrics.results import Scores
from impasto.training.budget import Budget

#: Looks at the fixed samples in a whole training, the fewest steps between two, and the share of a budget in time that
#: they may take.
SAMPLES, SAMPLE_SPACING, SAMPLE_SHARE = 120, 8, 0.05
#: Scores in a whole training; the fewest pictures learned from between two; and of a budget in time, the share that
#: they may take, though the last one is always taken. Budgets in steps or pictures do not ask the clock, so that the
#: same recipe gives the same style.
SCORES, SCORE_SPACING, SCORE_SHARE = 24, 10_000, 0.05
#: The share of a time after which its number of steps is corrected: where the learning rate begins to fall, but within
#: these bounds.
EARLY, LATE = 0.25, 0.5
#: The share of a training after which its new pace is known.
KNOWN = 0.02
#: The power of progress that grows evenly from one look or score to the next: they are denser at the beginning, where
#: most changes.
DENSE = 2 / 3


@dataclass(frozen=True)
class Observer:
    """Somebody who follows a training from outside, and may end it.

    Attributes:
        at: the shares of the budget, 0…1, after which to score, instead of where it is usual.
        told: is given the share of the budget that is used up and the scores; False ends the training there.
    """

    at: tuple[float, ...]
    told: Callable[[float, Scores], bool]


@dataclass
class Costs:
    """Seconds that one sampling and one scoring take."""

    sample: float = 0.0
    score: float = 0.0


class StepSchedule:
    """The steps of a training, ``total`` in all: None for a budget in time until the speed is known."""

    def __init__(
        self,
        budget: Budget,
        batch: int,
        epoch: int,
        scored_at: Sequence[float] | None = None,
        decay_from: float = 1.0,
        speed_changes: Sequence[float] = (),
    ) -> None:
        """For batches of ``batch`` pictures, ``epoch`` of which are once through all. The learning rate falls from
        ``decay_from`` on, and steps take another time after each of ``speed_changes``, all of them shares of the
        training."""
        self.budget, self.batch, self.scored_at = budget, batch, scored_at
        self.total = budget.steps(batch, epoch)
        self.speed_changes = tuple(speed_changes)
        self.turned = 0  #: the step after which the pace changed last
        self._from = 0, 0.0  # the step, and the progress at it, from which on progress is even
        # Where steps that were laid out for a time are corrected. Where trials are compared, only if it has to be.
        if speed_changes:
            self._corrections = [share + KNOWN for share in speed_changes]
        else:
            self._corrections = [] if scored_at is not None else [min(max(decay_from, EARLY), LATE)]
        self.samplings = self.scorings = 0
        if self.total is not None:
            self.samplings = min(SAMPLES, self.total // SAMPLE_SPACING)
            self.scorings = max(1, min(SCORES, self.total * batch // SCORE_SPACING))

    def lay_out(self, step: int, spent: float, per_step: float, costs: Costs) -> None:
        """Turns a time into a number of steps, by what was measured until ``step``, ``spent`` seconds from the
        start."""
        amount = self.budget.amount
        affordable = int(SCORE_SHARE * amount / max(costs.score, 1e-9))
        self.scorings = max(1, min(SCORES, affordable - 1))  # for one was needed to know what it costs
        left = amount - spent - costs.score * (self.scorings if self.scored_at is None else len(self.scored_at))
        steps = left / per_step
        affordable = int(SAMPLE_SHARE * amount / max(costs.sample, 1e-9))
        for _ in range(3):  # the samples on the way take time too, and how many there are depends on the steps
            self.samplings = max(1, min(SAMPLES, affordable, int(step + steps) // SAMPLE_SPACING))
            steps = max(0.0, left - costs.sample * self.samplings) / per_step
        self.total = step + max(1, round(steps))

    def progress(self, step: int) -> float:
        """How much of the training is over after ``step`` steps, 0…1, once that is laid out in steps."""
        if self.total is None:
            raise ValueError("the steps are not known yet")
        if step <= 0:
            return 0.0
        if step >= self.total:
            return 1.0
        since, before = self._from
        if step < since:  # a training that went back to before it was corrected
            return before * step / since
        return before + (1 - before) * (step - since) / (self.total - since)

    def turns(self, step: int) -> bool:
        """Whether the steps after ``step`` take another time than those before."""
        if self.total is None:
            return False
        before, now = self.progress(step - 1), self.progress(step)
        return any(before < share <= now for share in self.speed_changes)

    def corrected(self, step: int) -> bool:
        """Whether, after ``step``, the number of steps that was laid out for a time is to be corrected."""
        if self.budget.unit != "seconds" or self.total is None or not self._corrections:
            return False
        return self.progress(step) >= self._corrections[0]

    def correct(self, step: int, spent: float, per_step: float, costs: Costs) -> None:
        """Corrects the number of steps, as one takes ``per_step`` seconds and at ``step`` ``spent`` are over: a machine
        may have been busy, or idle, when it was measured first. ``costs`` are what comes on top of the steps. Progress
        goes on from where it is."""
        progress = self.progress(step)
        self._corrections = [share for share in self._corrections if share > progress]
        scorings = self.scorings if self.scored_at is None else len(self.scored_at)
        beside = (1 - progress**DENSE) * (costs.score * scorings + costs.sample * self.samplings)
        left = max(0.0, self.budget.amount - spent - beside)
        self._from = step, progress
        self.total = step + max(1, round(left / per_step))

    def due(self, step: int) -> tuple[bool, bool]:
        """Whether ``step`` is one to sample at, and one to score at."""
        if self.total is None:
            return False, False
        before, now = self.progress(step - 1), self.progress(step)
        sampled = passes(before, now, self.samplings)
        if self.scored_at is None:
            return sampled, passes(before, now, self.scorings)
        return sampled, any(before < share <= now for share in self.scored_at)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "budget": [self.budget.amount, self.budget.unit],
            "total": self.total,
            "samplings": self.samplings,
            "scorings": self.scorings,
            "turned": self.turned,
            "from": list(self._from),
            "corrections": list(self._corrections),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on with what was laid out, unless that was for another budget."""
        if state["budget"] == [self.budget.amount, self.budget.unit]:
            self.total, self.samplings, self.scorings = state["total"], state["samplings"], state["scorings"]
            self.turned = state["turned"]
            self._from = state["from"][0], state["from"][1]
            self._corrections = list(state["corrections"])


def passes(before: float, now: float, count: int) -> bool:
    """Whether one of ``count`` looks, but at least one, lies between two points of progress, the later one included;
    the end is always among them."""
    count = max(1, count)
    done, more = (math.floor(count * math.pow(point, DENSE) + 1e-9) for point in (before, now))
    return more > done
