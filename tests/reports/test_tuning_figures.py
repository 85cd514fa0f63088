"""Figures of a study show its numbers, and the best trial is marked."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from fixtures.synthetic_tuning import RUNGS, pruned, study, trial, two_objectives
from impasto.reports.figure_style import DARK, LIGHT, png
from impasto.reports.tuning_figures import FIGURES, available_figures, halving, history, importance, pareto
from impasto.reports.tuning_results import Tuning

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_figure_is_available_only_where_there_is_data() -> None:
    assert list(available_figures(study())) == ["history", "importance", "parallel", "halving"]
    assert list(available_figures(two_objectives())) == list(FIGURES)
    assert list(available_figures(study([]))) == []
    assert list(available_figures(study([trial(0, "running"), trial(1, "failed")]))) == []
    assert list(available_figures(study([trial(0, "running", rung_scores={0.1: 0.2})]))) == ["halving"]
    assert list(available_figures(study([pruned(1, 0)]))) == ["history", "parallel", "halving"]
    assert list(available_figures(study([trial(0)]))) == ["history", "parallel", "halving"]


@pytest.mark.parametrize(
    "found",
    [
        study([trial(0)]),
        study([pruned(1, 0)]),
        study([trial(0, "running", rung_scores={0.1: 0.2})]),
        study([trial(0, values=[0.1]), trial(1, values=[0.1])]),
        study([trial(0, values=[-0.0002]), trial(1, values=[0.0]), pruned(2, 0)]),
        study([trial(0, values=[0.0])], objectives=["$x_{2$ of $\\frac$"]),
    ],
    ids=["one", "only pruned", "only running", "alike", "below 0", "dollars"],
)
def test_every_figure_can_be_drawn_with_little_data(found: Tuning) -> None:
    for draw in available_figures(found).values():
        assert png(draw(found, LIGHT)).startswith(b"\x89PNG")


def test_the_history_shows_the_best_so_far_and_the_baseline() -> None:
    found = study()
    (axes,) = history(found, LIGHT).axes
    ends = [each.values[0] for each in found.trials if each.values]
    (steps,) = [line for line in axes.lines if line.get_label() == "best so far"]
    assert np.asarray(steps.get_ydata())[:-1] == pytest.approx(np.minimum.accumulate(ends))
    (baseline,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert set(np.asarray(baseline.get_ydata())) == {found.trials[0].values[0]}
    assert found.best_trial is not None
    assert f"trial {found.best_trial.number}: {found.best_trial.values[0]:.3g}" in texts(history(found, LIGHT))


def test_the_history_shows_pruned_trials_at_their_last_score_with_another_mark() -> None:
    found = study([trial(0), trial(1), pruned(2, 0), pruned(3, 1)])
    (axes,) = history(found, LIGHT).axes
    marks = {each.get_label(): each for each in axes.collections}
    assert np.asarray(marks["pruned (last score)"].get_offsets()) == pytest.approx(
        np.array([[2, found.trials[2].rung_scores[RUNGS[0]]], [3, found.trials[3].rung_scores[RUNGS[1]]]])
    )
    assert len(np.asarray(marks["complete"].get_offsets())) == 2
    colours = {to_hex(np.asarray(each.get_edgecolor())[0]) for each in marks.values()}
    assert len(colours) == len(marks)


def test_the_history_of_two_objectives_has_two_panels() -> None:
    assert [axes.get_title(loc="left") for axes in history(two_objectives(), LIGHT).axes] == two_objectives().objectives


def test_bars_show_the_importance_the_longest_on_top() -> None:
    (axes,) = importance(study(), LIGHT).axes
    lengths = [patch.get_width() for patch in axes.patches]  # type: ignore[attr-defined]
    assert lengths == [0.01, 0.03, 0.06, 0.12, 0.17, 0.61]
    assert axes.get_yticklabels()[-1].get_text() == "generator.lr"


def test_score_curves_end_where_their_trials_did_and_remaining_trials_decrease() -> None:
    found = study()
    scores, remaining = halving(found, LIGHT).axes
    curves = [line for line in scores.lines if len(np.asarray(line.get_xdata())) > 0 and line.get_linestyle() != "None"]
    ends = sorted(float(np.asarray(line.get_xdata())[-1]) for line in curves)
    expected = sorted(max(each.rung_scores) for each in found.trials if each.state in ("complete", "pruned"))
    assert ends == pytest.approx(expected)
    counts, edges, _ = remaining.patches[-1].get_data()  # type: ignore[attr-defined]
    assert list(counts) == [23, 17, 12]
    assert list(edges) == pytest.approx([0, *RUNGS])


def test_only_trials_on_the_pareto_front_are_named() -> None:
    found = two_objectives()
    (axes,) = pareto(found, LIGHT).axes
    named = {text.get_text() for text in axes.texts if isinstance(text, Annotation)}
    assert named == {f"trial {number}" for number in found.best}
    marks = {str(each.get_label()): len(np.asarray(each.get_offsets())) for each in axes.collections}
    assert marks == {"Pareto front": len(found.best), "other trials": 16 - len(found.best), "baseline": 1}
