"""Parallel coordinates show every setting of every trial, and the best trial is marked."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fixtures.synthetic_tuning import KID, SPACE, study, trial
from impasto.config.search_space import Choice, Range
from impasto.reports.figure_style import DARK, LIGHT, Theme
from impasto.reports.tuning_parallel import Axis, parallel

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


def test_on_a_log_axis_equal_ratios_have_equal_distances() -> None:
    trials = [trial(1, settings={"lr": lr}) for lr in (1e-5, 1e-4, 1e-3)]
    axis = Axis.of_setting("lr", Range(low=1e-5, high=1e-3, log=True), trials)
    assert axis.positions == pytest.approx([0, 0.5, 1])
    assert [place for place, _ in axis.ticks] == pytest.approx([0, 0.5, 1])
    assert [text for _, text in axis.ticks] == ["1e-5", "0.0001", "0.001"]


def test_an_axis_is_extended_to_a_baseline_outside_of_the_search_space() -> None:
    trials = [trial(1, settings={"width": width}) for width in (20, 0, 10)]
    axis = Axis.of_setting("width", Range(low=0, high=10), trials)
    assert axis.positions == pytest.approx([1, 0, 0.5])
    losses = Axis.of_setting("loss", Choice(choices=("lsgan", "hinge")), [trial(1, settings={"loss": "bce"}), trial(2)])
    assert [text for _, text in losses.ticks] == ["lsgan", "hinge", "bce"]
    assert losses.positions[0] == losses.ticks[2][0]


def test_a_trial_without_a_setting_has_no_position_on_its_axis() -> None:
    assert Axis.of_setting("width", Range(low=0, high=10), [trial(1)]).positions == [None]


@THEMES
def test_the_best_trial_is_the_thickest_line_and_pruned_trials_are_faint(theme: Theme) -> None:
    found = study()
    (axes,) = parallel(found, theme).axes
    lines = axes.lines[: len(found.complete) + len(found.pruned)]
    assert max(lines, key=lambda line: line.get_linewidth()) is lines[-1]
    assert all(line.get_color() == theme.faint for line in lines[: len(found.pruned)])
    # Pruned trials have no final objective.
    assert all(len(np.asarray(line.get_xdata())) == len(SPACE) for line in lines[: len(found.pruned)])
    assert all(len(np.asarray(line.get_xdata())) == len(SPACE) + 1 for line in lines[len(found.pruned) :])


@THEMES
def test_better_trials_have_more_contrast(theme: Theme) -> None:
    found = study()
    (axes,) = parallel(found, theme).axes
    worst_first = axes.lines[len(found.pruned) : len(found.pruned) + len(found.complete)]
    luminance = np.array([0.2126, 0.7152, 0.0722])
    paper = float(np.array(to_rgb(theme.paper)) @ luminance)
    contrast = [abs(float(np.array(to_rgb(line.get_color())) @ luminance) - paper) for line in worst_first]
    assert contrast == sorted(contrast)
    assert contrast[-1] > 0.5


def test_the_objective_is_the_first_axis_followed_by_the_settings_by_importance() -> None:
    (axes,) = parallel(study(), LIGHT).axes
    names = [text.get_text().replace("\n", "") for text in axes.texts]
    assert [name for name in names if name in (*SPACE, KID)] == [KID, *dict(study().ranked_importance)]
