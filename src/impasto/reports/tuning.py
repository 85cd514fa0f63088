"""Report of a study: ``report.html``, its plots and ``tuning.json``."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files import atomic_write
from impasto.metrics.formatting import format_number, format_percent
from impasto.reports.embed import Drawing, Picture, drawing, jpeg, render
from impasto.reports.record_text import format_duration
from impasto.reports.run_record import open_image
from impasto.reports.tuning_figures import FIGURES, available_figures
from impasto.reports.tuning_results import Trial, Tuning
from impasto.reports.tuning_text import (
    caveats,
    confirmation_commands,
    count_states,
    format_scores,
    pruning_summary,
    result,
    setting_of,
    settings_rows,
)

SAMPLE_SIDE = 1000
"""Longest side, in pixels, of a trial's samples in the page."""

BEST, WORST = 4, 2
"""Most trials of the Pareto front, and of the worst, whose samples are shown."""


@dataclass(frozen=True)
class TrialSamples:
    """Samples of a trial in the page."""

    trial: Trial
    role: str  #: why it is shown, such as "best"
    score: str
    picture: Picture | None


@dataclass(frozen=True)
class TrialRow:
    """A trial in the table of all trials."""

    trial: Trial
    values: list[str]
    settings: list[str]
    time: str
    note: str


def write_tuning(study: Tuning, out: Path) -> Path:
    """Write ``report.html``, ``tuning.json`` and the plots as PNG into the folder of a study in any state.

    The page embeds ``out/best.yaml`` and samples from the run folders.

    Returns:
        The path of the page.

    Raises:
        DiskFullError: there is no space left.
    """
    drawings = _draw(study, out)
    best = out / "best.yaml"
    html = render(
        "tuning.html",
        study=study,
        result=result(study),
        caveats=list(caveats(study)),
        counts=count_states(study),
        pruning=pruning_summary(study),
        measures=_measures(study),
        rows=settings_rows(study),
        recipe=best.read_text(encoding="utf-8") if study.best_trial is not None and best.is_file() else None,
        commands=confirmation_commands(study, out),
        drawings=drawings,
        shown=BEST,
        samples=[_samples(study, trial, role, out) for trial, role in select_trials(study)],
        trials=_table(study),
        details=_details(study),
    )
    with atomic_write(out / "tuning.json") as part:
        part.write_text(study.model_dump_json(indent=1) + "\n", encoding="utf-8")
    page = out / "report.html"
    with atomic_write(page) as part:
        part.write_text(html, encoding="utf-8")
    return page


def _draw(study: Tuning, out: Path) -> dict[str, Drawing | None]:
    drawings: dict[str, Drawing | None] = dict.fromkeys(FIGURES)
    for name, draw in available_figures(study).items():
        drawn = drawing(partial(draw, study))
        drawings[name] = drawn
        with atomic_write(out / f"{name}.png") as part:
            part.write_bytes(drawn.light.content)
    return drawings


def select_trials(study: Tuning) -> list[tuple[Trial, str]]:
    """Return the trials whose samples are shown, each once, with their roles: best, baseline, worst, pruned."""
    best = "best" if len(study.objectives) == 1 else "on the Pareto front"
    selected = [(trial, best) for trial in study.best_trials[:BEST]]
    if study.baseline is not None and study.baseline.state == "complete":
        selected.append((study.baseline, "baseline"))
    worst = [trial for trial in study.complete if trial.number not in study.best][::-1]
    selected += [(trial, "worst" if place == 0 else "second worst") for place, trial in enumerate(worst[:WORST])]
    pruned = study.pruned
    if len(pruned) == 1:
        selected.append((pruned[0], "pruned"))
    elif pruned:
        selected += [(pruned[0], "best of the pruned"), (pruned[-1], "worst of the pruned")]
    roles: dict[int, tuple[Trial, str]] = {}
    for trial, role in selected:
        before = roles.get(trial.number)
        roles[trial.number] = (trial, role if before is None else f"{before[1]}, {role}")
    return list(roles.values())


def _samples(study: Tuning, trial: Trial, role: str, out: Path) -> TrialSamples:
    score = format_scores(study, trial) if trial.state == "complete" else _last_rung(study, trial)
    return TrialSamples(trial, role, score, _picture(trial, out))


def _last_rung(study: Tuning, trial: Trial) -> str:
    if not trial.finite_rung_scores:
        return ""
    share, value = trial.finite_rung_scores[-1]
    return f"{study.objectives[0]} {format_number(value)} at {format_percent(share)} of the budget"


def _picture(trial: Trial, out: Path) -> Picture | None:
    """Return a trial's final images, or its newest samples, if any can be read."""
    if trial.run is None:
        return None
    folder = out / trial.run
    for path in (folder / "paintings.jpg", *sorted(folder.glob("samples/step-*.jpg"), reverse=True)):
        try:
            return jpeg(open_image(path), SAMPLE_SIDE)
        except ImpastoError:  # absent, or cut short when a worker died
            continue
    return None


def _measures(study: Tuning) -> list[tuple[str, str]]:
    """Return the numbers at the top of the page, each with its meaning."""
    measures = []
    if study.complete:
        for index, name in enumerate(study.objectives):
            lowest = min(study.complete, key=lambda trial, index=index: trial.values[index])  # type: ignore[misc]
            measures.append((format_number(lowest.values[index]), f"best {name} (trial {lowest.number})"))
    baseline = study.complete_baseline
    if baseline is not None:
        named = zip(study.objectives, baseline.values, strict=True)
        measures += [(format_number(value), f"{name} of the baseline") for name, value in named]
    if study.saved_by_pruning is not None:
        measures.append((format_percent(study.saved_by_pruning), "of the time saved by pruning"))
    measures.append((format_duration(study.seconds), "of training in all"))
    return measures


def _table(study: Tuning) -> list[TrialRow]:
    """Return the rows of all trials: complete ones, best first, then running, pruned, failed and waiting ones."""
    order = [*study.complete, *study.in_state("running"), *study.pruned]
    order += [*study.in_state("failed"), *study.in_state("waiting")]
    order += [trial for trial in study.trials if trial not in order]
    return [_row(study, trial) for trial in order]


def _row(study: Tuning, trial: Trial) -> TrialRow:
    retry = study.retry(trial)
    notes = ["baseline"] if trial.baseline else []
    notes += [f"retry of {trial.retry_of}"] if trial.retry_of is not None else []
    notes += [f"retried as {retry.number}"] if retry is not None else []
    notes += [f"reproduces training images ({format_percent(trial.copies)})"] if trial.copies else []
    notes += [trial.error] if trial.error else []
    values = [format_number(value) for value in trial.values] or ["—"] * len(study.objectives)
    if not trial.values and trial.finite_rung_scores:
        share, value = trial.finite_rung_scores[-1]
        values[0] = f"{format_number(value)} at {format_percent(share)}"
    settings = [setting_of(trial.settings, name) for name in study.space]
    return TrialRow(trial, values, settings, format_duration(trial.seconds), ", ".join(notes))


def _details(study: Tuning) -> list[tuple[str, str]]:
    details = [
        ("Study", study.study),
        ("Recipe", study.recipe),
        ("Storage", study.storage),
        ("Budget of a training", study.budget),
        ("Seeds a trial", str(study.seeds)),
        ("Workers", str(len({trial.worker for trial in study.trials if trial.worker}))),
        ("Time of all trials", format_duration(study.seconds)),
    ]
    details += [("Objective", name) for name in study.objectives]
    return [*details, ("impasto", study.impasto)]
