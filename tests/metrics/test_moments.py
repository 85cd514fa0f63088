"""Moments of features that are not kept are those of all of them, whatever the batches in which they arrive."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.metrics import moments
from impasto.metrics.fid import Gaussian, frechet_distance
from impasto.metrics.moments import FeatureCollector, halves, sample_numbers


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "MAX_SAMPLE", 10)
    monkeypatch.setattr(moments, "CHUNK", 8)


def collect(features: np.ndarray, cuts: list[int], count: int | None = None) -> dict[str, np.ndarray]:
    collected = FeatureCollector(features.shape[1], count or len(features))
    for part in np.split(features, sorted(cut % (len(features) + 1) for cut in cuts)):
        collected.add(part)
    return collected.arrays()


@given(st.integers(11, 80), st.lists(st.integers(0, 100), max_size=9), st.integers(0, 5))
def test_moments_are_those_of_all_features(count: int, cuts: list[int], unreadable: int) -> None:
    features = (5 + np.random.default_rng(count).normal(size=(count - unreadable, 4))).astype(np.float32)
    found, whole = collect(features, cuts, count), collect(features, [], count)
    assert all((found[name] == whole[name]).all() for name in whole), "bit for bit, whatever the batches"
    kept = [number for number in sample_numbers(count) if number < len(features)]
    assert len(sample_numbers(count)) == 10 and (found["features"] == features[kept]).all()
    one, other = halves(found)
    assert abs(one.count - other.count) <= 1 and one.count + other.count == len(features)
    np.testing.assert_allclose(one.scatter / one.count, np.cov(features[::2].T, bias=True), rtol=1e-9, atol=1e-12)
    fitted = Gaussian.of_moments((one, other))
    assert frechet_distance(fitted, Gaussian.of(features)) < 1e-9


def test_few_features_are_all_kept() -> None:
    features = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    found = collect(features, [3])
    assert found.keys() == {"features"} and (found["features"] == features).all() and halves(found) == ()
