"""Training curves of several runs over the same axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from impasto.config.types import Values
from impasto.metrics.base import better
from impasto.metrics.results import DECIDING_METRIC
from impasto.reports.curves import SPARSE, group_losses, loss_name
from impasto.reports.figure_style import Theme, format_percent, new_figure, set_ticks, set_y_scale, style_axes
from impasto.reports.run_log import Log
from impasto.reports.run_record import RunRecord
from impasto.reports.smoothing import bin_series, smooth

DASHES = ("-", "--", ":")
"""For more runs than colours, lines are dashed, then dotted."""

SMOOTHING = 0.025
"""Stronger than for one run: crossing lines must be distinguishable."""

ACCURACIES = {
    "accuracy_fake": "Discriminator accuracy: fakes",
    "accuracy_real": "Discriminator accuracy: training images",
    "accuracy_heldout": "Discriminator accuracy: held-out images",
}

Along = Literal["pictures", "seconds"]


@dataclass(frozen=True)
class Panel:
    """One quantity of every run that logged it."""

    title: str
    column: str
    along: Along = "pictures"
    unit: str = ""
    shown: tuple[float, ...] = ()
    """Values that the axis always includes."""
    mark_lowest: bool = False
    """Whether the lowest value is circled."""


def overlay_panels(records: Sequence[RunRecord]) -> list[Panel]:
    """Return the panels: scores over images shown and over time, then losses and accuracies over images shown.

    A loss that only one of several runs has is left out: it is in that run's report.
    """
    logs = [record.log for record in records]
    scores = dict.fromkeys(name for log in logs for name in log.scores)
    logged = [name for log in logs for names in group_losses(log).values() for name in names]
    shared = [name for name in dict.fromkeys(logged) if len(logs) == 1 or logged.count(name) > 1]
    found = [
        Panel(name, name, along, f"{better(DECIDING_METRIC)} is better", (0,), mark_lowest=True)
        for name in scores
        for along in ("pictures", "seconds")  # progress per image, and per hour
    ]
    found += [Panel(f"Loss: {loss_name(name)}", name) for name in shared]
    found += [Panel(title, name, unit="%", shown=(0, 1)) for name, title in ACCURACIES.items()]
    found.append(Panel("Diversity ratio (fakes / reals)", "diversity_ratio", shown=(0,)))
    return [panel for panel in found if any(len(panel_series(log, panel)[0]) for log in logs)]


def panel_series(log: Log, panel: Panel) -> tuple[Values, Values]:
    """Return x and y of a panel, where both are finite; x is images shown, or seconds of training."""
    if panel.along not in log.columns or panel.column not in log.columns:
        return np.empty(0), np.empty(0)
    places, values = log.columns[panel.along], log.columns[panel.column]
    known = np.isfinite(places) & np.isfinite(values)
    return places[known], values[known]


def draw_overlay(records: Sequence[RunRecord], theme: Theme) -> Figure:
    """Draw every panel in two columns; the n-th run has the n-th colour of the theme.

    The figure has no legend: run names may be long, and in any script.

    Raises:
        ValueError: there is nothing to draw.
    """
    panels = overlay_panels(records)
    if not panels:
        raise ValueError("there is nothing to draw: no run has logged anything")
    rows = ceil(len(panels) / 2)
    figure = new_figure(theme, 11, 0.3 + 2.7 * rows, dpi=140, spacing=(0.06, 0.05))
    grid = figure.subplots(rows, 2, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw(axes, panel, records, theme)
    return figure


def _draw(axes: Axes, panel: Panel, records: Sequence[RunRecord], theme: Theme) -> None:
    extent = [*panel.shown]
    longest = max(float(places[-1]) for places, _ in (panel_series(each.log, panel) for each in records) if len(places))
    name, unit = _axis(panel.along, longest)
    for index, record in enumerate(records):
        places, values = panel_series(record.log, panel)
        if not len(places):
            continue
        places = places / unit
        colour, dash = theme.lines[index % len(theme.lines)], DASHES[index // len(theme.lines) % len(DASHES)]
        centres, low, mean, high = bin_series(places, values)
        smoothed = smooth(mean, SMOOTHING)
        few = len(places) <= SPARSE
        if not few:
            axes.fill_between(centres, smooth(low, SMOOTHING), smooth(high, SMOOTHING), color=colour, alpha=0.1, lw=0)
        axes.plot(centres, smoothed, color=colour, lw=1.8, ls=dash, marker="o" if few else "", ms=3.5)
        extent += [smoothed.min(), smoothed.max(), *np.quantile(values, (0.02, 0.98))]
        lowest = record.log.lowest(panel.column) if panel.mark_lowest else None
        if lowest is not None:
            place = places[int(np.abs(values - lowest[1]).argmin())]
            axes.plot([place], [lowest[1]], "o", color=colour, ms=10, mfc="none", mec=colour, mew=1.6, clip_on=False)
            extent.append(lowest[1])
    style_axes(axes, theme, panel.title, x_label=name, y_label=panel.unit, title_size=10.5)
    set_y_scale(axes, min(extent), max(extent))
    if panel.unit == "%":
        format_percent(axes.yaxis)
    axes.set_xlim(0, longest / unit * 1.02 or 1)
    set_ticks(axes.xaxis)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: f"{place:,g}"))


def _axis(along: Along, longest: float) -> tuple[str, float]:
    """Return the label of the x axis, and its unit in images or seconds."""
    if along == "seconds":
        return ("hours of training", 3600) if longest >= 3600 else ("minutes of training", 60)
    return ("images shown", 1) if longest < 20_000 else ("thousands of images shown", 1000)
