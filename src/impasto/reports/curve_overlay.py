"""The curves of several trainings over the same axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from impasto.config.types import Values
from impasto.reports.curves import SPARSE, condense, loss_name, losses, smooth
from impasto.reports.figure_style import Theme, format_percent, new_figure, set_ticks, set_y_scale, style_axes
from impasto.reports.run_record import Log, RunRecord

DASHES = ("-", "--", ":")
"""Beyond as many trainings as there are colours, lines are dashed, then dotted."""

SMOOTHING = 0.025
"""As in :mod:`impasto.reports.curves`, but stronger: lines of several trainings that cross must be told apart."""

ACCURACIES = {
    "accuracy_fake": "The discriminator recognises fakes",
    "accuracy_real": "… its training paintings",
    "accuracy_heldout": "… held-out paintings",
}

Along = Literal["pictures", "seconds"]


@dataclass(frozen=True)
class Panel:
    """One measure of every training that has it."""

    title: str
    measure: str
    along: Along = "pictures"
    unit: str = ""
    shown: tuple[float, ...] = ()
    """Values that the axis takes in, whatever was measured."""
    chosen: bool = False
    """Whether the lowest is circled."""


def panels(records: Sequence[RunRecord]) -> list[Panel]:
    """What there is to draw: scores by pictures shown and by time, then losses and accuracies by pictures shown.

    A loss that only one of several trainings has is left to its own report: there is nothing to lay it over.
    """
    logs = [record.log for record in records]
    kids = dict.fromkeys(name for log in logs for name in log.kids)
    logged = [name for log in logs for names in losses(log).values() for name in names]
    shared = [name for name in dict.fromkeys(logged) if len(logs) == 1 or logged.count(name) > 1]
    found = [
        Panel(name, name, along, "lower is better", (0,), chosen=True)
        for name in kids
        for along in ("pictures", "seconds")  # what a picture brings, and what an hour brings
    ]
    found += [Panel(f"Loss: {loss_name(name)}", name) for name in shared]
    found += [Panel(title, name, unit="%", shown=(0, 1)) for name, title in ACCURACIES.items()]
    found.append(Panel("Spread of the fakes (real paintings: 1)", "diversity_ratio", shown=(0,)))
    return [panel for panel in found if any(len(series(log, panel)[0]) for log in logs)]


def series(log: Log, panel: Panel) -> tuple[Values, Values]:
    """Places and values of a panel's measure, where both are known: pictures shown, or seconds of training."""
    if panel.along not in log.columns or panel.measure not in log.columns:
        return np.empty(0), np.empty(0)
    places, values = log.columns[panel.along], log.columns[panel.measure]
    known = np.isfinite(places) & np.isfinite(values)
    return places[known], values[known]


def overlay(records: Sequence[RunRecord], theme: Theme) -> Figure:
    """Every panel, two beside each other; the n-th training's line has the n-th colour of the theme.

    The names of the trainings are not written: they may be long, and in any script.

    Raises:
        ValueError: there is nothing to draw.
    """
    drawn = panels(records)
    if not drawn:
        raise ValueError("there is nothing to draw: no training has logged anything")
    rows = ceil(len(drawn) / 2)
    figure = new_figure(theme, 11, 0.3 + 2.7 * rows, dpi=140, spacing=(0.06, 0.05))
    grid = figure.subplots(rows, 2, squeeze=False)
    for axes in grid.flat[len(drawn) :]:
        axes.set_axis_off()
    for axes, panel in zip(grid.flat, drawn, strict=False):
        _draw(axes, panel, records, theme)
    return figure


def _draw(axes: Axes, panel: Panel, records: Sequence[RunRecord], theme: Theme) -> None:
    extent = [*panel.shown]
    longest = max(float(places[-1]) for places, _ in (series(each.log, panel) for each in records) if len(places))
    name, unit = _axis(panel.along, longest)
    for index, record in enumerate(records):
        places, values = series(record.log, panel)
        if not len(places):
            continue
        places = places / unit
        colour, dash = theme.lines[index % len(theme.lines)], DASHES[index // len(theme.lines) % len(DASHES)]
        centres, low, mean, high = condense(places, values)
        smoothed = smooth(mean, SMOOTHING)
        few = len(places) <= SPARSE
        if not few:
            axes.fill_between(centres, smooth(low, SMOOTHING), smooth(high, SMOOTHING), color=colour, alpha=0.1, lw=0)
        axes.plot(centres, smoothed, color=colour, lw=1.8, ls=dash, marker="o" if few else "", ms=3.5)
        extent += [smoothed.min(), smoothed.max(), *np.quantile(values, (0.02, 0.98))]
        best = record.chosen(panel.measure) if panel.chosen else None
        if best is not None:
            place = places[int(np.abs(values - best[1]).argmin())]
            axes.plot([place], [best[1]], "o", color=colour, ms=10, mfc="none", mec=colour, mew=1.6, clip_on=False)
            extent.append(best[1])
    style_axes(axes, theme, panel.title, x_label=name, y_label=panel.unit, title_size=10.5)
    set_y_scale(axes, min(extent), max(extent))
    if panel.unit == "%":
        format_percent(axes.yaxis)
    axes.set_xlim(0, longest / unit * 1.02 or 1)
    set_ticks(axes.xaxis)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: f"{place:,g}"))


def _axis(along: Along, longest: float) -> tuple[str, float]:
    """What the horizontal axis counts, and how many pictures or seconds make one of it."""
    if along == "seconds":
        return ("hours of training", 3600) if longest >= 3600 else ("minutes of training", 60)
    return ("pictures shown", 1) if longest < 20_000 else ("thousands of pictures shown", 1000)
