"""Figures of a study: optimisation history, importance of settings, successive halving, Pareto front."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from impasto.reports.figure_style import Theme, add_legend, format_percent, new_figure, set_y_scale, style_axes
from impasto.reports.tuning_parallel import line_width, needs_log_scale, parallel
from impasto.reports.tuning_results import Trial, Tuning

Draw = Callable[[Tuning, Theme], Figure]


def available_figures(study: Tuning) -> dict[str, Draw]:
    """Return the figures for which a study has data, by file name."""
    scored = bool(study.complete) or any(trial.finite_rung_scores for trial in study.pruned)
    reached = (*study.complete, *study.pruned, *study.in_state("running"))
    available = {
        "history": scored,
        "importance": bool(study.ranked_importance),
        "parallel": scored and bool(study.space),
        "halving": any(trial.finite_rung_scores for trial in reached),
        "pareto": len(study.objectives) == 2 and bool(study.complete),
    }
    return {name: draw for name, draw in FIGURES.items() if available[name]}


def history(study: Tuning, theme: Theme) -> Figure:
    """Draw the objectives by trial number, one panel each, with the best so far and the baseline.

    A pruned trial is drawn at its last score, in the panel of the first objective.
    """
    count = len(study.objectives)
    figure = new_figure(theme, 9, 0.5 + 3.4 * count)
    panels = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for index, (axes, name) in enumerate(zip(panels, study.objectives, strict=True)):
        trials = sorted(study.complete, key=lambda trial: trial.number)
        numbers, values = [trial.number for trial in trials], [trial.values[index] for trial in trials]
        pruned = [] if index else [trial for trial in study.in_state("pruned") if trial.last_score is not None]
        last_scores = [trial.last_score for trial in pruned if trial.last_score is not None]
        if values:
            axes.scatter(numbers, values, s=34, color=theme.lines[0], lw=0, zorder=3, label="complete")
        if pruned:
            axes.scatter(
                [trial.number for trial in pruned], last_scores, s=30, marker="x", lw=1.4, color=theme.lines[1],
                zorder=3, label="pruned (last score)",
            )  # fmt: skip
        failed = study.in_state("failed")
        if failed:
            axes.scatter(
                [trial.number for trial in failed], [0.02] * len(failed), s=34, marker="v", color=theme.faint, lw=0,
                transform=axes.get_xaxis_transform(), label="failed", clip_on=False,
            )  # fmt: skip
        if values:
            end = max(trial.number for trial in study.trials)
            lowest = np.minimum.accumulate(values)
            axes.step(
                [*numbers, end], [*lowest, lowest[-1]], where="post", lw=1.6, color=theme.lines[0], alpha=0.7,
                label="best so far",
            )  # fmt: skip
            best = numbers[int(np.argmin(values))]
            _mark_best(axes, best, min(values), best / max(end, 1), theme)
        if study.complete_baseline is not None:
            _mark_baseline(axes, study.complete_baseline.values[index], theme)
        style_axes(axes, theme, name, y_label="lower is better")
        _set_scale(axes, [*values, *last_scores])
        add_legend(axes, theme, 4)
    every = [trial.number for trial in study.trials]
    panels[-1].set_xlim(min(every) - 0.6, max(every) + 0.6)
    panels[-1].set_xlabel("trial", fontsize=9, color=theme.ink)
    panels[-1].xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
    return figure


def importance(study: Tuning, theme: Theme) -> Figure:
    """Draw a bar for each setting: its share in the variance of the score at the first rung."""
    ranked = study.ranked_importance[::-1]
    figure = new_figure(theme, 9, 0.9 + 0.36 * len(ranked))
    axes = figure.subplots()
    shares = [share for _, share in ranked]
    axes.barh(range(len(ranked)), shares, height=0.62, color=theme.lines[0])
    for row, share in enumerate(shares):
        axes.annotate(
            f"{100 * share:.0f} %", (max(share, 0), row), (5, 0), textcoords="offset points", va="center",
            fontsize=9, color=theme.ink,
        )  # fmt: skip
    style_axes(axes, theme, f"Share in the variance of {study.objectives[0]} at the first rung")
    axes.grid(visible=False)
    axes.set_yticks(range(len(ranked)), [name for name, _ in ranked], parse_math=False)
    axes.tick_params(axis="y", length=0, labelsize=9.5)
    axes.set_xlim(0, 1.08 * max(*shares, 1e-9))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    return figure


def halving(study: Tuning, theme: Theme) -> Figure:
    """Draw the scores of each trial by share of its budget, and below how many trials remained."""
    figure = new_figure(theme, 9, 5.6)
    scores, remaining = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    trials = [*study.pruned, *study.in_state("running"), *study.complete[::-1]]
    curves = {trial.number: _score_curve(trial) for trial in trials}
    thin = line_width(1.3, trials)
    for trial in trials:
        curve = curves[trial.number]
        if not curve:
            continue
        shares, values = zip(*curve, strict=True)
        best = trial.number in study.best and trial.state == "complete"
        colour = {"complete": theme.lines[0], "pruned": theme.lines[1]}.get(trial.state, theme.faint)
        scores.plot(
            shares, values, color=colour, lw=3 if best else thin, alpha=1 if best else 0.6, zorder=4 if best else 2,
            marker="o", ms=4 if best else 2.6, clip_on=False,
        )  # fmt: skip
        if trial.state == "pruned":
            scores.plot(shares[-1:], values[-1:], "x", color=colour, ms=7, mew=1.6, zorder=5)
    marks = {"complete": (theme.lines[0], "o"), "pruned": (theme.lines[1], "x"), "running": (theme.faint, "o")}
    for state, (colour, marker) in marks.items():
        if any(trial.state == state for trial in trials):
            scores.plot([], [], color=colour, marker=marker, lw=1.5, ms=5, label=state)
    if study.best_trial is not None:
        scores.plot([], [], color=theme.lines[0], lw=3.4, label="best")
    style_axes(scores, theme, f"{study.objectives[0]} during training", y_label="lower is better")
    _set_scale(scores, [value for curve in curves.values() for _, value in curve])
    add_legend(scores, theme, 4)
    ends = [curves[trial.number][-1][0] for trial in (*study.pruned, *study.complete) if curves[trial.number]]
    if ends:
        edges = [0.0, *sorted(set(ends))]
        # Trials that are trained to the end remain until it: the last step is level.
        counts = [sum(end > share for end in ends) for share in edges[:-1]]
        remaining.stairs(counts, edges, fill=True, color=theme.lines[0], alpha=0.3)
        remaining.stairs(counts, edges, color=theme.lines[0], lw=1.6)
    style_axes(remaining, theme, "Remaining trials", y_label="trials")
    remaining.set_ylim(bottom=0)
    remaining.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    remaining.set_xlim(0, 1)
    format_percent(remaining.xaxis, " %")
    budget = "the budget" if study.seeds == 1 else "the budget of the first seed"
    remaining.set_xlabel(f"share of {budget}", fontsize=9, color=theme.ink)
    return figure


def pareto(study: Tuning, theme: Theme) -> Figure:
    """Draw two objectives against each other, with the numbers of the trials on the Pareto front."""
    figure = new_figure(theme, 9, 5.4)
    axes = figure.subplots()
    front = study.best_trials
    others = [trial for trial in study.complete if trial not in front]
    if front:
        axes.step(*_two_objectives(front), where="post", color=theme.lines[0], lw=1.2, alpha=0.6)
        axes.scatter(*_two_objectives(front), s=70, color=theme.lines[0], lw=0, zorder=3, label="Pareto front")
    if others:
        axes.scatter(*_two_objectives(others), s=34, color=theme.faint, lw=0, label="other trials")
    if study.complete_baseline is not None:
        axes.scatter(
            *_two_objectives([study.complete_baseline]), s=190, facecolors="none", edgecolors=theme.lines[1], lw=1.8,
            marker="D", zorder=4, label="baseline",
        )  # fmt: skip
    for trial in front:
        # Below and to the left, where no other trial can be.
        axes.annotate(
            f"trial {trial.number}", (trial.values[0], trial.values[1]), (-6, -5), textcoords="offset points",
            ha="right", va="top", fontsize=9, color=theme.ink,
        )  # fmt: skip
    style_axes(axes, theme, "Two objectives", x_label=study.objectives[0], y_label=study.objectives[1])
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


def _score_curve(trial: Trial) -> list[tuple[float, float]]:
    """Return a trial's scores at the rungs and at its end, by share of the budget."""
    scores = trial.finite_rung_scores
    if trial.state == "complete" and trial.values and not any(share >= 1 for share, _ in scores):
        return [*scores, (1.0, trial.values[0])]
    return scores


def _two_objectives(trials: Sequence[Trial]) -> tuple[list[float], list[float]]:
    return [trial.values[0] for trial in trials], [trial.values[1] for trial in trials]


def _mark_best(axes: Axes, number: int, value: float, position: float, theme: Theme) -> None:
    """Circle the best trial and write its value below; ``position`` is its place along the x axis, 0…1."""
    axes.plot([number], [value], "o", ms=11, mfc="none", mec=theme.ink, mew=1.5, zorder=4, clip_on=False)
    axes.annotate(
        f"trial {number}: {value:.3g}", (number, value), (0, -15), textcoords="offset points", va="top",
        ha="left" if position < 0.1 else "right" if position > 0.9 else "center",
        fontsize=9, color=theme.ink, path_effects=[withStroke(linewidth=3, foreground=theme.paper)], zorder=5,
    )  # fmt: skip


def _mark_baseline(axes: Axes, value: float, theme: Theme) -> None:
    axes.axhline(value, color=theme.ink, lw=1, ls=(0, (4, 3)), alpha=0.6, zorder=1)
    axes.annotate(
        "baseline", (1, value), (-4, 4), xycoords=axes.get_yaxis_transform(), textcoords="offset points", ha="right",
        fontsize=8.5, color=theme.ink, path_effects=[withStroke(linewidth=3, foreground=theme.paper)], zorder=5,
    )  # fmt: skip


def _set_scale(axes: Axes, values: Sequence[float]) -> None:
    """Set a y scale on which all values can be told apart, with room below for text."""
    if values:
        set_y_scale(axes, min(values), max(values), log=needs_log_scale(values), below=0.15, above=0.06)
