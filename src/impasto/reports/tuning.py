"""The page of a search over a recipe's settings, its plots and its numbers."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files import atomic_write
from impasto.reports.diagnostics import percent
from impasto.reports.embed import Drawing, Picture, drawing, jpeg, render
from impasto.reports.evaluation_text import number
from impasto.reports.run import duration
from impasto.reports.run_record import open_picture
from impasto.reports.tuning_figures import FIGURES, figures
from impasto.reports.tuning_results import (
    Trial,
    Tuning,
    cautions,
    checks,
    counts,
    said,
    saving,
    scored,
    settings_rows,
    verdict,
)

SHEET_SIDE = 1000
"""The longest side, in pixels, at which a trial's paintings are put into the page."""

FRONT, WORST = 4, 2
"""Of how many of the best trials paintings are shown, if several are the best, and of how many of the worst."""


@dataclass(frozen=True)
class Shown:
    """A trial's paintings in the page."""

    trial: Trial
    what: str
    score: str
    picture: Picture | None


def write_tuning(found: Tuning, out: Path) -> Path:
    """Writes ``report.html``, ``tuning.json`` and the plots as PNG into a study's folder, which is there.

    The study may have ended, still go on or have just begun: the page says what is not there yet. ``out/best.yaml``
    and the paintings in the run folders are shown where they are.

    Returns:
        The path of the page.

    Raises:
        DiskFullError: there is no space left.
    """
    drawings = _draw(found, out)
    best = out / "best.yaml"
    samples = [_shown(found, trial, what, out) for trial, what in chosen(found)]
    page = out / "report.html"
    shown = render(
        "tuning.html",
        found=found,
        verdict=verdict(found),
        cautions=list(cautions(found)),
        counts=counts(found),
        saving=saving(found),
        measures=_measures(found),
        rows=settings_rows(found),
        recipe=best.read_text(encoding="utf-8") if found.winner is not None and best.is_file() else None,
        checks=checks(found, out),
        drawings=drawings,
        shown=FRONT,
        samples=samples,
        trials=_table(found),
        details=_details(found),
    )
    with atomic_write(out / "tuning.json") as part:
        part.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    with atomic_write(page) as part:
        part.write_text(shown, encoding="utf-8")
    return page


def _draw(found: Tuning, out: Path) -> dict[str, Drawing | None]:
    drawings: dict[str, Drawing | None] = dict.fromkeys(FIGURES)
    for name, draw in figures(found).items():
        drawn = drawing(partial(draw, found))
        drawings[name] = drawn
        with atomic_write(out / f"{name}.png") as part:
            part.write_bytes(drawn.light.content)
    return drawings


def chosen(found: Tuning) -> list[tuple[Trial, str]]:
    """The trials of which paintings are shown, and what each is: the best, the recipe's own, the worst, and of the
    pruned the one that came furthest and the one that was worst at its first look."""
    best = "the best" if len(found.objectives) == 1 else "on the front"
    picked = [(trial, best) for trial in found.front[:FRONT]]
    if found.own is not None and found.own.state == "complete":
        picked.append((found.own, "the recipe's own settings"))
    worst = [trial for trial in found.complete if trial.number not in found.best][::-1]
    picked += [(trial, "the worst" if place == 0 else "among the worst") for place, trial in enumerate(worst[:WORST])]
    pruned = found.pruned
    if len(pruned) == 1:
        picked.append((pruned[0], "pruned"))
    elif pruned:
        picked += [(pruned[0], "the best of the pruned"), (pruned[-1], "the worst of the pruned")]
    once: dict[int, tuple[Trial, str]] = {}
    for trial, what in picked:
        before = once.get(trial.number)
        once[trial.number] = (trial, what if before is None else f"{before[1]}, {what}")
    return list(once.values())


def _shown(found: Tuning, trial: Trial, what: str, out: Path) -> Shown:
    score = scored(found, trial) if trial.state == "complete" else _at_last(found, trial)
    return Shown(trial, what, score, _paintings(trial, out))


def _at_last(found: Tuning, trial: Trial) -> str:
    if not trial.seen:
        return ""
    share, value = trial.seen[-1]
    return f"{found.objectives[0]} {number(value)} at {percent(share)} of the budget"


def _paintings(trial: Trial, out: Path) -> Picture | None:
    """A trial's final paintings, or its newest samples; None where it has none that are atomic_write."""
    if trial.run is None:
        return None
    folder = out / trial.run
    for path in (folder / "paintings.jpg", *sorted(folder.glob("samples/step-*.jpg"), reverse=True)):
        try:
            return jpeg(open_picture(path), SHEET_SIDE)
        except ImpastoError:  # not there, or left in pieces by a worker that died
            continue
    return None


def _measures(found: Tuning) -> list[tuple[str, str]]:
    """The numbers that sum up a study, each with what it means."""
    measures = []
    if found.complete:
        for index, name in enumerate(found.objectives):
            lowest = min(found.complete, key=lambda trial, index=index: trial.values[index])  # type: ignore[misc]
            measures.append((number(lowest.values[index]), f"{name} of the best, trial {lowest.number}"))
    if found.own is not None and found.own in found.complete:
        own = zip(found.objectives, found.own.values, strict=True)
        measures += [(number(value), f"{name} of the recipe's own settings") for name, value in own]
    if found.saved is not None:
        measures.append((percent(found.saved), "of the time saved by pruning"))
    measures.append((duration(found.seconds), "of training in all"))
    return measures


@dataclass(frozen=True)
class Row:
    """A trial in the table of all."""

    trial: Trial
    values: list[str]
    settings: list[str]
    time: str
    note: str


def _table(found: Tuning) -> list[Row]:
    """All trials: the complete, best first, those that still run, the pruned, and the rest."""
    order = [*found.complete, *found.of("running"), *found.pruned, *found.of("failed"), *found.of("waiting")]
    order += [trial for trial in found.trials if trial not in order]
    return [_row(found, trial) for trial in order]


def _row(found: Tuning, trial: Trial) -> Row:
    again = found.retried(trial)
    notes = ["the recipe's own"] if trial.own else []
    notes += [f"retry of {trial.retry_of}"] if trial.retry_of is not None else []
    notes += [f"tried again as {again.number}"] if again is not None else []
    notes += [trial.wrong] if trial.wrong else []
    values = [number(value) for value in trial.values] or ["—"] * len(found.objectives)
    if not trial.values and trial.seen:
        share, value = trial.seen[-1]
        values[0] = f"{number(value)} at {percent(share)}"
    return Row(
        trial,
        values,
        [said(trial.settings[name]) if name in trial.settings else "—" for name in found.space],
        duration(trial.seconds),
        ", ".join(notes),
    )


def _details(found: Tuning) -> list[tuple[str, str]]:
    details = [
        ("Study", found.study),
        ("Recipe", found.recipe),
        ("Storage", found.storage),
        ("Budget of a trial", found.budget),
        ("Seeds of a trial", str(found.seeds)),
        ("Workers", str(len({trial.worker for trial in found.trials if trial.worker}))),
        ("Time of all trials", duration(found.seconds)),
    ]
    details += [("Objective", name) for name in found.objectives]
    return [*details, ("impasto", found.impasto)]
