import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from impasto.metrics.fid import Gaussian, frechet_distance


def textbook(x: np.ndarray, y: np.ndarray) -> float:
    """Equation 6 of the paper as it stands, with scipy's square root of the product."""
    one, other = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(one @ other).real
    return float(np.square(x.mean(0) - y.mean(0)).sum() + np.trace(one + other - 2 * root))


def distance(x: np.ndarray, y: np.ndarray) -> float:
    return frechet_distance(Gaussian.of(x), Gaussian.of(y))


def features(seed: int, count: int, size: int, shift: float = 0.0) -> np.ndarray:
    """Correlated, of unequal variance, never negative: as a network's are."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((count, size)) @ (rng.standard_normal((size, size)) / np.sqrt(size))
    found: np.ndarray = np.maximum(mixed * np.linspace(0.1, 2, size) + shift, 0).astype(np.float32)
    return found


@pytest.mark.parametrize("counts", [(400, 300), (400, 90), (90, 400)])
def test_it_equals_scipys_square_root_to_a_millionth(counts: tuple[int, int]) -> None:
    x, y = features(1, counts[0], 64, 0.3), features(2, counts[1], 64)
    assert distance(x, y) == pytest.approx(textbook(x.astype(float), y.astype(float)), rel=1e-6)


def test_it_equals_scipys_square_root_at_the_size_of_real_features() -> None:
    x, y = features(1, 700, 512, 0.2), features(2, 600, 512)
    assert distance(x, y) == pytest.approx(textbook(x.astype(float), y.astype(float)), rel=1e-6)


def test_fewer_pictures_than_features_are_exact_too() -> None:
    """Where the covariances have no inverse: the same pictures in a space of just their span tell the truth."""
    x, y = features(1, 20, 30, 0.5), features(2, 25, 30)
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((2048, 30)))[0]
    eigenvalues = np.linalg.eigvals(np.cov(x, rowvar=False) @ np.cov(y, rowvar=False)).real
    traces = np.trace(np.cov(x, rowvar=False)) + np.trace(np.cov(y, rowvar=False))
    expected = np.square(x.mean(0) - y.mean(0)).sum() + traces - 2 * np.sqrt(np.maximum(eigenvalues, 0)).sum()
    wide = distance(x.astype(float) @ basis.T, y.astype(float) @ basis.T)
    assert wide == pytest.approx(float(expected), rel=1e-5)
    assert wide == pytest.approx(distance(x, y), rel=1e-9)


def test_300_pictures_of_2048_features_give_a_finite_symmetric_distance_that_is_not_negative() -> None:
    x, y = features(1, 300, 2048), features(2, 300, 2048)
    there, back = distance(x, y), distance(y, x)
    assert np.isfinite(there) and there > 0
    assert there == pytest.approx(back, rel=1e-9)
    assert distance(x, x) == pytest.approx(0, abs=1e-9 * there)
    assert distance(x, x) >= 0


def test_between_normal_distributions_on_a_line_it_is_known() -> None:
    """(μ₁ − μ₂)² + (σ₁ − σ₂)²."""
    unit = np.array([-1.0, 1.0, -1.0, 1.0])[:, None] * np.sqrt(3 / 4)  # deviation 1, without bias
    assert distance(2 * unit + 5, 3 * unit + 1) == pytest.approx(16 + 1)


@given(st.integers(2, 40), st.integers(2, 40), st.integers(1, 12), st.integers(0, 10**6))
def test_it_is_symmetric_not_negative_and_blind_to_order_and_rotation(n: int, m: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, size)), 2 * rng.standard_normal((m, size)) + 1
    turned = np.linalg.qr(rng.standard_normal((size, size)))[0]
    value = distance(x, y)
    assert value >= 0
    assert distance(y, x) == pytest.approx(value, rel=1e-9, abs=1e-9)
    assert distance(x[rng.permutation(n)] @ turned, y @ turned) == pytest.approx(value, rel=1e-7, abs=1e-7)
