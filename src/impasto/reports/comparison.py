"""Several trainings side by side: where they differ, how good they are, and what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from impasto.data.image_grid import tile
from impasto.files import atomic_write
from impasto.metrics.results import MEANINGS, Scores, Value
from impasto.reports import pairs
from impasto.reports.comparison_table import Comparison, Entry, Lowest, Training, best, conditions, progress, text
from impasto.reports.curve_overlay import DASHES, overlay, panels
from impasto.reports.embed import Picture, drawing, jpeg, render
from impasto.reports.evaluation_text import copying, decimals, halves, measured, number, places
from impasto.reports.figure_style import DARK, LIGHT
from impasto.reports.run import duration

COLUMNS, SHEET_SIDE = 8, 1600
"""Pictures beside each other in a run's sheet, and its longest side in the page, in pixels."""

ALIKE = 8.0
"""How much two sheets of the same photos differ on average, of 255: JPEG treats them differently at another place."""


@dataclass(frozen=True)
class Line:
    """One row of a table: what it is, what that means, and a text for each run; bold where it is the best."""

    label: str
    meaning: str
    texts: list[str]
    best: list[bool] | None = None
    notes: list[str] | None = None
    """What is said below each text, smaller."""


@dataclass(frozen=True)
class Block:
    """One table: numbers that may be compared with each other. ``runs`` are the places of its columns' runs."""

    caption: str
    runs: list[int]
    lines: list[Line]


def write_comparison(entries: Sequence[Entry], comparison: Comparison, out: Path) -> Path:
    """Writes ``comparison.html``, one file that loads nothing, and ``comparison.json`` into a folder that is there.

    Returns:
        The path of the page.
    """
    records = [entry.record for entry in entries]
    page, photos = out / "comparison.html", shared_photos(entries)
    shown = render(
        "comparison.html",
        comparison=comparison,
        themes=(LIGHT.lines, DARK.lines),
        swatches=[_swatch(place) for place in range(len(entries))],
        photos=None if photos is None else _sheet(photos),
        sheets=[_paintings(entry, paired=photos is None) for entry in entries],
        entries=entries,
        scores=score_blocks(comparison.runs),
        during=during_block(comparison.runs),
        settings=settings_block(comparison),
        times=time_block(comparison),
        curves=drawing(lambda theme: overlay(records, theme)) if panels(records) else None,
    )
    with atomic_write(out / "comparison.json") as part:
        part.write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")
    with atomic_write(page) as part:
        part.write_text(shown, encoding="utf-8")
    return page


def summary(comparison: Comparison) -> RenderableType:
    """The comparison for a shell: what differs, the scores, the time, and the verdict."""
    blocks = [settings_block(comparison), *score_blocks(comparison.runs), during_block(comparison.runs)]
    parts: list[RenderableType] = []
    for block in (*blocks, time_block(comparison)):
        if not block.lines:
            continue
        shown = Table(box=None, header_style="bold", pad_edge=False)
        shown.add_column("")
        for place in block.runs:
            shown.add_column(Text(comparison.runs[place].name))
        blank = [False] * len(block.runs)
        for line in block.lines:
            # As Text: [efficientnet-lite0] would be taken for a style of rich's.
            cells = (
                Text(said, "bold" if top else "") for said, top in zip(line.texts, line.best or blank, strict=True)
            )
            shown.add_row(Text(line.label), *cells)
        parts += [Text(block.caption, style="italic"), shown, Text()]
    parts.append(Text(comparison.verdict, style="bold"))
    parts += [Text(f"Note: {warning}") for warning in comparison.warnings]
    return Group(*parts)


def settings_block(comparison: Comparison) -> Block:
    """What differs, a row a setting."""
    runs = comparison.runs
    lines = [
        Line(name, "", [text(values[run.name]) if run.name in values else "—" for run in runs])
        for name, values in comparison.differences.items()
    ]
    return Block("Settings that differ", list(range(len(runs))), lines)


def score_blocks(runs: Sequence[Training]) -> list[Block]:
    """Scores, a table for all that may be compared with each other."""
    scored = [conditions(run) for run in runs]
    blocks = []
    for condition in dict.fromkeys(each for mine in scored for each in mine):
        places = [place for place, mine in enumerate(scored) if condition in mine]
        shared = [scored[place][condition] for place in places]
        lines = []
        for measure in dict.fromkeys(name for scores in shared for name in scores.values):
            values = [scores.values.get(measure) for scores in shared]
            texts = ["—" if value is None else measured(value) for value in values]
            floors = [_floor(value, scores) for value, scores in zip(values, shared, strict=True)]
            label = shared[0].label(measure)
            lines.append(Line(label, MEANINGS.get(measure, ""), texts, best(measure, values), floors))
        found = [evaluation.copies for place in places if (evaluation := runs[place].evaluation)]
        if not condition.unseen and all(each.network == condition.network for each in found):
            lattices = [evaluation.checkerboard if (evaluation := runs[place].evaluation) else None for place in places]
            if any(lattices):
                lines.append(_checkerboard(lattices))
            lines.append(Line("copies", "", [copying(each).short for each in found]))
        blocks.append(Block(str(condition), places, lines))
    return blocks


def _checkerboard(values: Sequence[Value | None]) -> Line:
    texts = ["—" if value is None else measured(value) for value in values]
    floors = [
        "" if value is None or value.floor is None else f"the reals {number(value.floor, decimals(value))}"
        for value in values
    ]
    return Line("checkerboard", MEANINGS["checkerboard"], texts, best("checkerboard", values), floors)


def _floor(value: Value | None, scores: Scores) -> str:
    if value is None or value.floor is None or not scores.halves:
        return ""
    return f"floor {number(value.floor, decimals(value))}, {halves(scores)}"


def during_block(runs: Sequence[Training]) -> Block:
    """What was measured while the runs trained, a row a measure."""
    lines = []
    for measure in dict.fromkeys(each.measure for run in runs for each in run.during):
        texts = []
        for run in runs:
            found = next((each for each in run.during if each.measure == measure), None)
            texts.append("—" if found is None else _during(found))
        lines.append(Line(measure, "the lowest, where the style was chosen", texts))
    return Block("During training", list(range(len(runs))), lines)


def _during(found: Lowest) -> str:
    if found.lowest is None or found.step is None:
        return f"{number(found.last)} so far"
    return f"{number(found.lowest)} at step {found.step:,}"


def time_block(comparison: Comparison) -> Block:
    """How long it took, what it took, and what it cost."""
    runs = comparison.runs
    rows: dict[str, list[str]] = {
        "status": [run.status for run in runs],
        "training time": [duration(run.seconds) for run in runs],
        "hours": [f"{_hours(run.seconds / 3600)} {run.processor} hours" for run in runs],
    }
    if comparison.price is not None:
        rows[f"cost, at {comparison.price:,.2f} an hour"] = [f"{run.cost or 0:,.2f}" for run in runs]
    rows |= {
        "steps": [f"{run.steps:,}" + progress(run) for run in runs],
        "pictures shown": [f"{run.shown:,}" for run in runs],
        "pictures a second": [number(run.speed) if run.speed else "—" for run in runs],
        "peak memory": [f"{run.memory / 2**30:.2f} GiB" if run.memory else "—" for run in runs],
        "device": [f"{run.device}, {run.precision}" for run in runs],
    }
    lines = [Line(name, "", texts) for name, texts in rows.items()]
    return Block("Time and money" if comparison.price is not None else "Time", list(range(len(runs))), lines)


def _hours(hours: float) -> str:
    return number(hours, max(2, places(hours, 2)) if hours else 0)


def shared_photos(entries: Sequence[Entry]) -> NDArray[np.uint8] | None:
    """The photos (N, S, S, 3) that all runs painted, of those that paint photos; None where they are not the same, or
    only one run has any."""
    found = [entry.photos for entry in entries if entry.photos is not None]
    if len(found) < 2 or len({photos.shape for photos in found}) > 1:
        return None
    first = found[0].astype(np.float32)
    return found[0] if all(np.abs(first - each).mean((1, 2, 3)).max() < ALIKE for each in found[1:]) else None


def _paintings(entry: Entry, paired: bool) -> Picture | None:
    """A run's paintings; ``paired`` with their photos, if they are of any."""
    if entry.pictures is None or not len(entry.pictures):
        return None
    if paired and entry.photos is not None:
        return jpeg(pairs.sheet(pairs.beside(entry.photos, entry.pictures), columns=COLUMNS // 2), SHEET_SIDE, 90)
    return _sheet(entry.pictures)


def _sheet(pictures: NDArray[np.uint8]) -> Picture:
    size = pictures.shape[1]
    # Small pictures enlarged here, to atomic_write pixels: a browser's smoothing would differ from run to run.
    factor = max(1, round(SHEET_SIDE / COLUMNS / size)) if size < SHEET_SIDE / COLUMNS else 1
    sheet = tile(pictures, columns=COLUMNS)
    if factor > 1:
        sheet = sheet.resize((sheet.width * factor, sheet.height * factor), Image.Resampling.BICUBIC)
    return jpeg(sheet, SHEET_SIDE, quality=90)


def _swatch(place: int) -> str:
    """The classes of a run's mark in the page: the colour and the dashes of its lines."""
    colours = len(LIGHT.lines)
    return f"line-{place % colours} dash-{place // colours % len(DASHES)}"
