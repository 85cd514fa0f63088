"""What comes at which step: how long a training is, and where on its way it is sampled and scored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from impasto.scores import Scores
from impasto.training.budget import Budget

#: Looks at the fixed samples in a whole training, the fewest steps between two, and the share of a budget in time that
#: they may take.
SAMPLES, SAMPLE_SPACING, SAMPLE_SHARE = 120, 8, 0.05
#: Scores in a whole training; the fewest pictures learned from between two; and of a budget in time, the share that
#: they may take, though the last one is always taken. Budgets in steps or pictures do not ask the clock, so that the
#: same recipe gives the same style.
SCORES, SCORE_SPACING, SCORE_SHARE = 24, 10_000, 0.05


@dataclass(frozen=True)
class Watch:
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


class Plan:
    """The steps of a training, ``total`` in all: None for a budget in time until the speed is known."""

    def __init__(self, budget: Budget, batch: int, epoch: int, scored_at: Sequence[float] | None = None) -> None:
        """For batches of ``batch`` pictures, ``epoch`` of which are once through all."""
        self.budget, self.batch, self.scored_at = budget, batch, scored_at
        self.total = budget.steps(batch, epoch)
        self.settled = scored_at is not None  # trials that are compared keep the steps that they began with
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

    def settle(self, step: int, spent: float) -> None:
        """Corrects a number of steps that was laid out for a time, by the mean speed until ``step``, ``spent`` seconds
        from the start: a machine may have been busy, or idle, when it was measured first."""
        self.settled = True
        left = max(0.0, self.budget.amount - spent)
        self.total = step + max(1, round(left * step / spent))

    @property
    def unsettled(self) -> bool:
        """Whether the number of steps is still that of the first moments."""
        return self.budget.unit == "seconds" and self.total is not None and not self.settled

    def due(self, step: int) -> tuple[bool, bool]:
        """Whether ``step`` is one to sample at, and one to score at."""
        if self.total is None:
            return False, False
        if self.scored_at is None:
            return step in milestones(self.total, self.samplings), step in milestones(self.total, self.scorings)
        scored = {max(1, round(share * self.total)) for share in self.scored_at}
        return step in milestones(self.total, self.samplings), step in scored

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "budget": [self.budget.amount, self.budget.unit],
            "total": self.total,
            "samplings": self.samplings,
            "scorings": self.scorings,
            "settled": self.settled,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on with what was laid out, unless that was for another budget."""
        if state["budget"] == [self.budget.amount, self.budget.unit]:
            self.total, self.samplings, self.scorings = state["total"], state["samplings"], state["scorings"]
            self.settled = state.get("settled", True)


@lru_cache
def milestones(total: int, count: int) -> frozenset[int]:
    """``count`` steps of ``total``, but at least one, denser at the beginning, where most changes; the last step is
    among them."""
    count = max(1, count)
    return frozenset(max(1, round(total * (k / count) ** 1.5)) for k in range(1, count + 1))
