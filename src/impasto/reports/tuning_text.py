"""Text of a study: its result, caveats and next commands, derived from its numbers alone."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from impasto.metrics.formatting import format_number, format_percent, join_words
from impasto.reports.tuning_results import State, Trial, Tuning, format_setting, format_space

FEW = 10
"""With fewer complete trials than this, differences between settings are mostly noise."""

FEW_STEPS = 100
"""With fewer steps than this every GAN still generates noise."""

FAILURES = 3
"""More failed trials than this are counted, not listed."""

BASELINE_STATES: dict[State, str] = {
    "complete": "has no finite value",
    "pruned": "was pruned",
    "failed": "failed",
    "running": "is still running",
    "waiting": "has not been run yet",
}
"""Why the baseline cannot be compared with."""


def result(study: Tuning) -> str:
    """Return a sentence about the best trial and how it compares with the baseline."""
    best, baseline = study.best_trial, study.complete_baseline
    if best is None:
        return f"No trial is complete yet: {count_states(study)}." if study.trials else "No trial has begun yet."
    if best.copies:
        return (
            f"Every complete trial reproduces training images, so their scores say nothing about quality. Trial "
            f"{best.number} does so least ({format_percent(best.copies)} of its images): {format_scores(study, best)}."
        )
    if len(study.objectives) > 1:
        return _pareto_result(study, best, baseline)
    if baseline is not None and baseline.number == best.number:
        others = len(study.complete) - 1
        against = f"{others:,} other complete trial{'s' * (others != 1)}" if others else "no other complete trial"
        return (
            f"The baseline (the recipe's own settings, trial {best.number}) is the best: {format_scores(study, best)}, "
            f"against {against}."
        )
    sentence = f"Trial {best.number} is the best of {_complete_trials(study)}: {format_scores(study, best)}"
    if baseline is None:
        return f"{sentence}."
    low, high = best.values[0], baseline.values[0]
    if 0 < low < high:
        return f"{sentence}, {format_percent(1 - low / high)} lower than the baseline's {format_number(high)}."
    return f"{sentence}; the baseline has {format_number(high)}."


def _pareto_result(study: Tuning, best: Trial, baseline: Trial | None) -> str:
    front = study.best_trials
    if len(front) == 1:
        sentence = (
            f"Trial {best.number} is the best of {_complete_trials(study)} in all objectives: "
            f"{format_scores(study, best)}."
        )
    else:
        sentence = (
            f"{len(front):,} of {_complete_trials(study)} are on the Pareto front, where no trial is beaten in all "
            f"objectives: {join_words([str(trial.number) for trial in front])}. "
            f"Trial {best.number} has the lowest {study.objectives[0]}, {format_number(best.values[0])}."
        )
    if baseline is None:
        return sentence
    where = "is on the front" if baseline in front else "is not on the front"
    return f"{sentence} The baseline (the recipe's own settings) {where}: {format_scores(study, baseline)}."


def _complete_trials(study: Tuning) -> str:
    count = len(study.complete)
    return f"{count:,} complete trial{'s' * (count != 1)}"


def format_scores(study: Tuning, trial: Trial) -> str:
    """Return a trial's objectives with their names: ``KID[efficientnet-lite0] 0.0412 and seconds 31.0``."""
    named = zip(study.objectives, trial.values, strict=False)
    return join_words([f"{name} {format_number(value)}" for name, value in named])


def count_states(study: Tuning) -> str:
    """Return the numbers of trials by state: ``14 complete, 7 pruned and 1 failed``."""
    states: tuple[State, ...] = ("complete", "pruned", "failed", "running", "waiting")
    counts = {state: len(study.in_state(state)) for state in states}
    return join_words([f"{count:,} {state}" for state, count in counts.items() if count])


def caveats(study: Tuning) -> Iterator[str]:
    """Yield the reasons not to trust the result yet."""
    complete, baseline = len(study.complete), study.baseline
    if complete > 1:
        yield (
            f"The best of {complete:,} trials is partly the best by chance: measure it again with new seeds, together "
            "with the baseline."
        )
    if 0 < complete < FEW:
        yield f"{complete:,} complete trial{'s are' if complete > 1 else ' is'} too few: run more."
    if copying := study.copying:
        numbers = join_words([str(trial.number) for trial in copying])
        several = len(copying) > 1
        yield (
            f"Trial{'s' * several} {numbers} reproduce{'s' * (not several)} training images: "
            f"{'they rank' if several else 'it ranks'} after all others."
        )
    steps = max((trial.steps or FEW_STEPS for trial in study.complete), default=FEW_STEPS)
    if steps < FEW_STEPS:
        yield (
            f"No trial had more than {steps:,} steps, after which a GAN still generates noise, so the scores mean "
            "nothing. Increase the budget, or reduce size, batch or width."
        )
    if complete and study.complete_baseline is None:
        state = "was not run" if baseline is None else BASELINE_STATES[baseline.state]
        yield f"The baseline (the recipe's own settings) {state}, so the best trial cannot be compared with it."
    for name, bound in study.at_bounds:
        yield (
            f"The best {name} is at the {bound} bound of its range ({format_space(study.space[name])}): better values "
            "may lie outside."
        )
    yield from _failures(study)


def _failures(study: Tuning) -> Iterator[str]:
    failed = study.in_state("failed")
    if len(failed) > FAILURES:
        retried = sum(study.retry(trial) is not None for trial in failed)
        yield f"{len(failed):,} trials failed (see the table); {retried:,} of them were retried."
        return
    for trial in failed:
        retry = study.retry(trial)
        then = "was not retried" if retry is None else f"was retried as trial {retry.number} ({retry.state})"
        why = f"failed ({trial.error.rstrip('.')})" if trial.error else "was interrupted, or its process died,"
        yield f"Trial {trial.number} {why} and {then}."


def pruning_summary(study: Tuning) -> str:
    """Return how much time pruning saved; empty if no trial was pruned."""
    if study.saved_by_pruning is None:
        return ""
    pruned = len(study.in_state("pruned"))
    return f"Pruning {pruned:,} trial{'s' * (pruned != 1)} saved {format_percent(study.saved_by_pruning)} of the time."


def confirmation_commands(study: Tuning, out: Path) -> list[str]:
    """Return the commands that train the best recipe and the baseline with a seed that the study has not used."""
    recipes = [str(out / name) for name in (["best.yaml"] if study.best_trial else []) + ["recipe.yaml"]]
    options = shlex.join(["--budget", study.budget, "--seed", str(study.seed + study.seeds)])
    return [f"impasto train {shlex.quote(recipe)} … {options}" for recipe in recipes]


def settings_rows(study: Tuning) -> list[tuple[str, str, str, list[str]]]:
    """Return a row for each setting, changed ones first: name, search space, value of the baseline, values of the best
    trials."""
    baseline = {} if study.baseline is None else study.baseline.settings
    names = sorted(study.space, key=lambda name: name not in study.changed_settings)
    return [
        (
            name,
            format_space(study.space[name]),
            setting_of(baseline, name),
            [setting_of(trial.settings, name) for trial in study.best_trials],
        )
        for name in names
    ]


def setting_of(settings: Mapping[str, Any], name: str) -> str:
    """Return a setting as text, or a dash if it is absent."""
    return format_setting(settings[name]) if name in settings else "—"


def summary(study: Tuning, out: Path) -> RenderableType:
    """Return a study for the terminal: result, changed settings, importance, caveats and next commands.

    Args:
        study: its trials.
        out: its folder, with ``best.yaml``.
    """
    # As Text, since rich would take [efficientnet-lite0] for a style.
    parts: list[RenderableType] = [Text(result(study), "bold")]
    if study.changed_settings:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for head in ("setting", "baseline", "", "best"):
            table.add_column(head)
        for name, _, baseline, best in settings_rows(study)[: len(study.changed_settings)]:
            table.add_row(Text(name), Text(baseline), "→", Text(best[0], "bold"))
        parts += [Text(), table, Text()]
    if study.best_trial is not None:
        parts.append(Text(f"Trials: {count_states(study)}. {pruning_summary(study)}".strip()))
    if study.ranked_importance:
        shares = [f"{name} {format_percent(share)}" for name, share in study.ranked_importance[:3]]
        parts.append(Text(f"Most important settings (share of the variance at the first rung): {join_words(shares)}."))
    parts += [Text(f"Note: {caveat}") for caveat in caveats(study)]
    if study.best_trial is not None:
        parts.append(Text(f"Best recipe: {out / 'best.yaml'}"))
        parts.append(Text(f"Confirm it: {confirmation_commands(study, out)[0]}"))
    return Group(*parts)
