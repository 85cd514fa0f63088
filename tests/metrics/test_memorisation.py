from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from impasto.metrics import memorisation
from impasto.metrics.base import FeatureComparison, FeatureSet
from impasto.metrics.memorisation import (
    measure_memorisation,
    memorisation_distance,
    mifid,
    nearest_neighbours,
    nearest_other_distances,
)


def features(seed: int, count: int) -> np.ndarray:
    return np.abs(np.random.default_rng(seed).standard_normal((count, 32))).astype(np.float32)


def competition(fakes: np.ndarray, reals: np.ndarray) -> float:
    """The competition's memorisation distance as its evaluation has it: zero rows go, then rows are normalised, and
    the smallest 1 − |cosine| over the training pictures is averaged over the generated ones."""
    f, r = (x[~np.all(x == 0, axis=1)].astype(float) for x in (fakes, reals))
    f, r = (x / np.linalg.norm(x, axis=1)[:, None] for x in (f, r))
    smallest = [min(1 - abs(float(a @ b)) for b in r) for a in f]
    return sum(smallest) / len(smallest)


def d(fakes: np.ndarray, reals: np.ndarray) -> float:
    return memorisation_distance(nearest_neighbours(fakes, reals)[0][:, 0], fakes)


def test_d_is_that_of_the_competition() -> None:
    fakes, reals = features(1, 23), features(2, 17)
    assert d(fakes, reals) == pytest.approx(competition(fakes, reals))
    assert d(fakes, reals) != pytest.approx(d(reals, fakes), rel=1e-3)  # over the fakes, not over the reals


def test_memorisation_is_measured_by_distances_as_they_are() -> None:
    fakes, reals = features(1, 23), features(2, 17)
    network: Any = SimpleNamespace(name="net")
    found = measure_memorisation(FeatureComparison(fakes, FeatureSet(reals, network, 64)))
    assert found.fakes == nearest_neighbours(fakes, reals)[0][:, 0].tolist()
    assert found.reals == nearest_other_distances(reals).tolist()
    assert (found.network, found.suspects) == ("net", [])


def test_all_zero_features_are_ignored() -> None:
    fakes, reals = features(1, 23), features(2, 17)
    spoilt = np.concatenate([fakes, np.zeros((5, 32), np.float32)])
    holes = np.concatenate([np.zeros((3, 32), np.float32), reals])
    assert d(spoilt, holes) == pytest.approx(competition(spoilt, holes)) == pytest.approx(d(fakes, reals))


@pytest.mark.parametrize(
    ("d", "expected"), [(0.05, 40 / 0.05), (0.0999, 40 / 0.0999), (0.1, 40.0), (0.25, 40.0), (0.0, 40e15)]
)
def test_mifid_divides_by_d_below_a_tenth_and_by_one_elsewhere(d: float, expected: float) -> None:
    assert mifid(40.0, d) == pytest.approx(expected)


def test_copies_are_matched_to_their_originals() -> None:
    reals = features(2, 17)
    distances, indices = nearest_neighbours(2 * reals[[5, 11]], reals, 3)
    assert indices[:, 0].tolist() == [5, 11]
    assert distances[:, 0] == pytest.approx(0, abs=1e-7)
    assert (np.diff(distances, axis=1) >= 0).all()


def test_an_image_is_not_its_own_neighbour() -> None:
    reals = features(2, 17)
    found = nearest_other_distances(reals)
    assert found.min() > 0.01
    twice = np.concatenate([reals, reals[:1]])
    assert nearest_other_distances(twice)[[0, -1]] == pytest.approx(0, abs=1e-7)


def test_results_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes, reals = features(1, 23), features(2, 17)
    whole, others = nearest_neighbours(fakes, reals, 2), nearest_other_distances(fakes)
    monkeypatch.setattr(memorisation, "BLOCK", 5)
    again = nearest_neighbours(fakes, reals, 2)
    assert again[0] == pytest.approx(whole[0]) and (again[1] == whole[1]).all()
    assert nearest_other_distances(fakes) == pytest.approx(others)
