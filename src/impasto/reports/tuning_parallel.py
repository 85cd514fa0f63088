"""Parallel coordinates of a study: one vertical axis for each setting, one line for each trial."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator

from impasto.config.search_space import Choice, Range
from impasto.reports.figure_style import DARK, Theme, new_figure
from impasto.reports.tuning_results import Trial, Tuning, format_setting, position_in_range

LOG_RATIO = 3
"""Ratio of the highest to the lowest value from which values are drawn on a log scale."""

MANY = 30
"""Number of trials from which lines are thinner."""

JITTER = 0.06
"""Spacing of lines through the same choice, as a share of the axis, so that they can be told apart."""

Colour = tuple[float, float, float, float]


@dataclass(frozen=True)
class Axis:
    """One vertical axis: the position of each trial, 0…1 or None, and the ticks with their labels."""

    name: str
    positions: list[float | None]
    ticks: list[tuple[float, str]]
    categorical: bool = False

    @classmethod
    def of_setting(cls, name: str, space: Range | Choice, trials: Sequence[Trial]) -> "Axis":
        """Return the axis of a setting; it is extended to the baseline's value if that is outside of the space."""
        given = [trial.settings.get(name) for trial in trials]
        if isinstance(space, Choice):
            values = [*space.choices, *(value for value in given if value is not None)]
            labels = list(dict.fromkeys(map(format_setting, values)))
            heights = np.linspace(JITTER / 2, 1 - JITTER / 2, len(labels)) if len(labels) > 1 else np.array([0.5])
            height = dict(zip(labels, map(float, heights), strict=True))
            positions = [None if value is None else height[format_setting(value)] for value in given]
            return cls(name, positions, [(place, label) for label, place in height.items()], True)
        raw = [position_in_range(space, value) if isinstance(value, int | float) else None for value in given]
        finite = [position for position in raw if position is not None and math.isfinite(position)]
        low, high = min([0.0, *finite]), max([1.0, *finite])
        ticks = [(position_in_range(space, tick), format_setting(tick)) for tick in _round_ticks(space, low, high)]
        return cls(
            name,
            [None if position is None else (max(position, low) - low) / (high - low) for position in raw],
            [((position - low) / (high - low), label) for position, label in ticks],
        )

    @classmethod
    def of_objective(cls, name: str, values: Sequence[float | None]) -> "Axis":
        """Return the axis of an objective."""
        known = [value for value in values if value is not None]
        low, high = min(known), max(known)
        if low == high:
            return cls(name, [None if value is None else 0.5 for value in values], [(0.5, f"{low:.3g}")])
        space = Range(low=low, high=high, log=needs_log_scale(known))
        positions = [None if value is None else position_in_range(space, value) for value in values]
        ticks = [(position_in_range(space, tick), f"{tick:.3g}") for tick in _round_ticks(space, 0, 1)]
        return cls(name, positions, ticks)


def parallel(study: Tuning, theme: Theme) -> Figure:
    """Draw a line for each trial through its first objective and its settings, the most important first."""
    shares = dict(study.ranked_importance)
    names = sorted(study.space, key=lambda name: -shares.get(name, 0.0))
    trials = [*study.pruned, *study.complete[::-1]]
    values = [trial.values[0] if trial.values else None for trial in trials]
    columns = [Axis.of_setting(name, study.space[name], trials) for name in names]
    if study.complete:
        columns.insert(0, Axis.of_objective(study.objectives[0], values))
    figure = new_figure(theme, max(9.0, 1.25 * len(columns) + 1), 5.2)
    axes = figure.subplots()
    axes.set_facecolor(theme.paper)
    axes.set_axis_off()
    colour_of = _colours([value for value in values if value is not None], theme)
    thin, random = line_width(1.5, study.complete), np.random.default_rng(0)
    for index, trial in enumerate(trials):
        jitter = float(random.uniform(-JITTER, JITTER)) / 2
        points = [
            (place, position + jitter * column.categorical)
            for place, column in enumerate(columns)
            if (position := column.positions[index]) is not None
        ]
        best = trial.number in study.best and trial.state == "complete"
        width, alpha = (0.9, 0.5) if not trial.values else (3.4, 1) if best else (thin, 0.85)
        axes.plot(
            *zip(*points, strict=True), color=colour_of(trial.values[0]) if trial.values else theme.faint, lw=width,
            alpha=alpha, zorder=4 if best else 2, solid_capstyle="round",
            path_effects=[withStroke(linewidth=6, foreground=theme.paper)] if best else None,
        )  # fmt: skip
    for place, column in enumerate(columns):
        axes.plot([place, place], [0, 1], color=theme.ink, lw=1, zorder=3, alpha=0.8)
        axes.text(
            place, 1.05, _wrap(column.name), ha="center", va="bottom", fontsize=9, fontweight="bold", color=theme.ink,
            parse_math=False,
        )  # fmt: skip
        for position, label in column.ticks:
            axes.plot([place, place + 0.04], [position, position], color=theme.ink, lw=1, zorder=3, alpha=0.8)
            axes.text(
                place + 0.07, position, label, va="center", fontsize=8.5, color=theme.ink, zorder=6, parse_math=False,
                path_effects=[withStroke(linewidth=3, foreground=theme.paper)],
            )  # fmt: skip
    axes.set_xlim(-0.25, len(columns) - 0.45)
    axes.set_ylim(-0.03, 1.18)
    return figure


def needs_log_scale(values: Sequence[float]) -> bool:
    """Return whether positive values differ so much that the best would overlap on a linear scale."""
    return min(values) > 0 and max(values) > LOG_RATIO * min(values)


def line_width(width: float, trials: Sequence[Trial]) -> float:
    """Return ``width``, reduced if there are many trials."""
    return width * min(1.0, max(0.4, math.sqrt(MANY / max(len(trials), 1))))


def _round_ticks(space: Range, low: float, high: float) -> list[float]:
    """Return round values of a range between two positions; the ends if there are no two round values."""
    if space.log:
        ends = [space.low * (space.high / space.low) ** position for position in (low, high)]
        wide = ends[1] / ends[0] > 30
        ticks = LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)).tick_values(*ends)
    else:
        ends = [space.low + (space.high - space.low) * position for position in (low, high)]
        integer = isinstance(space.low, int) and isinstance(space.high, int)
        ticks = MaxNLocator(5, integer=integer).tick_values(*ends)
    tolerance = 1e-9 * abs(ends[1] - ends[0])  # rounding may put the ends themselves outside
    inside = [float(f"{tick:.12g}") for tick in ticks if ends[0] - tolerance <= tick <= ends[1] + tolerance]
    return inside if len(inside) > 1 else ends


def _colours(values: Sequence[float], theme: Theme) -> Callable[[float], Colour]:
    """Return a map from objectives to colours (viridis), in which the best has the highest contrast to the paper."""
    if not values:
        return lambda value: (0.0, 0.0, 0.0, 1.0)
    low, high = min(values), max(values)
    norm = (LogNorm if needs_log_scale(values) else Normalize)(low, high if high > low else low + abs(low) + 1)
    first, last = (1.0, 0.25) if theme == DARK else (0.0, 0.88)
    return lambda value: colormaps["viridis"](first + (last - first) * float(norm(value)))


def _wrap(name: str) -> str:
    """Return a dotted name in several lines, for a narrow column."""
    return name.replace(".", ".\n").replace("[", "\n[")
