"""Training curves of one run: losses, discriminator accuracy, diversity ratio and scores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from impasto.config.types import Values
from impasto.errors import ImpastoError
from impasto.metrics.base import better
from impasto.metrics.results import DECIDING_METRIC
from impasto.reports.figure_style import Theme, add_legend, format_percent, new_figure, set_y_scale, style_axes
from impasto.reports.run_log import Log
from impasto.reports.run_record import RunRecord
from impasto.reports.smoothing import bin_series, smooth

SPARSE = 40
"""Quantities logged at no more steps than this are drawn with a marker at each."""

TOTALS = ("loss_generator", "loss_discriminator", "loss_discriminator_back")
"""Total losses; every other loss is a term of the generator's."""

REVERSE = "_back"
"""Suffix of quantities of a cycle-consistent method's reverse direction."""

LOG_SCALE_RATIO = 10
"""Ratio of medians above which lines share a logarithmic axis."""


@dataclass(frozen=True)
class Line:
    """One quantity of the log and its name in the legend."""

    column: str
    label: str

    @property
    def reverse(self) -> bool:
        """Whether it belongs to the reverse direction: drawn dashed, in the colour of the forward one."""
        return self.column.endswith(REVERSE)


@dataclass(frozen=True)
class Panel:
    """Quantities that share an axis."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    shown: tuple[float, ...] = ()
    """Values that the axis always includes."""
    reference: tuple[float, str] | None = None
    """A value to compare with, and its meaning."""
    mark: tuple[int, float, str] | None = None
    """Step, value and name of a circled point."""
    log: bool = False
    """Whether the axis may be logarithmic."""

    def logged(self, log: Log) -> bool:
        """Whether a log holds any of the lines."""
        return any(len(log.series(line.column)[0]) for line in self.lines)


def draw_curves(record: RunRecord, theme: Theme) -> Figure:
    """Draw every curve of a log, one panel above the other over the same steps.

    Raises:
        ValueError: the log has no step yet.
        ImpastoError: it holds none of the quantities that a training logs.
    """
    log = record.log
    if not len(log):
        raise ValueError("there is nothing to draw: the log has no step yet")
    panels = [panel for panel in _panels(record) if panel.logged(log)]
    if not panels:
        raise ImpastoError(f"{record.folder / 'log.jsonl'} holds no losses, it is damaged: delete it and report again.")
    figure = new_figure(theme, 9, 0.7 + 2.5 * len(panels))
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        _draw(axes, panel, log, theme)
        _mark_events(axes, log, theme)
    _number_events(grid[0, 0], log, theme)
    _label_steps(grid[-1, 0], log, theme)
    return figure


def _panels(record: RunRecord) -> Iterator[Panel]:
    log, target = record.log, record.target
    for title, names in group_losses(log).items():
        yield Panel(title, "loss", tuple(Line(name, loss_name(name)) for name in names), log=True)
    yield Panel(
        "Discriminator accuracy",
        "accuracy, %",
        (
            Line("accuracy_fake", "fakes"),
            Line("accuracy_real", f"training {target}"),
            Line("accuracy_heldout", f"held-out {target}"),
        ),
        shown=(0, 1),
        reference=(0.5, "chance"),
    )
    yield Panel(
        "Diversity ratio (pixel standard deviation, fakes / reals)",
        "ratio",
        (Line("diversity_ratio", "diversity ratio"),),
        shown=(0,),
        reference=(1, f"as diverse as the real {target}"),
    )
    for name in log.scores:  # one panel each: other networks or counts are not comparable
        yield Panel(
            name, f"{better(DECIDING_METRIC)} is better", (Line(name, name),), shown=(0,), mark=_mark(record, name)
        )


def _mark(record: RunRecord, score: str) -> tuple[int, float, str] | None:
    """Return where to circle a score: at the best style, or at the lowest value if that is not known."""
    chosen = record.facts.best
    value = None if chosen is None else record.log.at(score, chosen.step)
    if chosen is not None and value is not None:
        return chosen.step, value, "best style"
    lowest = record.log.lowest(score)
    return lowest and (*lowest, "lowest")


def group_losses(log: Log) -> dict[str, list[str]]:
    """Return the losses of a log by panel: totals, the generator's adversarial terms, and its other terms.

    Terms differ in sign and scale. The only adversarial loss is the total already.
    """
    names = [name for name in log.columns if name.startswith("loss_")]
    terms = [name for name in names if name not in TOTALS]
    adversarial = [name for name in terms if name.removesuffix(REVERSE) == "loss_adversarial"]
    others = sorted((name for name in terms if name not in adversarial), key=lambda name: name.removesuffix(REVERSE))
    groups = {
        "Total losses": [name for name in TOTALS if name in names],
        "Generator: adversarial loss": adversarial if others or len(adversarial) > 1 else [],
        "Generator: other loss terms, unweighted": others,
    }
    return {title: found for title, found in groups.items() if found}


def loss_name(column: str) -> str:
    """Return the name of a loss in a legend: ``cycle (reverse)`` for ``loss_cycle_back``."""
    name = column.removeprefix("loss_").removesuffix(REVERSE).replace("_", " ")
    return f"{name} (reverse)" if column.endswith(REVERSE) else name


def _draw(axes: Axes, panel: Panel, log: Log, theme: Theme) -> None:
    """Draw raw values pale, a smoothed line over them, and the panel's axis."""
    extent = [*panel.shown]
    columns = dict.fromkeys(line.column.removesuffix(REVERSE) for line in panel.lines)
    colours = dict(zip(columns, cycle(theme.lines), strict=False))
    for line in panel.lines:
        steps, values = log.series(line.column)
        if not len(steps):
            continue
        colour = colours[line.column.removesuffix(REVERSE)]
        centres, low, mean, high = bin_series(steps, values)
        smoothed = smooth(mean)
        marker = "o" if len(steps) <= SPARSE else ""
        extremes = np.stack([low, high], axis=1).ravel()
        axes.plot(np.repeat(centres, 2), extremes, color=colour, lw=0.6, alpha=0.3)
        style = (0, (3, 1.5)) if line.reverse else "-"
        axes.plot(centres, smoothed, color=colour, lw=1.8, ls=style, marker=marker, ms=3.5, label=line.label)
        extent += [*np.quantile(values, (0.005, 0.995)), smoothed.min(), smoothed.max()]
    if panel.reference is not None:
        value, meaning = panel.reference
        axes.axhline(value, color=theme.faint, lw=1, ls=(0, (4, 3)), zorder=0)
        axes.annotate(
            meaning, (0, value), (5, -3), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
            va="top", fontsize=8, color=theme.ink, alpha=0.75,
        )  # fmt: skip
        extent.append(value)
    if panel.mark is not None:
        _circle(axes, *panel.mark, theme, right=panel.mark[0] < log.columns["step"][-1] / 2)
        extent.append(panel.mark[1])
    style_axes(axes, theme, panel.title, y_label=panel.unit)
    logarithmic = panel.log and needs_log_scale([log.series(line.column)[1] for line in panel.lines])
    set_y_scale(axes, min(extent), max(extent), log=logarithmic)
    if "%" in panel.unit:
        format_percent(axes.yaxis)
    if len(panel.lines) > 1:
        add_legend(axes, theme, len(panel.lines))


def needs_log_scale(lines: Sequence[Values]) -> bool:
    """Whether lines, each (N,), are positive and too far apart for one linear axis."""
    medians = [float(np.median(values)) for values in lines if len(values)]
    positive = all(values.min() > 0 for values in lines if len(values))
    return len(medians) > 1 and positive and max(medians) > LOG_SCALE_RATIO * min(medians)


def _circle(axes: Axes, step: int, value: float, name: str, theme: Theme, right: bool) -> None:
    """Circle a score and write it above, to the right or to the left."""
    axes.plot([step], [value], "o", ms=10, mfc="none", mec=theme.ink, mew=1.4, zorder=4, clip_on=False)
    axes.annotate(
        f"{name}: {value:.3g}", (step, value), (0, 14), textcoords="offset points",
        ha="left" if right else "right", va="bottom", fontsize=9, color=theme.ink,
    )  # fmt: skip


def _mark_events(axes: Axes, log: Log, theme: Theme) -> None:
    for event in log.events:
        axes.axvline(event.step, color=theme.ink, lw=0.8, ls=":", alpha=0.7, zorder=0)


def _number_events(axes: Axes, log: Log, theme: Theme) -> None:
    """Number the events as in the page's list; of close ones only the first."""
    span = float(log.columns["step"][-1]) or 1.0
    last = -span
    for number, event in enumerate(log.events, start=1):
        if event.step - last < 0.02 * span:
            continue
        last = event.step
        axes.annotate(
            str(number), (event.step, 1), (2, -2), xycoords=axes.get_xaxis_transform(),
            textcoords="offset points", va="top", fontsize=8, color=theme.ink,
        )  # fmt: skip


def _label_steps(axes: Axes, log: Log, theme: Theme) -> None:
    per_step = np.diff(log.columns["pictures"])
    same = len(per_step) > 0 and per_step.min() == per_step.max()
    unit = f"step ({per_step[0]:,.0f} images each)" if same else "step"
    axes.set_xlabel(unit, fontsize=9, color=theme.ink)
    axes.set_xlim(0, max(log.columns["step"][-1], 1))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
