"""The curves of a training: losses, the discriminator's accuracy, the spread of the fakes, the score."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from impasto.config.types import Values
from impasto.reports.figure_style import Theme, add_legend, format_percent, new_figure, set_y_scale, style_axes
from impasto.reports.run_record import Log, RunRecord

BINS = 600
"""Points of a line: no screen shows more, and 100,000 steps are drawn as quickly as 1,000."""

SMOOTHING = 0.012
"""Standard deviation of the smoothing, as a share of the line's length."""

SPARSE = 40
"""Measures taken at no more steps than this are drawn with a dot at each."""

TOTALS = ("loss_generator", "loss_discriminator", "loss_discriminator_back")
"""What the networks lower; every other loss is a part of the generator's."""

BACK = "_back"
"""How the names of measures end that belong to the way back, from paintings to photos."""

APART = 10
"""Lines whose medians differ by more than this factor cannot be read on one linear axis."""


@dataclass(frozen=True)
class Line:
    """One measure of the log, and what it is called in the legend."""

    measure: str
    label: str

    @property
    def back(self) -> bool:
        """Whether it is measured on the way back, from paintings to photos: drawn as the way there, but dashed."""
        return self.measure.endswith(BACK)


@dataclass(frozen=True)
class Panel:
    """Measures that share an axis."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    shown: tuple[float, ...] = ()
    """Values that the axis takes in, whatever was measured."""
    reference: tuple[float, str] | None = None
    """A value to compare with, and what it means."""
    chosen: tuple[int, float] | None = None
    """Step and value of the best style."""
    ratios: bool = False
    """Whether the axis may be logarithmic, where the lines lie far apart and are all above 0."""

    def measured(self, log: Log) -> bool:
        """Whether a log holds any of it."""
        return any(len(log.measured(line.measure)[0]) for line in self.lines)


def figure(record: RunRecord, theme: Theme) -> Figure:
    """Draws every curve that a log holds, one panel above the other over the same steps.

    Raises:
        ValueError: the log has no step yet.
    """
    log = record.log
    if not len(log):
        raise ValueError("there is nothing to draw: the log has no step yet")
    panels = [panel for panel in _panels(record) if panel.measured(log)]
    drawn = new_figure(theme, 9, 0.7 + 2.5 * len(panels))
    grid = drawn.subplots(len(panels), 1, sharex=True, squeeze=False)
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        _draw(axes, panel, log, theme)
        _mark_events(axes, log, theme)
    _name_events(grid[0, 0], log, theme)
    _label_steps(grid[-1, 0], log, theme)
    return drawn


def _panels(record: RunRecord) -> tuple[Panel, ...]:
    log = record.log
    return (
        *(
            Panel(title, "loss", tuple(Line(name, loss_name(name)) for name in names), ratios=True)
            for title, names in losses(log).items()
        ),
        Panel(
            "Does the discriminator tell real from fake?",
            "recognised, %",
            (
                Line("accuracy_fake", "fakes"),
                Line("accuracy_real", "training paintings"),
                Line("accuracy_heldout", "held-out paintings"),
            ),
            shown=(0, 1),
            reference=(0.5, "guessing"),
        ),
        Panel(
            "Spread of the fakes",
            "relative to real",
            (Line("diversity_ratio", "diversity_ratio"),),
            shown=(0,),
            reference=(1, "as varied as the real paintings"),
        ),
        *(
            # One panel each: distances through two networks, or of other counts, have nothing in common.
            Panel(
                f"Distance from the real paintings: {name}",
                "lower is better",
                (Line(name, "distance"),),
                shown=(0,),
                chosen=record.chosen(name),
            )
            for name in log.kids
        ),
    )


def losses(log: Log) -> dict[str, list[str]]:
    """The losses of a log by what they are: the totals, the adversarial part of the generator's, its other parts.

    A part has a sign and a scale of its own. An adversarial loss that is all there is is the total already.
    """
    names = [name for name in log.columns if name.startswith("loss_")]
    parts = [name for name in names if name not in TOTALS]
    fooling = [name for name in parts if name.removesuffix(BACK) == "loss_adversarial"]
    others = sorted((name for name in parts if name not in fooling), key=lambda name: name.removesuffix(BACK))
    kinds = {
        "Losses": [name for name in TOTALS if name in names],
        "The generator's adversarial loss": fooling if others or BACK in "".join(fooling) else [],
        "What else it lowers, unweighted": others,
    }
    return {kind: found for kind, found in kinds.items() if found}


def loss_name(measure: str) -> str:
    """What a loss is called: ``cycle back`` for ``loss_cycle_back``."""
    return measure.removeprefix("loss_").replace("_", " ")


def _draw(axes: Axes, panel: Panel, log: Log, theme: Theme) -> None:
    """The raw values lightly, a smoothed line over them, and the panel's axis."""
    extent = [*panel.shown]
    measures = dict.fromkeys(line.measure.removesuffix(BACK) for line in panel.lines)
    colours = dict(zip(measures, cycle(theme.lines), strict=False))
    for line in panel.lines:
        steps, values = log.measured(line.measure)
        if not len(steps):
            continue
        colour = colours[line.measure.removesuffix(BACK)]
        centres, low, mean, high = condense(steps, values)
        smoothed = smooth(mean)
        marker = "o" if len(steps) <= SPARSE else ""
        extremes = np.stack([low, high], axis=1).ravel()
        axes.plot(np.repeat(centres, 2), extremes, color=colour, lw=0.6, alpha=0.3)
        style = (0, (3, 1.5)) if line.back else "-"
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
    if panel.chosen is not None:
        extent.append(_mark_chosen(axes, *panel.chosen, theme))
    style_axes(axes, theme, panel.title, y_label=panel.unit)
    logarithmic = panel.ratios and far_apart([log.measured(line.measure)[1] for line in panel.lines])
    set_y_scale(axes, min(extent), max(extent), log=logarithmic)
    if "%" in panel.unit:
        format_percent(axes.yaxis)
    if len(panel.lines) > 1:
        add_legend(axes, theme, len(panel.lines))


def far_apart(lines: Sequence[Values]) -> bool:
    """Whether lines, each (N,), lie too far apart for one linear axis, and all above 0."""
    medians = [float(np.median(values)) for values in lines if len(values)]
    above = all(values.min() > 0 for values in lines if len(values))
    return len(medians) > 1 and above and max(medians) > APART * min(medians)


def _mark_chosen(axes: Axes, step: int, value: float, theme: Theme) -> float:
    """Circles the best style's score and writes it above, towards the middle; returns the score."""
    axes.plot([step], [value], "o", ms=10, mfc="none", mec=theme.ink, mew=1.4, zorder=4, clip_on=False)
    axes.annotate(
        f"best: {value:.3g}", (step, value), (0, 14), textcoords="offset points",
        ha="right", va="bottom", fontsize=9, color=theme.ink,
    )  # fmt: skip
    return value


def _mark_events(axes: Axes, log: Log, theme: Theme) -> None:
    for event in log.events:
        axes.axvline(event.step, color=theme.ink, lw=0.8, ls=":", alpha=0.7, zorder=0)


def _name_events(axes: Axes, log: Log, theme: Theme) -> None:
    """Numbers the events as the page lists them; where two are close, only the first has its number."""
    span = float(log.columns["step"][-1]) or 1.0
    named = -span
    for number, event in enumerate(log.events, start=1):
        if event.step - named < 0.02 * span:
            continue
        named = event.step
        axes.annotate(
            str(number), (event.step, 1), (2, -2), xycoords=axes.get_xaxis_transform(),
            textcoords="offset points", va="top", fontsize=8, color=theme.ink,
        )  # fmt: skip


def _label_steps(axes: Axes, log: Log, theme: Theme) -> None:
    per_step = np.diff(log.columns["pictures"])
    same = len(per_step) > 0 and per_step.min() == per_step.max()
    unit = f"step ({per_step[0]:,.0f} pictures each)" if same else "step"
    axes.set_xlabel(unit, fontsize=9, color=theme.ink)
    axes.set_xlim(0, max(log.columns["step"][-1], 1))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))


def condense(steps: Values, values: Values, bins: int = BINS) -> tuple[Values, Values, Values, Values]:
    """Shares a line out to at most ``bins`` bins of equally many points.

    Args:
        steps, values: (N,), N > 0, finite.

    Returns:
        The mean step, and the lowest, mean and highest value of each bin: four arrays of (min(N, bins),).
    """
    starts = np.arange(min(len(steps), bins)) * len(steps) // min(len(steps), bins)
    counts = np.diff(starts, append=len(steps))
    return (
        np.add.reduceat(steps, starts) / counts,
        np.minimum.reduceat(values, starts),
        np.add.reduceat(values, starts) / counts,
        np.maximum.reduceat(values, starts),
    )


def smooth(values: Values, share: float = SMOOTHING) -> Values:
    """The Gaussian moving average of (N,), its deviation a share of N; at the ends over what there is."""
    deviation = share * len(values)
    if deviation < 1:
        return values
    offsets = np.arange(-int(3 * deviation), int(3 * deviation) + 1)
    kernel = np.exp(-0.5 * (offsets / deviation) ** 2)
    weights = np.convolve(np.ones_like(values), kernel, mode="same")
    smoothed: Values = np.convolve(values, kernel, mode="same") / weights
    return smoothed
