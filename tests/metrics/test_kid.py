import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from impasto.metrics import kid
from impasto.metrics.kid import kernel_distance


def features(seed: int, count: int, size: int = 64, shift: float = 0.0) -> np.ndarray:
    return np.maximum(np.random.default_rng(seed).standard_normal((count, size)) + shift, 0).astype(np.float32)


def test_it_is_the_unbiased_estimate_by_the_kernel_of_scikit_learn() -> None:
    x, y = (features(seed, 200, shift=shift).astype(float) for seed, shift in ((1, 0), (2, 0.1)))
    within = [polynomial_kernel(each, degree=3, gamma=1 / 64, coef0=1) for each in (x, y)]
    across = polynomial_kernel(x, y, degree=3, gamma=1 / 64, coef0=1)
    unequal = sum((kernel.sum() - kernel.trace()) / (200 * 199) for kernel in within)
    assert kernel_distance(x, y)[0] == pytest.approx(unequal - 2 * across.mean(), rel=1e-9)


def test_unequal_counts_follow_the_papers_estimator_pair_by_pair() -> None:
    x, y = features(1, 7, 5), features(2, 4, 5, shift=0.3)

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a.astype(float) @ b.astype(float) / 5 + 1) ** 3)

    within_x = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    within_y = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    across = np.mean([k(a, b) for a in x for b in y])
    assert kernel_distance(x, y)[0] == pytest.approx(within_x + within_y - 2 * across)


def test_the_error_is_that_of_the_subsets_that_leave_one_picture_out() -> None:
    x, y = features(1, 9, 6), features(2, 6, 6, shift=0.3)
    of_x = np.array([kernel_distance(np.delete(x, i, 0), y)[0] for i in range(9)])
    of_y = np.array([kernel_distance(x, np.delete(y, i, 0))[0] for i in range(6)])
    assert kernel_distance(x, y)[1] == pytest.approx(np.sqrt(8 * of_x.var() + 5 * of_y.var()))


def test_the_error_is_as_large_as_the_value_varies_from_draw_to_draw() -> None:
    drawn = [kernel_distance(features(k, 60), features(1000 + k, 60, shift=0.3)) for k in range(200)]
    values, errors = np.transpose(drawn)
    assert errors.mean() == pytest.approx(values.std(), rel=0.15)


@pytest.mark.parametrize("count", [10, 40, 160])
def test_it_has_no_bias_however_few_pictures_there_are(count: int) -> None:
    drawn = np.array([kernel_distance(features(k, count), features(500 + k, count))[0] for k in range(100)])
    assert abs(drawn.mean()) < 3 * drawn.std() / np.sqrt(len(drawn))


def test_results_do_not_depend_on_order_or_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = features(1, 50), features(2, 33, shift=0.1)
    whole = kernel_distance(x, y)
    monkeypatch.setattr(kid, "BLOCK", 7)
    shuffled = kernel_distance(x[np.random.default_rng(0).permutation(50)], y[::-1])
    assert shuffled == pytest.approx(whole, rel=1e-9)


def test_two_pictures_have_a_distance_but_no_error() -> None:
    value, error = kernel_distance(features(1, 2), features(2, 9))
    assert np.isfinite(value) and np.isnan(error)
