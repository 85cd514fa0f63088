"""Fakes nearest to reals, and the histogram of distances."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures import invented_runs as invented
from fixtures.parsed import Page, content
from impasto.data.image_grid import cut, tile
from impasto.metrics.results import Evaluation, Memorisation, NearestReals
from impasto.reports.evaluation import write_evaluation
from impasto.reports.figure_style import DARK, LIGHT
from impasto.reports.memorisation import draw_histogram


def test_suspects_are_shown_losslessly_beside_their_nearest_reals(
    evaluation_page: Page, scored: Evaluation, copies: Image.Image
) -> None:
    pairs = [each for each in evaluation_page.all("img") if each["alt"].startswith(("Fake ", "Real "))]
    cells = cut(copies, 64, 64).reshape(-1, 64, 64, 3)
    assert len(pairs) == len(cells) == 4 * len(scored.copies.suspects)
    for image, cell in zip(pairs, cells, strict=True):
        with Image.open(io.BytesIO(content(image["src"]))) as picture:
            assert (np.asarray(picture) == cell).all()
    for suspect in scored.copies.suspects:
        assert suspect.fake in evaluation_page.text
        assert f"{suspect.distances[0]:.3f}" in evaluation_page.text


def test_fewer_reals_than_columns_leave_cells_empty(monets: Path, tmp_path: Path) -> None:
    two = NearestReals(fake="a", reals=["x", "y"], distances=[0.1, 0.2])
    few = invented.evaluation(copies=Memorisation(network="net", fakes=[0.1], reals=[0.1, 0.1], suspects=[two]))
    sheet = tile(invented.pictures(monets, 3, 64), columns=4)
    page = Page(write_evaluation(few, sheet, None, tmp_path))
    assert [each["alt"] for each in page.all("img")[1:]] == ["Fake a", "Real x", "Real y"]


def test_the_histogram_shows_all_distances_and_the_threshold(scored: Evaluation) -> None:
    for theme in (LIGHT, DARK):
        axes = draw_histogram(scored.copies, theme).axes[0]
        for steps in axes.patches:
            assert sum(steps.get_data().values) == pytest.approx(1)  # type: ignore[attr-defined]
        assert any(line.get_xdata()[0] == scored.copies.threshold for line in axes.lines)  # type: ignore[index]


@pytest.mark.parametrize("same", [0.0, 0.3])
def test_equal_distances_can_be_drawn(same: float) -> None:
    draw_histogram(Memorisation(network="$net$", fakes=[same], reals=[same] * 3, suspects=[]), LIGHT)
