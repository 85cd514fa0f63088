"""Training schedule: how many steps a budget is, and at which of them samples are written and scores computed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impasto.training.budget import Budget

#: Sample grids in a training, the fewest steps between two, and the share of a time budget that they may take.
SAMPLES, SAMPLE_SPACING, SAMPLE_SHARE = 120, 8, 0.05
#: Evaluations in a training, the fewest training images between two, and the share of a time budget that they may take;
#: the last one is always made. Budgets in steps or images ignore the time, so that a recipe gives the same style on
#: every machine.
SCORES, SCORE_SPACING, SCORE_SHARE = 24, 10_000, 0.05
#: Bounds of the progress at which the steps of a time budget are corrected: where the learning rate begins to decay.
EARLIEST_CORRECTION, LATEST_CORRECTION = 0.25, 0.5
#: Progress after a change of speed at which the new speed is known.
SETTLED = 0.02
#: Samples and scores are spaced evenly in progress to this power: denser at the beginning, where most changes.
SPACING_POWER = 2 / 3


@dataclass
class Overhead:
    """Seconds that one sample grid and one evaluation take."""

    sample: float = 0.0
    score: float = 0.0


class StepSchedule:
    """The steps of a training and what happens at which.

    Attributes:
        total: the number of steps; None for a time budget whose speed is not measured yet.
        speed_changed_at: the step after which steps last began to take another time.
    """

    def __init__(
        self,
        budget: Budget,
        batch: int,
        epoch: int,
        score_at: Sequence[float] | None = None,
        decay_from: float = 1.0,
        speed_changes: Sequence[float] = (),
    ) -> None:
        """
        Args:
            budget: the length of the training.
            batch: images a step.
            epoch: images an epoch.
            score_at: progress values, 0…1, at which to score; None for about evenly spaced ones.
            decay_from: progress at which the learning rate begins to decay.
            speed_changes: progress values after which steps take another time.
        """
        self.budget, self.batch, self.score_at = budget, batch, score_at
        self.total = budget.steps(batch, epoch)
        self.speed_changes = tuple(speed_changes)
        self.speed_changed_at = 0
        self._from = 0, 0.0  # (step, progress) from which on progress is linear in steps
        if speed_changes:
            self._corrections = [share + SETTLED for share in speed_changes]
        elif score_at is not None:  # trials of a search must have comparable numbers of steps
            self._corrections = []
        else:
            self._corrections = [min(max(decay_from, EARLIEST_CORRECTION), LATEST_CORRECTION)]
        self.sample_count = self.score_count = 0
        if self.total is not None:
            self.sample_count = min(SAMPLES, self.total // SAMPLE_SPACING)
            self.score_count = max(1, min(SCORES, self.total * batch // SCORE_SPACING))

    def set_total(self, step: int, elapsed: float, seconds_per_step: float, overhead: Overhead) -> None:
        """Convert a time budget into steps, by the speed measured until ``step``, ``elapsed`` seconds after the
        start."""
        amount = self.budget.amount
        affordable = int(SCORE_SHARE * amount / max(overhead.score, 1e-9))
        self.score_count = max(1, min(SCORES, affordable - 1))  # one was needed to measure the time
        scores = self.score_count if self.score_at is None else len(self.score_at)
        left = amount - elapsed - overhead.score * scores
        steps = left / seconds_per_step
        affordable = int(SAMPLE_SHARE * amount / max(overhead.sample, 1e-9))
        for _ in range(3):  # fixed point: sample grids take time, and their number depends on the steps
            self.sample_count = max(1, min(SAMPLES, affordable, int(step + steps) // SAMPLE_SPACING))
            steps = max(0.0, left - overhead.sample * self.sample_count) / seconds_per_step
        self.total = step + max(1, round(steps))

    def progress(self, step: int) -> float:
        """Return the share of the training that is over after ``step`` steps, 0…1.

        Raises:
            ValueError: the total is not known yet.
        """
        if self.total is None:
            raise ValueError("the number of steps is not known yet")
        if step <= 0:
            return 0.0
        if step >= self.total:
            return 1.0
        since, before = self._from
        if step < since:  # rolled back to before the correction
            return before * step / since
        return before + (1 - before) * (step - since) / (self.total - since)

    def speed_changes_at(self, step: int) -> bool:
        """Whether the steps after ``step`` take another time than those before."""
        if self.total is None:
            return False
        before, now = self.progress(step - 1), self.progress(step)
        return any(before < share <= now for share in self.speed_changes)

    def correction_due(self, step: int) -> bool:
        """Whether the steps of a time budget are to be corrected after ``step``."""
        if self.budget.unit != "seconds" or self.total is None or not self._corrections:
            return False
        return self.progress(step) >= self._corrections[0]

    def correct(self, step: int, elapsed: float, seconds_per_step: float, overhead: Overhead) -> None:
        """Correct the number of steps for a new ``seconds_per_step``: the machine may have been busy or idle when the
        speed was measured first. Progress continues from its current value.

        Args:
            step, elapsed: steps and seconds since the start.
            seconds_per_step: the new speed.
            overhead: what is not contained in ``seconds_per_step``.
        """
        progress = self.progress(step)
        self._corrections = [share for share in self._corrections if share > progress]
        scores = self.score_count if self.score_at is None else len(self.score_at)
        reserved = (1 - progress**SPACING_POWER) * (overhead.score * scores + overhead.sample * self.sample_count)
        left = max(0.0, self.budget.amount - elapsed - reserved)
        self._from = step, progress
        self.total = step + max(1, round(left / seconds_per_step))

    def due(self, step: int) -> tuple[bool, bool]:
        """Return whether to write samples, and whether to score, after ``step``."""
        if self.total is None:
            return False, False
        before, now = self.progress(step - 1), self.progress(step)
        sample = passes(before, now, self.sample_count)
        if self.score_at is None:
            return sample, passes(before, now, self.score_count)
        return sample, any(before < share <= now for share in self.score_at)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {
            "budget": [self.budget.amount, self.budget.unit],
            "total": self.total,
            "samplings": self.sample_count,
            "scorings": self.score_count,
            "turned": self.speed_changed_at,
            "from": list(self._from),
            "corrections": list(self._corrections),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned, unless it was for another budget."""
        if state["budget"] == [self.budget.amount, self.budget.unit]:
            self.total, self.sample_count, self.score_count = state["total"], state["samplings"], state["scorings"]
            self.speed_changed_at = state["turned"]
            self._from = state["from"][0], state["from"][1]
            self._corrections = list(state["corrections"])


def passes(before: float, now: float, count: int) -> bool:
    """Whether one of ``count`` events (at least one) lies in the progress interval (before, now]; the last is at 1."""
    count = max(1, count)
    done, more = (math.floor(count * math.pow(point, SPACING_POWER) + 1e-9) for point in (before, now))
    return more > done
