"""Plots show what was measured, of both domains alike, in colours and in lines that can be told apart."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fixtures.explored import blobs, domain
from impasto.data import inventory
from impasto.exploration.results import Colour, Domain
from impasto.reports import exploration_figures
from impasto.reports.figure_style import DARK, LIGHT, png


@pytest.fixture(scope="module")
def pair() -> list[Domain]:
    return [domain("paintings", blobs(24)), domain("photos", blobs(60, seed=1))]


def sized(found: Domain, extents: list[tuple[int, int]]) -> Domain:
    files = [
        inventory.Picture(name=str(i), format="PNG", mode="RGB", width=width, height=height, digest=str(i))
        for i, (width, height) in enumerate(extents)
    ]
    return found.model_copy(update={"inventory": found.inventory.model_copy(update={"pictures": files})})


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes if (shown := axes.get_legend()) is not None for text in shown.texts]


def test_every_histogram_holds_both_domains_and_their_lines_differ_without_colour(pair: list[Domain]) -> None:
    figure = exploration_figures.histograms(pair, LIGHT)
    assert [axes.get_title("left") for axes in figure.axes] == ["Red", "Green", "Blue"]
    for channel, axes in enumerate(figure.axes):
        raw = [np.asarray(line.get_ydata(), float) for line in axes.get_lines()[::2]]
        for drawn, found in zip(raw, pair, strict=True):
            np.testing.assert_allclose(drawn, 100 * np.array(found.histogram[channel]))
        assert len({str(line.get_linestyle()) for line in axes.get_lines()[1::2]}) == 2
    assert legend(figure) == ["paintings", "photos"]


def test_cut_off_blacks_do_not_flatten_the_rest(pair: list[Domain]) -> None:
    black = [[0.5, *[0.5 / 255] * 255]] * 3
    figure = exploration_figures.histograms([pair[0].model_copy(update={"histogram": black})], LIGHT)
    assert figure.axes[0].get_ylim()[1] < 1


def test_measures_show_shares_of_each_domain_whatever_its_count(pair: list[Domain]) -> None:
    for axes in exploration_figures.measures(pair, LIGHT).axes:
        filled = [each for each in axes.patches if each.get_fill()]
        assert [float(each.get_data().values.sum()) for each in filled] == pytest.approx([100, 100])  # type: ignore[attr-defined]


def test_the_mark_above_a_measure_is_its_median(pair: list[Domain]) -> None:
    brightness = exploration_figures.measures(pair, LIGHT).axes[0]
    marks = [float(np.asarray(line.get_xdata())[0]) for line in brightness.get_lines()]
    assert marks == pytest.approx([np.median([looks.brightness for looks in found.looks]) for found in pair])


def test_few_pictures_are_marks_and_not_a_distribution() -> None:
    few = domain("paintings", blobs(3))
    brightness = exploration_figures.measures([few], LIGHT).axes[0]
    assert not brightness.patches
    assert sorted(np.asarray(brightness.get_lines()[0].get_xdata())) == sorted(looks.brightness for looks in few.looks)


def test_the_spectrum_marks_where_photos_differ_most(pair: list[Domain]) -> None:
    bump = np.array(pair[0].spectrum)
    bump[19] -= 7
    photos = pair[1].model_copy(update={"spectrum": bump.tolist()})
    below = exploration_figures.spectrum([pair[0], photos], 64, LIGHT).axes[1]
    assert [text.get_text() for text in below.texts] == ["−7.0 dB at 20"]


def test_one_domain_has_a_spectrum_without_a_difference(pair: list[Domain]) -> None:
    assert len(exploration_figures.spectrum(pair[:1], 64, LIGHT).axes) == 1


def test_sizes_are_drawn_only_where_they_differ(pair: list[Domain]) -> None:
    assert not exploration_figures.sizes_differ(pair)
    mixed = [sized(pair[0], [(100, 200), (640, 480)]), pair[1]]
    assert exploration_figures.sizes_differ(mixed)
    places = exploration_figures.sizes(mixed, 256, LIGHT).axes[0]
    drawn = {(int(x), int(y)) for dots in places.collections for x, y in np.asarray(dots.get_offsets())}
    assert drawn == {(100, 200), (640, 480), (256, 256)}


def test_a_condensed_matrix_keeps_its_blocks_and_its_mean() -> None:
    blocks = np.kron(np.eye(2), np.ones((500, 500))).astype(np.float32)
    small = exploration_figures.condensed(blocks, cells=10)
    np.testing.assert_array_equal(small, np.kron(np.eye(2), np.ones((5, 5))))
    uneven = np.random.default_rng(0).random((1003, 1003), np.float32)
    assert exploration_figures.condensed(uneven, cells=100).mean() == pytest.approx(uneven.mean(), abs=0.001)


def test_a_small_matrix_stays_as_it_is() -> None:
    matrix = np.eye(3, dtype=np.float32)
    assert exploration_figures.condensed(matrix) is matrix


def test_pictures_that_hardly_differ_are_not_blown_up_to_groups() -> None:
    flat = 0.3 + 0.001 * np.random.default_rng(0).random((50, 50), np.float32)
    low, high = exploration_figures.scale([flat])
    assert low < 0.26 and high > 0.34


def test_both_domains_share_the_scale_of_their_similarities() -> None:
    near, far = np.full((30, 30), 0.9, np.float32), np.full((30, 30), 0.1, np.float32)
    low, high = exploration_figures.scale([near, far])
    assert low <= 0.11 and high >= 0.89


def test_the_name_of_a_network_is_no_formula() -> None:
    matrix = np.eye(4, dtype=np.float32)
    figure = exploration_figures.similarity([("$\\frac$", matrix, (0.0, 1.0))], LIGHT)
    assert png(figure).startswith(b"\x89PNG")


def test_a_picture_stands_over_its_colours_by_their_shares() -> None:
    picture = np.full((50, 50, 3), 7, np.uint8)
    row = exploration_figures.swatched(
        [(picture, [Colour(hex="#ff0000", share=0.75), Colour(hex="#0000ff", share=0.25)])]
    )
    assert (row[:50, :50, :3] == 7).all()
    strip = row[-1, :50]
    assert (strip[:37] == (255, 0, 0, 255)).all() and (strip[38:] == (0, 0, 255, 255)).all()
    assert not row[:, 50:, 3].any()


def test_every_plot_has_a_dark_side(pair: list[Domain]) -> None:
    thumbs = {"paintings": [(np.zeros((96, 96, 3), np.uint8), pair[0].palette)]}
    mixed = [sized(pair[0], [(100, 200), (640, 480)]), pair[1]]
    matrix = np.random.default_rng(0).random((20, 20), np.float32)
    drawn = [
        exploration_figures.sizes(mixed, 256, DARK),
        exploration_figures.histograms(pair, DARK),
        exploration_figures.measures(pair, DARK),
        exploration_figures.spectrum(pair, 64, DARK),
        exploration_figures.palettes(pair, thumbs, DARK),
        exploration_figures.similarity([("By pixels", matrix, (0.0, 1.0))], DARK),
    ]
    paper = tuple(bytes.fromhex(DARK.paper[1:]))
    for figure in drawn:
        with Image.open(io.BytesIO(png(figure))) as picture:
            assert picture.convert("RGB").getpixel((1, 1)) == paper
            assert len(set(picture.convert("L").tobytes())) > 20
