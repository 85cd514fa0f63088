"""A search over a recipe's settings, in numbers and in words."""

import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, field_validator
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from impasto.config.settings import Choice, Range
from impasto.reports.diagnostics import percent
from impasto.reports.evaluation_text import listed, number

EDGE = 0.03
"""A best value that lies so near to an end of what was searched, as a share of it, may lie beyond it."""

FEW = 10
"""Fewer complete trials than this say little: that many settings, tried by chance, differ by chance."""

FEW_STEPS = 100
"""After fewer steps than this every GAN's pictures are as good as noise."""

FAILURES = 3
"""So many failed trials are told one by one."""

State = Literal["complete", "pruned", "failed", "running", "waiting"]


OWN_STATES: dict[State, str] = {
    "complete": "came to no finite value",
    "pruned": "were pruned",
    "failed": "failed",
    "running": "are still being tried",
    "waiting": "have not been tried yet",
}
"""What is said of the recipe's own settings where they have no value."""


def without_password(storage: str) -> str:
    """A storage's address as it may be shown."""
    return re.sub(r"(://[^/@:]*:).*@", r"\1***@", storage)


class Trial(BaseModel, frozen=True, ser_json_inf_nan="strings"):
    """One trial of a search."""

    number: int
    state: State
    settings: dict[str, Any]  #: the searched ones, by dotted name
    values: list[float]  #: one for each objective; empty while not complete
    looks: dict[float, float]  #: the first objective of the first seed on the way, by the share of its budget, 0…1
    seconds: float
    steps: int | None = None  #: of the last of its trainings that came to an end
    run: str | None  #: its run folder inside the study's; of several seeds the first
    worker: str  #: host and process
    retry_of: int | None  #: the trial that died, and whose settings this one has
    own: bool  #: whether these are the recipe's own settings
    wrong: str | None = None  #: why it failed, if that is known

    @property
    def seen(self) -> list[tuple[float, float]]:
        """The looks in their order: share of the budget, and the first objective, where that was a number."""
        return [(share, value) for share, value in sorted(self.looks.items()) if math.isfinite(value)]

    @property
    def last(self) -> float | None:
        """The first objective as it was known last: at the end, or at the last look."""
        if self.values:
            return self.values[0] if math.isfinite(self.values[0]) else None
        return self.seen[-1][1] if self.seen else None


class Tuning(BaseModel, frozen=True, ser_json_inf_nan="strings"):
    """``tuning.json``: a study and all of its trials."""

    impasto: str
    created: datetime
    study: str
    recipe: str
    storage: str  #: without its password
    budget: str  #: of a trial
    seeds: int  #: over which an objective is a mean
    seed: int = 0  #: the first of them
    objectives: list[str]  #: such as ``KID[efficientnet-lite0]``; lower is better for all
    space: dict[str, Range | Choice]
    trials: list[Trial]
    best: list[int]  #: the number of the best trial; of several objectives those that no other beats in all
    importance: dict[str, float]  #: share of a setting in how much the first look varies; empty if too few trials

    @field_validator("storage")
    @classmethod
    def _secret(cls, storage: str) -> str:
        return without_password(storage)

    def of(self, state: State) -> list[Trial]:
        """The trials in a state, by their numbers."""
        return sorted((trial for trial in self.trials if trial.state == state), key=lambda trial: trial.number)

    @property
    def complete(self) -> list[Trial]:
        """The complete trials, the lowest first objective first; without those that ended beyond all numbers."""
        finite = (trial for trial in self.of("complete") if trial.values and all(map(math.isfinite, trial.values)))
        return sorted(finite, key=lambda trial: trial.values[0])

    @property
    def pruned(self) -> list[Trial]:
        """The pruned trials, those that came furthest first, and of these the lowest first."""
        return sorted(
            self.of("pruned"),
            key=lambda trial: (-max(trial.looks, default=0.0), math.inf if trial.last is None else trial.last),
        )

    @property
    def front(self) -> list[Trial]:
        """The best trial; of several objectives all that no other beats, the lowest first objective first."""
        return [trial for trial in self.complete if trial.number in self.best]

    @property
    def winner(self) -> Trial | None:
        """The best trial; of several objectives the best in the first."""
        return next(iter(self.front), None)

    @property
    def own(self) -> Trial | None:
        """The trial of the recipe's own settings: a complete one, if there is one."""
        mine = [trial for trial in self.trials if trial.own]
        return min(mine, key=lambda trial: (trial.state != "complete", -trial.number), default=None)

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """The settings and their importance, the most important first."""
        known = ((name, share) for name, share in self.importance.items() if math.isfinite(share))
        return sorted(known, key=lambda each: -each[1])

    @property
    def seconds(self) -> float:
        """The time of all trials together."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def saved(self) -> float | None:
        """The share that pruning saved, 0…1, of the time that all complete and pruned trials would have taken without
        it; None where nothing was pruned, or nothing is complete yet."""
        pruned = self.of("pruned")
        spared = sum(map(self._spared, pruned))
        whole = spared + sum(trial.seconds for trial in (*pruned, *self.of("complete")))
        return spared / whole if pruned and self.complete and whole else None

    def _spared(self, trial: Trial) -> float:
        """The seconds that pruning a trial saved: the rest of its first training, as fast as that went up to the last
        look, and those of its other seeds."""
        share = max(trial.looks, default=0.0)
        return self.seeds * trial.seconds / share - trial.seconds if 0 < share <= 1 else 0.0

    def retried(self, trial: Trial) -> Trial | None:
        """The trial that tried a trial's settings again."""
        return next((each for each in self.trials if each.retry_of == trial.number), None)

    @property
    def differing(self) -> list[str]:
        """The settings in which the best trial is not as the recipe."""
        best, own = self.winner, self.own
        if best is None:
            return []
        before = {} if own is None else own.settings
        return [name for name in self.space if said(best.settings.get(name)) != said(before.get(name))]

    @property
    def edges(self) -> list[tuple[str, str]]:
        """The settings of which the best value, where it is not the recipe's own, lies at an end of what was searched:
        each with that end."""
        ends = []
        for name in self.differing:
            space, value = self.space[name], self.winner and self.winner.settings.get(name)
            if not isinstance(space, Range) or not isinstance(value, int | float):
                continue
            place = within(space, value)
            if not EDGE < place < 1 - EDGE:
                ends.append((name, "lower" if place <= EDGE else "upper"))
        return ends


def within(space: Range, value: float) -> float:
    """Where a value lies in a range, 0 at its low end and 1 at its high one, by the logarithm where it is searched by
    that; beyond them outside of the range."""
    if not space.log:
        return (value - space.low) / (space.high - space.low)
    if value <= 0:
        return -math.inf
    return math.log(value / space.low) / math.log(space.high / space.low)


def said(value: object) -> str:
    """A setting as it is read, numbers with three significant digits."""
    if isinstance(value, float):
        return re.sub(r"e([+-])0", r"e\1", f"{value:.3g}")
    if isinstance(value, list | tuple):
        return f"[{', '.join(said(each) for each in value)}]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def searched(space: Range | Choice) -> str:
    """Where a setting was searched for: ``0.0001 to 0.01, by its logarithm`` or ``lsgan, hinge``."""
    if isinstance(space, Choice):
        return ", ".join(said(each) for each in space.choices)
    return f"{said(space.low)} to {said(space.high)}{', by its logarithm' if space.log else ''}"


def scored(found: Tuning, trial: Trial) -> str:
    """A trial's objectives by their names: ``KID[efficientnet-lite0] 0.0412 and seconds 31.0``."""
    named = zip(found.objectives, trial.values, strict=False)
    return listed([f"{name} {number(value)}" for name, value in named])


def counts(found: Tuning) -> str:
    """How many trials ended how: ``14 complete, 7 pruned and 1 failed``."""
    states: tuple[State, ...] = ("complete", "pruned", "failed", "running", "waiting")
    many = {state: len(found.of(state)) for state in states}
    return listed([f"{count:,} {state}" for state, count in many.items() if count])


def verdict(found: Tuning) -> str:
    """Which trial is best, and how far from the recipe's own settings."""
    best, own = found.winner, found.own
    if best is None:
        if not found.trials:
            return "No trial has begun yet."
        return f"No trial is complete yet: {counts(found)}."
    if len(found.objectives) > 1:
        return _front(found, best, own)
    if own is not None and own.number == best.number:
        others = len(found.complete) - 1
        against = f"{others:,} other complete trial{'s' * (others != 1)}" if others else "no other trial so far"
        return f"The recipe's own settings, trial {own.number}, are the best: {scored(found, best)}, against {against}."
    sentence = f"Trial {best.number} is the best of {_trials(found)}: {scored(found, best)}"
    if own is None or own not in found.complete:
        return f"{sentence}."
    low, high = best.values[0], own.values[0]
    if 0 < low < high:
        return f"{sentence}, {percent(1 - low / high)} less than with the recipe's own settings, {number(high)}."
    return f"{sentence}, where the recipe's own settings have {number(high)}."


def _front(found: Tuning, best: Trial, own: Trial | None) -> str:
    if len(found.front) == 1:
        sentence = f"Trial {best.number} is the best of {_trials(found)} in everything: {scored(found, best)}."
    else:
        numbers = listed([str(trial.number) for trial in found.front])
        sentence = (
            f"{len(found.front):,} of {_trials(found)} form the front, where less of one objective is more of another: "
            f"{numbers}. "
            f"Trial {best.number} has the lowest {found.objectives[0]}, {number(best.values[0])}."
        )
    if own is None or own not in found.complete:
        return sentence
    standing = "lie on it, too" if own.number in found.best else "lie behind it"
    return f"{sentence} The recipe's own settings {standing}: {scored(found, own)}."


def _trials(found: Tuning) -> str:
    count = len(found.complete)
    return f"{count:,} complete trial{'s' * (count != 1)}"


def cautions(found: Tuning) -> Iterator[str]:
    """What a reader should know before believing the verdict."""
    complete, own = len(found.complete), found.own
    if complete > 1:
        yield (
            f"The best of {complete:,} trials is better than it would be if measured again, for chance chose it too: "
            "check it with fresh seeds, beside the recipe's own settings."
        )
    if 0 < complete < FEW:
        yield f"{complete:,} complete trial{'s say' if complete > 1 else ' says'} little: let the search go on."
    steps = max((trial.steps or FEW_STEPS for trial in found.complete), default=FEW_STEPS)
    if steps < FEW_STEPS:
        yield (
            f"A trial made no more than {steps:,} steps, after which nothing is painted yet: its scores are chance. "
            "Give each more time, or the recipe a smaller size, batch or width."
        )
    if complete and (own is None or own not in found.complete):
        state = "were not tried" if own is None else OWN_STATES[own.state]
        yield f"The recipe's own settings {state}, so nothing tells whether the best is better than they are."
    for name, end in found.edges:
        yield (
            f"The best {name} lies at the {end} end of what was searched, {searched(found.space[name])}: "
            "better ones may lie beyond."
        )
    yield from _failures(found)


def _failures(found: Tuning) -> Iterator[str]:
    failed = found.of("failed")
    if len(failed) > FAILURES:
        again = sum(found.retried(trial) is not None for trial in failed)
        yield f"{len(failed):,} trials failed, see the table; the settings of {again:,} of them were tried again."
        return
    for trial in failed:
        retry = found.retried(trial)
        then = "was not tried again" if retry is None else f"was tried again as trial {retry.number}: {retry.state}"
        what = f"failed ({trial.wrong.rstrip('.')})" if trial.wrong else "was stopped, or its process died,"
        yield f"Trial {trial.number} {what} and {then}."


def saving(found: Tuning) -> str:
    """How much of the time pruning saved, in a sentence; empty where nothing was pruned."""
    if found.saved is None:
        return ""
    pruned = len(found.of("pruned"))
    were = "trial was" if pruned == 1 else "trials were"
    return f"Pruning saved {percent(found.saved)} of the time: {pruned:,} {were} ended early."


def checks(found: Tuning, out: Path) -> list[str]:
    """What to type to measure the best again, and the recipe as it is, with a seed that the study has not used."""
    recipes = [str(out / name) for name in (["best.yaml"] if found.winner else []) + ["recipe.yaml"]]
    end = shlex.join(["--budget", found.budget, "--seed", str(found.seed + found.seeds)])
    return [f"impasto train {shlex.quote(recipe)} … {end}" for recipe in recipes]


def settings_rows(found: Tuning) -> list[tuple[str, str, str, list[str]]]:
    """A row for each setting, the differing ones first: its name, where it was searched for, the recipe's own value and
    that of each of the best."""
    own = {} if found.own is None else found.own.settings
    names = sorted(found.space, key=lambda name: name not in found.differing)
    return [
        (name, searched(found.space[name]), _known(own, name), [_known(trial.settings, name) for trial in found.front])
        for name in names
    ]


def _known(settings: Mapping[str, Any], name: str) -> str:
    return said(settings[name]) if name in settings else "—"


def summary(found: Tuning, out: Path) -> RenderableType:
    """The study for a shell: the verdict, what differs, what matters, and what to type next.

    ``out`` is the study's folder, in which the best recipe lies as ``best.yaml``.
    """
    # As Text: [efficientnet-lite0] would be taken for a style of rich's.
    parts: list[RenderableType] = [Text(verdict(found), "bold")]
    if found.differing:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for head in ("setting", "own", "", "best"):
            table.add_column(head)
        for name, _, own, best in settings_rows(found)[: len(found.differing)]:
            table.add_row(Text(name), Text(own), "→", Text(best[0], "bold"))
        parts += [Text(), table, Text()]
    if found.winner is not None:
        parts.append(Text(f"Trials: {counts(found)}. {saving(found)}".strip()))
    if found.ranked:
        shares = [f"{name} {percent(share)}" for name, share in found.ranked[:3]]
        parts.append(Text(f"What matters most: {listed(shares)} of how much the first look varies."))
    parts += [Text(f"Note: {caution}") for caution in cautions(found)]
    if found.winner is not None:
        parts.append(Text(f"The best recipe: {out / 'best.yaml'}"))
        parts.append(Text(f"Check it: {checks(found, out)[0]}"))
    return Group(*parts)
