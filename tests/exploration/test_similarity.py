"""Similar images are adjacent in orders, clusters and layouts, deterministically."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from impasto.exploration.similarity import (
    assign_cells,
    cluster_order,
    clusters,
    mean_similarity,
    pixel_vectors,
    similarity,
    tsne_layout,
    typical_and_outliers,
)

Features = NDArray[np.float32]

#: Features of any kind: with zeros, with equal ones, of one picture or none but a few.
FEATURES = arrays(
    np.float32,
    st.tuples(st.integers(1, 16), st.integers(1, 5)),
    elements=st.sampled_from([0.0, 1.0, 1.5, 0.1, -2.0]) | st.floats(-10, 10, width=32),
)
#: Sets in which there is nothing to tell apart.
DEGENERATE = [
    np.zeros((1, 4), np.float32),
    np.ones((1, 4), np.float32),
    np.zeros((9, 4), np.float32),
    np.full((9, 4), 0.1, np.float32),
    np.repeat(np.array([[1, 0], [0, 1]], np.float32), 6, axis=0),
    np.arange(3, dtype=np.float32)[:, None],
]


def clumps(sizes: list[int], seed: int = 0) -> tuple[Features, NDArray[np.int64]]:
    """Return shuffled features of a few kinds, and the kind of each."""
    rng = np.random.default_rng(seed)
    kinds = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = rng.normal(5, 1, (len(sizes), 64))
    return (centres[kinds] + rng.normal(0, 0.2, (len(kinds), 64))).astype(np.float32), kinds


@given(FEATURES)
def test_similarity_is_symmetric_and_1_with_itself(features: Features) -> None:
    found = similarity(features)
    assert found.shape == (len(features), len(features)) and found.dtype == np.float32
    assert np.abs(found).max() <= 1
    assert np.array_equal(found, found.T)
    assert (np.diag(found) == 1).all()


def test_similarity_is_the_cosine_of_centred_features() -> None:
    features, _ = clumps([5, 6])
    found = similarity(features)
    centred = features - features.mean(axis=0)
    for i, j in ((0, 1), (2, 7), (4, 10)):
        expected = centred[i] @ centred[j] / np.linalg.norm(centred[i]) / np.linalg.norm(centred[j])
        assert found[i, j] == pytest.approx(expected, abs=1e-5)
    assert similarity(features + 100) == pytest.approx(found, abs=1e-3)


def test_centring_makes_two_kinds_dissimilar() -> None:
    features, kinds = clumps([20, 20])
    same = kinds[:, None] == kinds
    found = similarity(features)
    assert found[same].mean() > 0.9 and found[~same].mean() < -0.9
    assert mean_similarity(features) > 0.9


def test_equal_images_have_similarity_1() -> None:
    for features in (np.zeros((4, 3), np.float32), np.full((4, 3), 0.1, np.float32)):
        assert (similarity(features) == 1).all()
        assert mean_similarity(features) == pytest.approx(1)
    assert mean_similarity(np.eye(3, dtype=np.float32)) == 0
    assert mean_similarity(np.array([[1, 0], [-1, 0]], np.float32)) == pytest.approx(-1)


def test_pixel_similarity_is_the_correlation(paintings: NDArray[np.uint8]) -> None:
    pictures = np.asarray(paintings)
    vectors = pixel_vectors(pictures)
    assert vectors.shape == (len(pictures), 768) and vectors.dtype == np.float32
    small = np.stack([np.asarray(Image.fromarray(each).resize((16, 16), Image.Resampling.BOX)) for each in pictures])
    flat = small.reshape(len(pictures), -1).astype(float)
    cosine = vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1])
    assert cosine == pytest.approx(np.corrcoef(flat[0], flat[1])[0, 1], abs=0.01)
    assert pixel_vectors(pictures // 2 + 60) == pytest.approx(vectors / 2, abs=1)  # neither brightness nor contrast


@pytest.mark.parametrize("side", [16, 17, 100])
def test_pixel_vectors_of_uniform_images_are_zero(side: int) -> None:
    pictures = np.full((3, side, side, 3), 77, np.uint8)
    assert np.abs(pixel_vectors(pictures)).max() < 1e-4


@given(FEATURES)
def test_an_order_is_a_permutation(features: Features) -> None:
    assert sorted(cluster_order(similarity(features))) == list(range(len(features)))


def test_an_order_keeps_kinds_together() -> None:
    features, kinds = clumps([30, 20, 10])
    ordered = kinds[cluster_order(similarity(features))]
    assert np.count_nonzero(np.diff(ordered)) == 2


@given(FEATURES, st.integers(0, 8))
def test_typical_images_and_outliers_are_disjoint(features: Features, count: int) -> None:
    most, least = typical_and_outliers(features, count)
    assert len(most) == min(count, (len(features) + 1) // 2)
    assert len(least) == min(count, len(features) // 2)
    assert not set(most) & set(least)


def test_a_single_different_image_is_the_first_outlier() -> None:
    features, kinds = clumps([60, 1, 30])
    stranger = int(np.flatnonzero(kinds == 1)[0])
    most, least = typical_and_outliers(features, 8)
    assert least[0] == stranger
    assert (kinds[most] == 0).all()


@settings(max_examples=50)
@given(FEATURES)
def test_clusters_are_a_partition(features: Features) -> None:
    found = clusters(features)
    assert sorted(np.concatenate(found)) == list(range(len(features)))
    sizes = [len(members) for members in found]
    assert sizes == sorted(sizes, reverse=True)
    assert len(features) >= 12 or len(found) == 1


def test_two_repeated_images_are_two_clusters() -> None:
    found = clusters(np.repeat(np.array([[1, 0], [0, 1]], np.float32), [8, 6], axis=0))
    assert [members.tolist() for members in found] == [list(range(8)), list(range(8, 14))]


@pytest.mark.parametrize("sizes", [[20, 10], [15, 9, 6], [30, 25, 20, 15, 10]])
def test_clusters_are_the_kinds(sizes: list[int]) -> None:
    features, kinds = clumps(sizes)
    found = clusters(features)
    assert [len(members) for members in found] == sizes
    assert [set(kinds[members]) for members in found] == [{kind} for kind in range(len(sizes))]


def test_the_first_member_of_a_cluster_is_the_most_central() -> None:
    features, kinds = clumps([40, 40])
    odd = int(np.flatnonzero(kinds == 0)[0])
    features[odd] += np.random.default_rng(1).normal(0, 0.4, 64).astype(np.float32)
    members = next(each for each in clusters(features) if odd in each)
    assert members[-1] == odd


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 60])
def test_a_layout_has_a_position_for_every_image(count: int) -> None:
    features = np.random.default_rng(0).normal(1, 1, (count, 40)).astype(np.float32)
    found = tsne_layout(features)
    assert found.shape == (count, 2) and found.dtype == np.float64
    assert found.min() >= 0 and found.max() <= 1
    assert count == 1 or np.ptp(found, axis=0).max() == pytest.approx(1)
    assert np.array_equal(tsne_layout(features), found)


def test_neighbours_in_a_layout_are_of_one_kind() -> None:
    features, kinds = clumps([40, 30, 20])
    places = tsne_layout(features)
    ways = np.linalg.norm(places[:, None] - places, axis=2) + 9 * np.eye(len(places))
    assert (kinds[ways.argmin(axis=1)] == kinds).all()


@settings(max_examples=50)
@given(
    arrays(np.float64, st.tuples(st.integers(1, 30), st.just(2)), elements=st.floats(0, 1)),
    st.none() | st.integers(1, 12),
)
def test_grid_cells_are_distinct(places: NDArray[np.float64], columns: int | None) -> None:
    cells = assign_cells(places, columns)
    assert len({(column, row) for column, row in cells.tolist()}) == len(places)
    across = columns or int(np.ceil(np.sqrt(len(places))))
    assert cells.min() >= 0 and cells[:, 0].max() < across
    assert cells[:, 1].max() < np.ceil(len(places) / across)


def test_positions_on_a_grid_keep_their_cells() -> None:
    columns, rows = np.meshgrid(np.arange(4), np.arange(3))
    places = np.stack([columns.ravel() / 3, rows.ravel() / 2], axis=1)
    disorder = np.random.default_rng(0).permutation(12)
    assert assign_cells(places[disorder], 4).tolist() == [[place % 4, place // 4] for place in disorder]


@pytest.mark.parametrize("features", DEGENERATE)
def test_equal_or_few_features_are_handled(features: Features) -> None:
    assert np.isfinite(similarity(features)).all()
    assert np.isfinite(mean_similarity(features))
    assert len(np.concatenate(clusters(features))) == len(features)
    places = tsne_layout(features)
    assert np.isfinite(places).all() and places.min() >= 0 and places.max() <= 1
    assert len(np.unique(assign_cells(places), axis=0)) == len(features)


def test_hundreds_of_images_take_seconds() -> None:
    features = np.random.default_rng(0).normal(1, 1, (400, 64)).astype(np.float32)
    start = time.process_time()
    places = tsne_layout(features)
    cluster_order(similarity(features))
    assign_cells(places)
    assert time.process_time() - start < 5  # 0.7 s on an idle core, and 3 s for 1,000 pictures
