import numpy as np
import pytest
import scipy.stats

from impasto.metrics.inception_score import inception_score


def test_it_is_the_exponential_of_the_mean_divergence() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(10), 50)
    expected = np.exp(np.mean([scipy.stats.entropy(each, p.mean(0)) for each in p]))
    assert inception_score(p)[0] == pytest.approx(expected)


def test_it_counts_the_classes_of_a_sure_classifier_and_is_one_for_pictures_all_alike() -> None:
    assert inception_score(np.repeat(np.eye(8), 5, axis=0))[0] == pytest.approx(8)
    assert inception_score(np.tile([0.2, 0.5, 0.3], (9, 1))) == pytest.approx((1, 0))


def test_the_error_is_as_large_as_the_score_varies_from_draw_to_draw() -> None:
    drawn = [inception_score(np.random.default_rng(k).dirichlet(0.3 * np.ones(10), 400)) for k in range(200)]
    scores, errors = np.transpose(drawn)
    assert errors.mean() == pytest.approx(scores.std(), rel=0.25)
