"""What a search over settings looks like: its history, which settings matter, and what pruning saved."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator

from impasto.config.settings import Choice, Range
from impasto.reports.figure_style import DARK, Theme, add_legend, format_percent, new_figure, set_y_scale, style_axes
from impasto.reports.tuning_results import Trial, Tuning, said, within

APART = 3
"""Values of which the highest is more than this many times the lowest are drawn by their logarithms: the best lie
close together, and it is they that are to be told apart."""

MANY = 30
"""Of more trials than this the lines are thinner."""

SPREAD = 0.06
"""How far lines through one choice are spread apart, as a share of the axis: else many would look like one."""

Draw = Callable[[Tuning, Theme], Figure]


def figures(found: Tuning) -> dict[str, Draw]:
    """The figures for which there is something to draw, by the names of their files."""
    known = bool(found.complete) or any(trial.seen for trial in found.pruned)
    worth = {
        "history": known,
        "importance": bool(found.ranked),
        "parallel": known and bool(found.space),
        "halving": any(trial.seen for trial in (*found.complete, *found.pruned, *found.of("running"))),
        "pareto": len(found.objectives) == 2 and bool(found.complete),
    }
    return {name: draw for name, draw in FIGURES.items() if worth[name]}


def history(found: Tuning, theme: Theme) -> Figure:
    """The objectives by the number of the trial, one panel each, and the best so far.

    Pruned trials stand at the value of their last look, in the panel of the first objective.
    """
    count = len(found.objectives)
    figure = new_figure(theme, 9, 0.5 + 3.4 * count)
    grid = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for index, (axes, name) in enumerate(zip(grid, found.objectives, strict=True)):
        trials = sorted(found.complete, key=lambda trial: trial.number)
        places, values = [trial.number for trial in trials], [trial.values[index] for trial in trials]
        pruned = [] if index else [trial for trial in found.of("pruned") if trial.last is not None]
        lasts = [trial.last for trial in pruned if trial.last is not None]
        if values:
            axes.scatter(places, values, s=34, color=theme.lines[0], lw=0, zorder=3, label="complete")
        if pruned:
            axes.scatter(
                [trial.number for trial in pruned], lasts, s=30, marker="x", lw=1.4, color=theme.lines[1],
                zorder=3, label="pruned, at its last look",
            )  # fmt: skip
        failed = found.of("failed")
        if failed:
            axes.scatter(
                [trial.number for trial in failed], [0.02] * len(failed), s=34, marker="v", color=theme.faint, lw=0,
                transform=axes.get_xaxis_transform(), label="failed", clip_on=False,
            )  # fmt: skip
        if values:
            end = max(trial.number for trial in found.trials)
            lowest = np.minimum.accumulate(values)
            axes.step(
                [*places, end], [*lowest, lowest[-1]], where="post", lw=1.6, color=theme.lines[0], alpha=0.7,
                label="best so far",
            )  # fmt: skip
            place = places[int(np.argmin(values))]
            _ring(axes, place, min(values), place / max(end, 1), theme)
        own = found.own
        if own is not None and own in found.complete:
            axes.axhline(own.values[index], color=theme.ink, lw=1, ls=(0, (4, 3)), alpha=0.6, zorder=1)
            axes.annotate(
                "the recipe's own settings", (1, own.values[index]), (-4, 4), xycoords=axes.get_yaxis_transform(),
                textcoords="offset points", ha="right", fontsize=8.5, color=theme.ink,
                path_effects=[withStroke(linewidth=3, foreground=theme.paper)], zorder=5,
            )  # fmt: skip
        style_axes(axes, theme, name, y_label="lower is better")
        _scale(axes, [*values, *lasts])
        add_legend(axes, theme, 4)
    numbers = [trial.number for trial in found.trials]
    grid[-1].set_xlim(min(numbers) - 0.6, max(numbers) + 0.6)
    grid[-1].set_xlabel("trial", fontsize=9, color=theme.ink)
    grid[-1].xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
    return figure


def importance(found: Tuning, theme: Theme) -> Figure:
    """A bar for each setting: its share in how much the first look varies."""
    ranked = found.ranked[::-1]
    figure = new_figure(theme, 9, 0.9 + 0.36 * len(ranked))
    axes = figure.subplots()
    shares = [share for _, share in ranked]
    axes.barh(range(len(ranked)), shares, height=0.62, color=theme.lines[0])
    for place, share in enumerate(shares):
        axes.annotate(
            f"{100 * share:.0f} %", (max(share, 0), place), (5, 0), textcoords="offset points", va="center",
            fontsize=9, color=theme.ink,
        )  # fmt: skip
    style_axes(axes, theme, f"Share in how much {found.objectives[0]} varies at the first look", y_label="")
    axes.grid(visible=False)
    axes.set_yticks(range(len(ranked)), [name for name, _ in ranked], parse_math=False)
    axes.tick_params(axis="y", length=0, labelsize=9.5)
    axes.set_xlim(0, 1.08 * max(*shares, 1e-9))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    return figure


@dataclass(frozen=True)
class Rail:
    """One upright axis of the parallel coordinates: where each trial lies on it, 0…1 or None, and what is written."""

    name: str
    places: list[float | None]
    ticks: list[tuple[float, str]]
    choices: bool = False

    @classmethod
    def of(cls, name: str, space: Range | Choice, trials: Sequence[Trial]) -> "Rail":
        """The axis of a setting. It takes in values outside of what was searched: the recipe's own may be."""
        given = [trial.settings.get(name) for trial in trials]
        if isinstance(space, Choice):
            texts = list(
                dict.fromkeys([*map(said, space.choices), *(said(each) for each in given if each is not None)])
            )
            heights = np.linspace(SPREAD / 2, 1 - SPREAD / 2, len(texts)) if len(texts) > 1 else np.array([0.5])
            where = dict(zip(texts, map(float, heights), strict=True))
            ticks = [(place, text) for text, place in where.items()]
            return cls(name, [None if each is None else where[said(each)] for each in given], ticks, True)
        raw = [within(space, each) if isinstance(each, int | float) else None for each in given]
        known = [place for place in raw if place is not None and math.isfinite(place)]
        low, high = min([0.0, *known]), max([1.0, *known])
        ticks = [(within(space, each), said(each)) for each in _round(space, low, high)]
        return cls(
            name,
            [None if place is None else (max(place, low) - low) / (high - low) for place in raw],
            [((place - low) / (high - low), text) for place, text in ticks],
        )

    @classmethod
    def measured(cls, name: str, values: Sequence[float | None]) -> "Rail":
        """The axis of an objective."""
        known = [value for value in values if value is not None]
        low, high = min(known), max(known)
        if low == high:
            return cls(name, [None if value is None else 0.5 for value in values], [(0.5, f"{low:.3g}")])
        space = Range(low=low, high=high, log=_ratios(known))
        places = [None if value is None else within(space, value) for value in values]
        return cls(name, places, [(within(space, each), f"{each:.3g}") for each in _round(space, 0, 1)])


def parallel(found: Tuning, theme: Theme) -> Figure:
    """A line for each trial from its first objective through its settings, the most important first."""
    shares = dict(found.ranked)
    names = sorted(found.space, key=lambda name: -shares.get(name, 0.0))
    trials = [*found.pruned, *found.complete[::-1]]
    values = [trial.values[0] if trial.values else None for trial in trials]
    rails = [Rail.of(name, found.space[name], trials) for name in names]
    if found.complete:
        rails.insert(0, Rail.measured(found.objectives[0], values))
    figure = new_figure(theme, max(9.0, 1.25 * len(rails) + 1), 5.2)
    axes = figure.subplots()
    axes.set_facecolor(theme.paper)
    axes.set_axis_off()
    colours = _colours([value for value in values if value is not None], theme)
    thin, random = _thin(1.5, found.complete), np.random.default_rng(0)
    for index, trial in enumerate(trials):
        shift = float(random.uniform(-SPREAD, SPREAD)) / 2
        points = [
            (column, place + shift * rail.choices)
            for column, rail in enumerate(rails)
            if (place := rail.places[index]) is not None
        ]
        best = trial.number in found.best and trial.state == "complete"
        width, alpha = (0.9, 0.5) if not trial.values else (3.4, 1) if best else (thin, 0.85)
        axes.plot(
            *zip(*points, strict=True), color=colours(trial.values[0]) if trial.values else theme.faint, lw=width,
            alpha=alpha, zorder=4 if best else 2, solid_capstyle="round",
            path_effects=[withStroke(linewidth=6, foreground=theme.paper)] if best else None,
        )  # fmt: skip
    for column, rail in enumerate(rails):
        axes.plot([column, column], [0, 1], color=theme.ink, lw=1, zorder=3, alpha=0.8)
        axes.text(
            column, 1.05, _broken(rail.name), ha="center", va="bottom", fontsize=9, fontweight="bold", color=theme.ink,
            parse_math=False,
        )  # fmt: skip
        for place, text in rail.ticks:
            axes.plot([column, column + 0.04], [place, place], color=theme.ink, lw=1, zorder=3, alpha=0.8)
            axes.text(
                column + 0.07, place, text, va="center", fontsize=8.5, color=theme.ink, zorder=6, parse_math=False,
                path_effects=[withStroke(linewidth=3, foreground=theme.paper)],
            )  # fmt: skip
    axes.set_xlim(-0.25, len(rails) - 0.45)
    axes.set_ylim(-0.03, 1.18)
    return figure


def halving(found: Tuning, theme: Theme) -> Figure:
    """What the trials scored on the way, by the share of the budget, and how many were left."""
    figure = new_figure(theme, 9, 5.6)
    looks, left = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    trials = [*found.pruned, *found.of("running"), *found.complete[::-1]]
    ways = {trial.number: _way(trial) for trial in trials}
    thin = _thin(1.3, trials)
    for trial in trials:
        way = ways[trial.number]
        if not way:
            continue
        shares, values = zip(*way, strict=True)
        best = trial.number in found.best and trial.state == "complete"
        colour = {"complete": theme.lines[0], "pruned": theme.lines[1]}.get(trial.state, theme.faint)
        looks.plot(
            shares, values, color=colour, lw=3 if best else thin, alpha=1 if best else 0.6, zorder=4 if best else 2,
            marker="o", ms=4 if best else 2.6, clip_on=False,
        )  # fmt: skip
        if trial.state == "pruned":
            looks.plot(shares[-1:], values[-1:], "x", color=colour, ms=7, mew=1.6, zorder=5)
    marks = {"complete": (theme.lines[0], "o"), "pruned": (theme.lines[1], "x"), "running": (theme.faint, "o")}
    for state, (colour, marker) in marks.items():
        if any(trial.state == state for trial in trials):
            looks.plot([], [], color=colour, marker=marker, lw=1.5, ms=5, label=state)
    if found.winner is not None:
        looks.plot([], [], color=theme.lines[0], lw=3.4, label="the best")
    style_axes(looks, theme, f"{found.objectives[0]} on the way", y_label="lower is better")
    _scale(looks, [value for way in ways.values() for _, value in way])
    add_legend(looks, theme, 4)
    ends = [ways[trial.number][-1][0] for trial in (*found.pruned, *found.complete) if ways[trial.number]]
    if ends:
        steps = [0.0, *sorted(set(ends))]
        # Those that reach the end are there until it: the last step is drawn level.
        counts = [sum(end > share for end in ends) for share in steps[:-1]]
        left.stairs(counts, steps, fill=True, color=theme.lines[0], alpha=0.3)
        left.stairs(counts, steps, color=theme.lines[0], lw=1.6)
    style_axes(left, theme, "Trials that went so far", y_label="trials")
    left.set_ylim(bottom=0)
    left.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    left.set_xlim(0, 1)
    format_percent(left.xaxis, " %")
    budget = "a trial's budget" if found.seeds == 1 else "the budget of a trial's first seed"
    left.set_xlabel(f"share of {budget}", fontsize=9, color=theme.ink)
    return figure


def pareto(found: Tuning, theme: Theme) -> Figure:
    """Two objectives against each other, the trials named that no other beats in both."""
    figure = new_figure(theme, 9, 5.4)
    axes = figure.subplots()
    front = found.front
    beaten = [trial for trial in found.complete if trial not in front]
    if front:
        axes.step(*_columns(front), where="post", color=theme.lines[0], lw=1.2, alpha=0.6)
        axes.scatter(*_columns(front), s=70, color=theme.lines[0], lw=0, zorder=3, label="on the front")
    if beaten:
        axes.scatter(*_columns(beaten), s=34, color=theme.faint, lw=0, label="behind it")
    if found.own is not None and found.own in found.complete:
        axes.scatter(
            *_columns([found.own]), s=190, facecolors="none", edgecolors=theme.lines[1], lw=1.8, marker="D", zorder=4,
            label="the recipe's own settings",
        )  # fmt: skip
    for trial in front:
        # Below and to the left, where no trial can lie.
        axes.annotate(
            f"trial {trial.number}", (trial.values[0], trial.values[1]), (-6, -5), textcoords="offset points",
            ha="right", va="top", fontsize=9, color=theme.ink,
        )  # fmt: skip
    style_axes(axes, theme, "Two objectives", y_label=found.objectives[1])
    axes.set_xlabel(found.objectives[0], fontsize=9, color=theme.ink, parse_math=False)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.grid(axis="x", color=theme.faint, alpha=0.25, lw=0.6)
    axes.margins(0.12)
    add_legend(axes, theme, 3, markerscale=0.7)
    return figure


FIGURES: dict[str, Draw] = {
    "history": history,
    "importance": importance,
    "parallel": parallel,
    "halving": halving,
    "pareto": pareto,
}


def _way(trial: Trial) -> list[tuple[float, float]]:
    """A trial's looks, and its end."""
    if trial.state == "complete" and trial.values and not any(share >= 1 for share, _ in trial.seen):
        return [*trial.seen, (1.0, trial.values[0])]
    return trial.seen


def _columns(trials: Sequence[Trial]) -> tuple[list[float], list[float]]:
    return [trial.values[0] for trial in trials], [trial.values[1] for trial in trials]


def _round(space: Range, low: float, high: float) -> list[float]:
    """Round numbers of a range, between two places of it."""
    if space.log:
        ends = [space.low * (space.high / space.low) ** place for place in (low, high)]
        wide = ends[1] / ends[0] > 30
        ticks = LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)).tick_values(*ends)
    else:
        ends = [space.low + (space.high - space.low) * place for place in (low, high)]
        whole = isinstance(space.low, int) and isinstance(space.high, int)
        ticks = MaxNLocator(5, integer=whole).tick_values(*ends)
    # 1e-9: rounding may put the ends themselves outside.
    slack = 1e-9 * abs(ends[1] - ends[0])
    kept = [float(f"{each:.12g}") for each in ticks if ends[0] - slack <= each <= ends[1] + slack]
    return kept if len(kept) > 1 else ends


def _ratios(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > APART * min(values)


def _colours(values: Sequence[float], theme: Theme) -> Callable[[float], tuple[float, float, float, float]]:
    """Colours from the best, which stands out from the paper, to the worst; viridis, for any colour vision."""
    if not values:
        return lambda value: (0.0, 0.0, 0.0, 1.0)
    low, high = min(values), max(values)
    norm = (LogNorm if _ratios(values) else Normalize)(low, high if high > low else low + abs(low) + 1)
    first, last = (1.0, 0.25) if theme == DARK else (0.0, 0.88)
    return lambda value: colormaps["viridis"](first + (last - first) * float(norm(value)))


def _broken(name: str) -> str:
    """A dotted name in lines, for a narrow column."""
    return name.replace(".", ".\n").replace("[", "\n[")


def _thin(width: float, trials: Sequence[Trial]) -> float:
    """The width of a line, thinner where there are many."""
    return width * min(1.0, max(0.4, math.sqrt(MANY / max(len(trials), 1))))


def _ring(axes: Axes, place: float, value: float, share: float, theme: Theme) -> None:
    """Circles the best and writes it below; ``share`` tells how far to the right it lies, 0…1."""
    axes.plot([place], [value], "o", ms=11, mfc="none", mec=theme.ink, mew=1.5, zorder=4, clip_on=False)
    axes.annotate(
        f"trial {place:.0f}: {value:.3g}", (place, value), (0, -15), textcoords="offset points", va="top",
        ha="left" if share < 0.1 else "right" if share > 0.9 else "center",
        fontsize=9, color=theme.ink, path_effects=[withStroke(linewidth=3, foreground=theme.paper)], zorder=5,
    )  # fmt: skip


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """Set a y scale on which all values can be told apart, with room for text below."""
    if values:
        set_y_scale(axes, min(values), max(values), log=_ratios(values), below=0.15, above=0.06)
