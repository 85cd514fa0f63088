"""Training schedule: how many steps a budget is, and at which of them samples are written, scores computed and states
to roll back to saved."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from impasto.training.budget import Budget

#: Sample grids in a training, the fewest steps between two, and the share of a time budget that they may take.
SAMPLES, SAMPLE_SPACING, SAMPLE_SHARE = 120, 8, 0.05
#: Evaluations in a training, and the fewest training images between two; the last one is always made. They choose the
#: best style, so their number depends on nothing but the steps.
SCORES, SCORE_SPACING = 24, 10_000
#: States to roll back to in a training, and the fewest steps between two.
RECOVERIES, RECOVERY_SPACING = 20, 25
#: Samples and scores are spaced evenly in progress to this power: denser at the beginning, where most changes.
SPACING_POWER = 2 / 3


@dataclass(frozen=True)
class Overhead:
    """Seconds that one sample grid and one evaluation take, and that all checkpoints take together."""

    sample: float = 0.0
    score: float = 0.0
    saving: float = 0.0


class StepSchedule:
    """The steps of a training and what happens at which. Everything depends on the steps alone, so that a training
    within a time can be repeated by their number.

    Attributes:
        total: the number of steps; None for a time budget whose speed is not measured yet.
        replanned: whether steps were made by another budget than the present one.
    """

    def __init__(
        self,
        budget: Budget,
        batch: int,
        epoch: int,
        score_at: Sequence[float] | None = None,
        speed_changes: Sequence[float] = (),
    ) -> None:
        """
        Args:
            budget: the length of the training.
            batch: images a step.
            epoch: images an epoch.
            score_at: progress values, 0…1, at which to score; None for about evenly spaced ones.
            speed_changes: progress values after which steps take another time.
        """
        self.budget, self.batch, self.score_at = budget, batch, score_at
        self.speed_changes = tuple(speed_changes)
        self.sample_count = 0
        self.replanned = False
        self._knots: list[tuple[int, float]] = []  # (step, progress) between which progress is linear in steps
        if (total := budget.steps(batch, epoch)) is not None:
            self._knots = [(0, 0.0)]
            shares = (*self.speed_changes, 1.0) if budget.parts else (1.0,)
            for steps, share in zip(budget.parts or (total,), shares, strict=True):
                self._knots.append((self._knots[-1][0] + steps, share))
            self.sample_count = min(SAMPLES, total // SAMPLE_SPACING)

    @property
    def total(self) -> int | None:
        return self._knots[-1][0] if self._knots else None

    @property
    def score_count(self) -> int:
        """Number of evaluations if no observer chooses them."""
        return max(1, min(SCORES, (self.total or 0) * self.batch // SCORE_SPACING))

    @property
    def plan(self) -> str | None:
        """The budget in steps that repeats this training exactly, such as ``1200steps``; None before it is known, and
        after the training was resumed with another budget."""
        if not self._knots or self.replanned:
            return None
        return self.budget.plan([after - before for (before, _), (after, _) in pairwise(self._knots)])

    def set_total(
        self, step: int, reached: float, left: float, seconds_per_step: Sequence[float], overhead: Overhead
    ) -> None:
        """Convert a time budget into steps, for good.

        Args:
            step, reached: steps made so far, and the share of the training, 0…1, that they are.
            left: seconds.
            seconds_per_step: the speed of each part of the training, between its changes.
            overhead: beside the steps.
        """
        bounds = [0.0, *self.speed_changes, 1.0]
        affordable = int(SAMPLE_SHARE * self.budget.amount / max(overhead.sample, 1e-9))
        beside = overhead.saving
        for _ in range(3):  # fixed point: the numbers of scores and sample grids, which take time, depend on the steps
            knots = [(0, 0.0), (step, reached)] if step else [(0, 0.0)]
            for (low, high), seconds in zip(pairwise(bounds), seconds_per_step, strict=True):
                share = max(0.0, high - max(low, reached)) / max(1 - reached, 1e-9)
                if share:
                    steps = round(max(0.0, left - beside) * share / seconds)
                    knots.append((knots[-1][0] + max(1, steps), high))
            self._knots = knots if knots[-1][1] == 1.0 and knots[-1][0] > step else [*knots[:-1], (step + 1, 1.0)]
            self.sample_count = max(1, min(SAMPLES, affordable, self._knots[-1][0] // SAMPLE_SPACING))
            scores = self.score_count if self.score_at is None else len(self.score_at)
            beside = overhead.saving + overhead.score * scores + overhead.sample * self.sample_count

    def progress(self, step: int) -> float:
        """Return the share of the training that is over after ``step`` steps, 0…1.

        Raises:
            ValueError: the total is not known yet.
        """
        if self.total is None:
            raise ValueError("the number of steps is not known yet")
        if step <= 0:
            return 0.0
        for (since, before), (until, after) in pairwise(self._knots):
            if step < until:
                return before + (after - before) * (step - since) / (until - since)
        return 1.0

    def speed_changes_at(self, step: int) -> bool:
        """Whether the steps after ``step`` take another time than those before."""
        before, now = self.progress(step - 1), self.progress(step)
        return any(before < share <= now for share in self.speed_changes)

    def speed_changed_at(self, step: int) -> int:
        """Return the last step up to ``step`` after which steps took another time; 0 before the first such, and before
        the total is known."""
        passed = [] if self.total is None else [share for share in self.speed_changes if share <= self.progress(step)]
        return bisect_left(range(step), passed[-1], key=self.progress) if passed else 0

    def due(self, step: int) -> tuple[bool, bool]:
        """Return whether to write samples, and whether to score, after ``step``."""
        before, now = self.progress(step - 1), self.progress(step)
        sample = passes(before, now, self.sample_count)
        if self.score_at is None:
            return sample, passes(before, now, self.score_count)
        return sample, any(before < share <= now for share in self.score_at)

    def recovery_due(self, step: int) -> bool:
        """Whether to save a state to roll back to after ``step``."""
        return step % max(RECOVERY_SPACING, (self.total or 0) // RECOVERIES) == 0

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {
            "budget": self._budget(),
            "knots": [list(knot) for knot in self._knots],
            "samplings": self.sample_count,
            "replanned": self.replanned,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned, unless it was for another budget."""
        other = state["budget"] != self._budget()
        self.replanned = state["step"] > 0 and (other or state.get("replanned", True))  # or of an earlier version
        if other:
            return
        self.sample_count = state["samplings"]
        self._knots = [(int(step), float(progress)) for step, progress in state["knots"]]

    def _budget(self) -> list[Any]:
        return [self.budget.amount, self.budget.unit, *self.budget.parts]


def passes(before: float, now: float, count: int) -> bool:
    """Whether one of ``count`` events (at least one) lies in the progress interval (before, now]; the last is at 1."""
    count = max(1, count)
    done, more = (math.floor(count * math.pow(point, SPACING_POWER) + 1e-9) for point in (before, now))
    return more > done
