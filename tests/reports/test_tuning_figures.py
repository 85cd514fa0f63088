"""The figures of a search show its very numbers, and the best stands out."""

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from fixtures.invented_tuning import KID, RUNGS, SPACE, pruned, trial, tuning, two
from impasto.config.settings import Choice, Range
from impasto.reports.figure_style import DARK, LIGHT, Theme, png
from impasto.reports.tuning_figures import FIGURES, Rail, figures, halving, history, importance, parallel, pareto
from impasto.reports.tuning_results import Tuning

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


def written(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_figure_is_drawn_where_there_is_something_to_draw() -> None:
    assert list(figures(tuning())) == ["history", "importance", "parallel", "halving"]
    assert list(figures(two())) == list(FIGURES)
    assert list(figures(tuning([]))) == []
    assert list(figures(tuning([trial(0, "running"), trial(1, "failed")]))) == []
    assert list(figures(tuning([trial(0, "running", looks={0.1: 0.2})]))) == ["halving"]
    assert list(figures(tuning([pruned(1, 0)]))) == ["history", "parallel", "halving"]
    assert list(figures(tuning([trial(0)]))) == ["history", "parallel", "halving"]


@pytest.mark.parametrize(
    "found",
    [
        tuning([trial(0)]),
        tuning([pruned(1, 0)]),
        tuning([trial(0, "running", looks={0.1: 0.2})]),
        tuning([trial(0, values=[0.1]), trial(1, values=[0.1])]),
        tuning([trial(0, values=[-0.0002]), trial(1, values=[0.0]), pruned(2, 0)]),
        tuning([trial(0, values=[0.0])], objectives=["$x_{2$ of $\\frac$"]),
    ],
    ids=["one", "only pruned", "only running", "alike", "below 0", "dollars"],
)
def test_every_figure_can_be_drawn_of_little(found: Tuning) -> None:
    for draw in figures(found).values():
        assert png(draw(found, LIGHT)).startswith(b"\x89PNG")


def test_the_history_steps_down_with_the_best_and_marks_the_recipes_own() -> None:
    found = tuning()
    (axes,) = history(found, LIGHT).axes
    ends = [each.values[0] for each in found.trials if each.values]
    (steps,) = [line for line in axes.lines if line.get_label() == "best so far"]
    assert np.asarray(steps.get_ydata())[:-1] == pytest.approx(np.minimum.accumulate(ends))
    (own,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert set(np.asarray(own.get_ydata())) == {found.trials[0].values[0]}
    assert found.winner is not None
    assert f"trial {found.winner.number}: {found.winner.values[0]:.3g}" in written(history(found, LIGHT))


def test_the_history_shows_pruned_trials_at_their_last_look_marked_otherwise() -> None:
    found = tuning([trial(0), trial(1), pruned(2, 0), pruned(3, 1)])
    (axes,) = history(found, LIGHT).axes
    marks = {each.get_label(): each for each in axes.collections}
    assert np.asarray(marks["pruned, at its last look"].get_offsets()) == pytest.approx(
        np.array([[2, found.trials[2].looks[RUNGS[0]]], [3, found.trials[3].looks[RUNGS[1]]]])
    )
    assert len(np.asarray(marks["complete"].get_offsets())) == 2
    colours = {to_hex(np.asarray(each.get_edgecolor())[0]) for each in marks.values()}
    assert len(colours) == len(marks)


def test_the_history_of_two_objectives_has_two_panels() -> None:
    assert [axes.get_title(loc="left") for axes in history(two(), LIGHT).axes] == two().objectives


def test_bars_are_as_long_as_the_importance_and_the_longest_is_on_top() -> None:
    (axes,) = importance(tuning(), LIGHT).axes
    lengths = [patch.get_width() for patch in axes.patches]  # type: ignore[attr-defined]
    assert lengths == [0.01, 0.03, 0.06, 0.12, 0.17, 0.61]
    assert axes.get_yticklabels()[-1].get_text() == "generator.lr"


def test_on_a_logarithmic_axis_equal_ratios_are_equally_long() -> None:
    trials = [trial(1, settings={"lr": lr}) for lr in (1e-5, 1e-4, 1e-3)]
    rail = Rail.of("lr", Range(low=1e-5, high=1e-3, log=True), trials)
    assert rail.places == pytest.approx([0, 0.5, 1])
    assert [place for place, _ in rail.ticks] == pytest.approx([0, 0.5, 1])
    assert [text for _, text in rail.ticks] == ["1e-5", "0.0001", "0.001"]


def test_an_axis_takes_in_a_recipe_that_lies_outside_of_what_is_searched() -> None:
    rail = Rail.of("width", Range(low=0, high=10), [trial(1, settings={"width": width}) for width in (20, 0, 10)])
    assert rail.places == pytest.approx([1, 0, 0.5])
    words = Rail.of("loss", Choice(choices=("lsgan", "hinge")), [trial(1, settings={"loss": "bce"}), trial(2)])
    assert [text for _, text in words.ticks] == ["lsgan", "hinge", "bce"]
    assert words.places[0] == words.ticks[2][0]


def test_a_trial_that_lacks_a_setting_has_no_place_on_its_axis() -> None:
    assert Rail.of("width", Range(low=0, high=10), [trial(1)]).places == [None]


@THEMES
def test_the_best_is_the_thickest_line_and_the_pruned_are_faint(theme: Theme) -> None:
    found = tuning()
    (axes,) = parallel(found, theme).axes
    lines = axes.lines[: len(found.complete) + len(found.pruned)]
    assert max(lines, key=lambda line: line.get_linewidth()) is lines[-1]
    assert all(line.get_color() == theme.faint for line in lines[: len(found.pruned)])
    # Without the axis of the objective, which they never came to.
    assert all(len(np.asarray(line.get_xdata())) == len(SPACE) for line in lines[: len(found.pruned)])
    assert all(len(np.asarray(line.get_xdata())) == len(SPACE) + 1 for line in lines[len(found.pruned) :])


@THEMES
def test_the_better_a_trial_the_more_its_colour_stands_out(theme: Theme) -> None:
    found = tuning()
    (axes,) = parallel(found, theme).axes
    worst_first = axes.lines[len(found.pruned) : len(found.pruned) + len(found.complete)]
    light = np.array([0.2126, 0.7152, 0.0722])
    paper = float(np.array(to_rgb(theme.paper)) @ light)
    contrast = [abs(float(np.array(to_rgb(line.get_color())) @ light) - paper) for line in worst_first]
    assert contrast == sorted(contrast)
    assert contrast[-1] > 0.5


def test_the_objective_stands_first_and_the_setting_that_matters_most_beside_it() -> None:
    names = [text.replace("\n", "") for text in written(parallel(tuning(), LIGHT))]
    assert [name for name in names if name in (*SPACE, KID)] == [KID, *dict(tuning().ranked)]


def test_ways_end_where_their_trials_did_and_ever_fewer_go_on() -> None:
    found = tuning()
    looks, left = halving(found, LIGHT).axes
    ways = [line for line in looks.lines if len(np.asarray(line.get_xdata())) > 0 and line.get_linestyle() != "None"]
    ends = sorted(float(np.asarray(line.get_xdata())[-1]) for line in ways)
    expected = sorted(max(each.looks) for each in found.trials if each.state in ("complete", "pruned"))
    assert ends == pytest.approx(expected)
    counts, edges, _ = left.patches[-1].get_data()  # type: ignore[attr-defined]
    assert list(counts) == [23, 17, 12]
    assert list(edges) == pytest.approx([0, *RUNGS])


def test_the_front_is_named_and_what_is_behind_it_is_not() -> None:
    found = two()
    (axes,) = pareto(found, LIGHT).axes
    named = {text.get_text() for text in axes.texts if isinstance(text, Annotation)}
    assert named == {f"trial {number}" for number in found.best}
    marks = {str(each.get_label()): len(np.asarray(each.get_offsets())) for each in axes.collections}
    assert marks == {"on the front": len(found.best), "behind it": 16 - len(found.best), "the recipe's own settings": 1}
