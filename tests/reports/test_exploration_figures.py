"""Figures show the measurements of both domains in lines that differ in colour and style."""

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
        inventory.ImageRecord(name=str(i), format="PNG", mode="RGB", width=width, height=height, digest=str(i))
        for i, (width, height) in enumerate(extents)
    ]
    return found.model_copy(update={"inventory": found.inventory.model_copy(update={"pictures": files})})


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes if (shown := axes.get_legend()) is not None for text in shown.texts]


def test_histograms_show_both_domains_with_different_line_styles(pair: list[Domain]) -> None:
    figure = exploration_figures.histograms(pair, LIGHT)
    assert [axes.get_title("left") for axes in figure.axes] == ["Red", "Green", "Blue"]
    for channel, axes in enumerate(figure.axes):
        raw = [np.asarray(line.get_ydata(), float) for line in axes.get_lines()[::2]]
        for drawn, found in zip(raw, pair, strict=True):
            np.testing.assert_allclose(drawn, 100 * np.array(found.histogram[channel]))
        assert len({str(line.get_linestyle()) for line in axes.get_lines()[1::2]}) == 2
    assert legend(figure) == ["paintings", "photos"]


def test_clipped_blacks_do_not_determine_the_scale(pair: list[Domain]) -> None:
    black = [[0.5, *[0.5 / 255] * 255]] * 3
    figure = exploration_figures.histograms([pair[0].model_copy(update={"histogram": black})], LIGHT)
    assert figure.axes[0].get_ylim()[1] < 1


def test_distributions_are_normalised_by_domain(pair: list[Domain]) -> None:
    for axes in exploration_figures.statistics(pair, LIGHT).axes:
        filled = [each for each in axes.patches if each.get_fill()]
        assert [float(each.get_data().values.sum()) for each in filled] == pytest.approx([100, 100])  # type: ignore[attr-defined]


def test_the_marker_above_a_distribution_is_its_median(pair: list[Domain]) -> None:
    brightness = exploration_figures.statistics(pair, LIGHT).axes[0]
    watermarks = [float(np.asarray(line.get_xdata())[0]) for line in brightness.get_lines()]
    assert watermarks == pytest.approx(
        [np.median([statistics.brightness for statistics in found.statistics]) for found in pair]
    )


def test_few_images_are_single_markers() -> None:
    few = domain("paintings", blobs(3))
    brightness = exploration_figures.statistics([few], LIGHT).axes[0]
    assert not brightness.patches
    assert sorted(np.asarray(brightness.get_lines()[0].get_xdata())) == sorted(
        statistics.brightness for statistics in few.statistics
    )


def test_the_largest_difference_of_the_spectra_is_annotated(pair: list[Domain]) -> None:
    bump = np.array(pair[0].spectrum)
    bump[19] -= 7
    photos = pair[1].model_copy(update={"spectrum": bump.tolist()})
    below = exploration_figures.spectrum([pair[0], photos], 64, LIGHT).axes[1]
    assert [text.get_text() for text in below.texts] == ["−7.0 dB at 20"]


def test_one_domain_has_a_spectrum_without_a_difference(pair: list[Domain]) -> None:
    assert len(exploration_figures.spectrum(pair[:1], 64, LIGHT).axes) == 1


def test_sizes_are_drawn_only_if_they_differ(pair: list[Domain]) -> None:
    assert not exploration_figures.sizes_differ(pair)
    mixed = [sized(pair[0], [(100, 200), (640, 480)]), pair[1]]
    assert exploration_figures.sizes_differ(mixed)
    places = exploration_figures.sizes(mixed, 256, LIGHT).axes[0]
    drawn = {(int(x), int(y)) for dots in places.collections for x, y in np.asarray(dots.get_offsets())}
    assert drawn == {(100, 200), (640, 480), (256, 256)}


def test_a_reduced_matrix_keeps_blocks_and_mean() -> None:
    blocks = np.kron(np.eye(2), np.ones((500, 500))).astype(np.float32)
    small = exploration_figures.condensed(blocks, cells=10)
    np.testing.assert_array_equal(small, np.kron(np.eye(2), np.ones((5, 5))))
    uneven = np.random.default_rng(0).random((1003, 1003), np.float32)
    assert exploration_figures.condensed(uneven, cells=100).mean() == pytest.approx(uneven.mean(), abs=0.001)


def test_a_small_matrix_is_not_reduced() -> None:
    matrix = np.eye(3, dtype=np.float32)
    assert exploration_figures.condensed(matrix) is matrix


def test_the_scale_does_not_magnify_noise() -> None:
    flat = 0.3 + 0.001 * np.random.default_rng(0).random((50, 50), np.float32)
    low, high = exploration_figures.scale([flat])
    assert low < 0.26 and high > 0.34


def test_both_domains_share_the_similarity_scale() -> None:
    near, far = np.full((30, 30), 0.9, np.float32), np.full((30, 30), 0.1, np.float32)
    low, high = exploration_figures.scale([near, far])
    assert low <= 0.11 and high >= 0.89


def test_titles_are_not_parsed_as_formulas() -> None:
    matrix = np.eye(4, dtype=np.float32)
    figure = exploration_figures.similarity([("$\\frac$", matrix, (0.0, 1.0))], LIGHT)
    assert png(figure).startswith(b"\x89PNG")


def test_palettes_are_proportional_to_their_shares() -> None:
    picture = np.full((50, 50, 3), 7, np.uint8)
    row = exploration_figures.images_over_palettes(
        [(picture, [Colour(hex="#ff0000", share=0.75), Colour(hex="#0000ff", share=0.25)])]
    )
    assert (row[:50, :50, :3] == 7).all()
    strip = row[-1, :50]
    assert (strip[:37] == (255, 0, 0, 255)).all() and (strip[38:] == (0, 0, 255, 255)).all()
    assert not row[:, 50:, 3].any()


def test_every_figure_has_a_dark_theme(pair: list[Domain]) -> None:
    thumbs = {"paintings": [(np.zeros((96, 96, 3), np.uint8), pair[0].palette)]}
    mixed = [sized(pair[0], [(100, 200), (640, 480)]), pair[1]]
    matrix = np.random.default_rng(0).random((20, 20), np.float32)
    drawn = [
        exploration_figures.sizes(mixed, 256, DARK),
        exploration_figures.histograms(pair, DARK),
        exploration_figures.statistics(pair, DARK),
        exploration_figures.spectrum(pair, 64, DARK),
        exploration_figures.palettes(pair, thumbs, DARK),
        exploration_figures.similarity([("By pixels", matrix, (0.0, 1.0))], DARK),
    ]
    paper = tuple(bytes.fromhex(DARK.paper[1:]))
    for figure in drawn:
        with Image.open(io.BytesIO(png(figure))) as picture:
            assert picture.convert("RGB").getpixel((1, 1)) == paper
            assert len(set(picture.convert("L").tobytes())) > 20
