"""Tables of a comparison, as text."""

from collections.abc import Sequence
from dataclasses import dataclass

from impasto.metrics.base import describe
from impasto.metrics.formatting import decimal_places, format_floor, format_number, format_value, join_words
from impasto.metrics.memorisation_finding import assess_memorisation
from impasto.metrics.results import Scores, Value
from impasto.reports.comparison_results import ComparedRun, Comparison, TrainingScore
from impasto.reports.comparison_scores import conditions, mark_best, trained_against
from impasto.reports.evaluation_text import format_halves
from impasto.reports.record_text import format_duration, setting_text

MISSING = "—"


@dataclass(frozen=True)
class Line:
    """One row of a table: label, meaning, and a text per run."""

    label: str
    meaning: str
    texts: list[str]
    best: list[bool] | None = None
    """Texts in bold: the best value and those not significantly worse."""
    notes: list[str] | None = None
    """A small note below each text."""


@dataclass(frozen=True)
class Block:
    """One table of comparable numbers; ``runs`` are the indices of its columns' runs."""

    caption: str
    runs: list[int]
    lines: list[Line]


def settings_block(comparison: Comparison) -> Block:
    """Return the settings that differ, a row each."""
    runs = comparison.runs
    lines = [
        Line(name, "", [setting_text(values[run.name]) if run.name in values else MISSING for run in runs])
        for name, values in comparison.differences.items()
    ]
    return Block("Settings that differ", list(range(len(runs))), lines)


def score_blocks(runs: Sequence[ComparedRun]) -> list[Block]:
    """Return the scores: a table for each condition under which they are comparable."""
    scored = [conditions(run) for run in runs]
    blocks = []
    for condition in dict.fromkeys(each for mine in scored for each in mine):
        indices = [index for index, mine in enumerate(scored) if condition in mine]
        shared = [scored[index][condition] for index in indices]
        against = trained_against([runs[index] for index in indices], condition.network)
        lines = [
            _metric(shared[0].label(name), name, [scores.values.get(name) for scores in shared], shared, not against)
            for name in dict.fromkeys(name for scores in shared for name in scores.values)
        ]
        found = [evaluation for index in indices if (evaluation := runs[index].evaluation)]
        if not condition.unseen and all(each.copies.network == condition.network for each in found):
            checkerboards = [each.checkerboard for each in found]
            lines += [_metric("checkerboard", "checkerboard", checkerboards)] if any(checkerboards) else []
            lines.append(Line("memorisation", "", [assess_memorisation(each.copies).short for each in found]))
        caption = f"{condition}; {join_words(against)} trained against this family" if against else str(condition)
        blocks.append(Block(caption, indices, lines))
    return blocks


def training_block(runs: Sequence[ComparedRun]) -> Block:
    """Return the scores during training, a row each."""
    lines = []
    for name in dict.fromkeys(each.measure for run in runs for each in run.during):
        found = [next((each for each in run.during if each.measure == name), None) for run in runs]
        texts = [MISSING if each is None else _training_score(each) for each in found]
        lines.append(Line(name, "lowest value", texts))
    return Block("During training", list(range(len(runs))), lines)


def time_block(comparison: Comparison) -> Block:
    """Return time, throughput, memory and cost."""
    runs = comparison.runs
    rows: dict[str, list[str]] = {
        "status": [run.status for run in runs],
        "training time": [format_duration(run.seconds) for run in runs],
        "hours": [f"{_hours(run.seconds / 3600)} {run.processor} hours" for run in runs],
    }
    if comparison.price is not None:
        rows[f"cost, at {comparison.price:,.2f} per hour"] = [f"{run.cost or 0:,.2f}" for run in runs]
    rows |= {
        "steps": [f"{run.steps:,}{run.remaining}" for run in runs],
        "images shown": [f"{run.shown:,}" for run in runs],
        "throughput, images/s": [format_number(run.speed) if run.speed else MISSING for run in runs],
        "peak memory": [f"{run.memory / 2**30:.2f} GiB" if run.memory else MISSING for run in runs],
        "device": [f"{run.device}, {run.precision}" for run in runs],
    }
    lines = [Line(name, "", texts) for name, texts in rows.items()]
    return Block("Time and cost" if comparison.price is not None else "Time", list(range(len(runs))), lines)


def _metric(
    label: str, name: str, values: Sequence[Value | None], scores: Sequence[Scores] | None = None, ranked: bool = True
) -> Line:
    """Return the row of a metric, with the best values marked if they are ``ranked``; its notes are the floors."""
    texts = [MISSING if value is None else format_value(value) for value in values]
    notes = []
    for index, value in enumerate(values):
        floor = "" if value is None else format_floor(value)
        halves = f", {format_halves(scores[index])}" if scores is not None else ""
        notes.append(f"{'reals' if scores is None else 'floor'} {floor}{halves}" if floor else "")
    return Line(label, describe(name), texts, mark_best(name, values) if ranked else None, notes)


def _training_score(found: TrainingScore) -> str:
    if found.lowest is None or found.step is None:
        return f"{format_number(found.last)} so far"
    return f"{format_number(found.lowest)} at step {found.step:,}"


def _hours(hours: float) -> str:
    return format_number(hours, max(2, decimal_places(hours, 2)) if hours else 0)
