"""``tuning.json``: a study and its trials."""

import json
import math
import re
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, field_validator

from impasto.config.search_space import Choice, Range

BOUND = 0.03
"""The optimum may lie outside of a range whose best value is so near to a bound, as a share of the range."""

State = Literal["complete", "pruned", "failed", "running", "waiting"]


class Trial(BaseModel, frozen=True, ser_json_inf_nan="strings"):
    """One trial of a study."""

    number: int
    state: State
    settings: dict[str, Any]  #: the searched ones, by dotted name
    values: list[float]  #: the objectives; empty unless complete
    rung_scores: dict[float, float]  #: first objective of the first seed, by share of its budget, 0…1
    seconds: float
    steps: int | None = None  #: of its last completed training
    run: str | None  #: run folder, relative to the study's; with several seeds that of the first
    worker: str  #: machine and process
    retry_of: int | None  #: the failed trial whose settings it repeats
    baseline: bool  #: whether its settings are the recipe's own
    error: str | None = None  #: why it failed, if known
    copies: float = 0.0  #: share of its images, 0…1, that reproduce training images

    @property
    def finite_rung_scores(self) -> list[tuple[float, float]]:
        """Share of the budget and score of each rung whose score is finite, in order."""
        return [(share, value) for share, value in sorted(self.rung_scores.items()) if math.isfinite(value)]

    @property
    def last_score(self) -> float | None:
        """The first objective at the end, or at the last rung; None if unknown or not finite."""
        if self.values:
            return self.values[0] if math.isfinite(self.values[0]) else None
        return self.finite_rung_scores[-1][1] if self.finite_rung_scores else None


class Tuning(BaseModel, frozen=True, ser_json_inf_nan="strings"):
    """A study and all of its trials."""

    impasto: str
    created: datetime
    study: str
    recipe: str
    storage: str  #: without its password
    budget: str  #: of a training
    seeds: int  #: trainings a trial
    seed: int = 0  #: the first of them
    objectives: list[str]  #: such as ``KID[efficientnet-lite0]``; lower is better
    space: dict[str, Range | Choice]
    trials: list[Trial]
    best: list[int]  #: number of the best trial; with several objectives those of the Pareto front
    importance: dict[str, float]  #: share of a setting in the variance at the first rung; empty for too few trials

    @field_validator("storage")
    @classmethod
    def _hide_password(cls, storage: str) -> str:
        return without_password(storage)

    def in_state(self, state: State) -> list[Trial]:
        """The trials in a state, by number."""
        return sorted((trial for trial in self.trials if trial.state == state), key=lambda trial: trial.number)

    @property
    def complete(self) -> list[Trial]:
        """The complete trials with finite objectives: those that reproduce training images last, and by the first
        objective."""
        finite = (
            trial for trial in self.in_state("complete") if trial.values and all(map(math.isfinite, trial.values))
        )
        return sorted(finite, key=lambda trial: (trial.copies, trial.values[0]))

    @property
    def copying(self) -> list[Trial]:
        """The trials that reproduce training images, by number."""
        return sorted((trial for trial in self.trials if trial.copies), key=lambda trial: trial.number)

    @property
    def pruned(self) -> list[Trial]:
        """The pruned trials, by the rung at which they were pruned, the last first, and by their score."""
        return sorted(
            self.in_state("pruned"),
            key=lambda trial: (
                -max(trial.rung_scores, default=0.0),
                math.inf if trial.last_score is None else trial.last_score,
            ),
        )

    @property
    def best_trials(self) -> list[Trial]:
        """The best trial; with several objectives the Pareto front, by the first objective."""
        return [trial for trial in self.complete if trial.number in self.best]

    @property
    def best_trial(self) -> Trial | None:
        """The best trial; with several objectives the best in the first."""
        return next(iter(self.best_trials), None)

    @property
    def baseline(self) -> Trial | None:
        """The trial with the recipe's own settings, the complete one if there are retries."""
        found = [trial for trial in self.trials if trial.baseline]
        return min(found, key=lambda trial: (trial.state != "complete", -trial.number), default=None)

    @property
    def complete_baseline(self) -> Trial | None:
        """The baseline if it is complete with finite objectives."""
        baseline = self.baseline
        return baseline if baseline is not None and baseline in self.complete else None

    @property
    def ranked_importance(self) -> list[tuple[str, float]]:
        """The settings with their importance, the most important first."""
        known = ((name, share) for name, share in self.importance.items() if math.isfinite(share))
        return sorted(known, key=lambda each: -each[1])

    @property
    def seconds(self) -> float:
        """Training time of all trials."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def saved_by_pruning(self) -> float | None:
        """Share, 0…1, of the time of all complete and pruned trials that pruning saved; None if nothing was pruned or
        is complete."""
        pruned = self.in_state("pruned")
        saved = sum(map(self._saved_seconds, pruned))
        total = saved + sum(trial.seconds for trial in (*pruned, *self.in_state("complete")))
        return saved / total if pruned and self.complete and total else None

    def _saved_seconds(self, trial: Trial) -> float:
        """Return the estimated seconds of the rest of a pruned trial, with all of its seeds, at the same speed."""
        share = max(trial.rung_scores, default=0.0)
        return self.seeds * trial.seconds / share - trial.seconds if 0 < share <= 1 else 0.0

    def retry(self, trial: Trial) -> Trial | None:
        """Return the trial that repeats a trial's settings."""
        return next((each for each in self.trials if each.retry_of == trial.number), None)

    @property
    def changed_settings(self) -> list[str]:
        """The settings in which the best trial differs from the baseline."""
        best, baseline = self.best_trial, self.baseline
        if best is None:
            return []
        before = {} if baseline is None else baseline.settings
        return [
            name for name in self.space if format_setting(best.settings.get(name)) != format_setting(before.get(name))
        ]

    @property
    def at_bounds(self) -> list[tuple[str, str]]:
        """The changed settings whose best value is at a bound of its range, with "lower" or "upper"."""
        found = []
        for name in self.changed_settings:
            space, value = self.space[name], self.best_trial and self.best_trial.settings.get(name)
            if not isinstance(space, Range) or not isinstance(value, int | float):
                continue
            position = position_in_range(space, value)
            if not BOUND < position < 1 - BOUND:
                found.append((name, "lower" if position <= BOUND else "upper"))
        return found


def position_in_range(space: Range, value: float) -> float:
    """Return where a value lies in a range: 0 at its lower bound, 1 at its upper one, by logarithm for log ranges."""
    if not space.log:
        return (value - space.low) / (space.high - space.low)
    if value <= 0:
        return -math.inf
    return math.log(value / space.low) / math.log(space.high / space.low)


def format_setting(value: object) -> str:
    """Return a setting as text, numbers with three significant digits."""
    if isinstance(value, float):
        return re.sub(r"e([+-])0", r"e\1", f"{value:.3g}")
    if isinstance(value, list | tuple):
        return f"[{', '.join(format_setting(each) for each in value)}]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def format_space(space: Range | Choice) -> str:
    """Return a search space as text: ``0.0001 to 0.01 (log)`` or ``lsgan, hinge``."""
    if isinstance(space, Choice):
        return ", ".join(format_setting(each) for each in space.choices)
    return f"{format_setting(space.low)} to {format_setting(space.high)}{' (log)' if space.log else ''}"


def without_password(storage: str) -> str:
    """Return a storage's URL without its password."""
    return re.sub(r"(://[^/@:]*:).*@", r"\1***@", storage)
