"""Figures share theme, axes and scales."""

import io

import pytest
from PIL import Image

from impasto.reports.figure_style import (
    DARK,
    LIGHT,
    Theme,
    add_legend,
    format_percent,
    new_figure,
    png,
    set_y_scale,
    style_axes,
)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_a_figure_has_the_colours_of_its_theme(theme: Theme) -> None:
    figure = new_figure(theme, 4, 2, dpi=50)
    axes = figure.subplots()
    for label in "ab":
        axes.plot([0, 1], [0, 1], label=label)
    style_axes(axes, theme, "$not maths$", x_label="step", y_label="loss")
    add_legend(axes, theme, columns=2)
    assert axes.get_title(loc="left") == "$not maths$" and axes.title.get_color() != theme.paper
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "loss")
    with Image.open(io.BytesIO(png(figure))) as image:
        assert image.size == (200, 100)
        assert "#{:02x}{:02x}{:02x}".format(*image.convert("RGB").getpixel((0, 0))) == theme.paper  # type: ignore[misc]


@pytest.mark.parametrize(
    ("low", "high", "log"), [(0, 10, False), (3, 3, False), (0, 0, False), (0.1, 90, True), (2, 2, True)]
)
def test_the_y_axis_holds_all_values_with_a_margin(low: float, high: float, log: bool) -> None:
    axes = new_figure(LIGHT, 4, 2).subplots()
    set_y_scale(axes, low, high, log=log)
    bottom, top = axes.get_ylim()
    assert bottom < low <= high < top
    assert axes.get_yscale() == ("log" if log else "linear")


def test_shares_are_written_as_percentages() -> None:
    axes = new_figure(LIGHT, 4, 2).subplots()
    format_percent(axes.yaxis, " %")
    assert axes.yaxis.get_major_formatter()(0.255) == "26 %"
