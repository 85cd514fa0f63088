import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from impasto.inference.latents import Latent, around, slerp, truncated, walk


def latent(seed: int, length: int = 64) -> Latent:
    return np.random.default_rng(seed).standard_normal(length, dtype=np.float32)


def angle(one: Latent, other: Latent) -> float:
    cosine = np.vdot(one, other) / np.linalg.norm(one) / np.linalg.norm(other)
    return float(np.arccos(np.clip(cosine, -1, 1)))


def test_truncated_latents_follow_the_truncated_normal_distribution_in_the_same_order() -> None:
    one = latent(0, 20_000)
    calm = truncated(one, 0.8)
    assert stats.kstest(calm, stats.truncnorm(-0.8, 0.8).cdf).pvalue > 0.01
    assert (np.diff(calm[np.argsort(one)]) >= 0).all()
    assert truncated(one, None) is one
    np.testing.assert_allclose(truncated(one, 9.0), one, atol=1e-4)


@given(st.integers(0, 99), st.integers(100, 199), st.floats(0, 1))
def test_slerp_keeps_the_norm_and_is_linear_in_the_angle(one: int, other: int, share: float) -> None:
    first = latent(one)
    last = latent(other)
    last *= np.linalg.norm(first) / np.linalg.norm(last)
    there = slerp(first, last, share)
    assert np.linalg.norm(there) == pytest.approx(np.linalg.norm(first), rel=1e-4)
    assert angle(first, there) == pytest.approx(share * angle(first, last), abs=2e-3)


def test_a_loop_is_smooth_and_slow_at_its_stops() -> None:
    stops = [latent(seed) for seed in range(3)]
    way = list(walk(stops, 20, closed=True))
    assert len(way) == 60
    for place, stop in enumerate(stops):
        np.testing.assert_allclose(way[20 * place], stop, atol=1e-5)
    steps = [angle(one, other) for one, other in zip(way, [*way[1:], way[0]], strict=True)]
    assert max(steps) < 0.2 and steps[0] < 0.02 and steps[-1] < 0.02


def test_a_loop_of_one_latent_is_constant() -> None:
    assert all(np.allclose(each, latent(1)) for each in walk([latent(1)], 5, closed=True))


def test_a_walk_equals_the_loop_up_to_the_last_stop() -> None:
    stops = [latent(seed) for seed in range(3)]
    way = list(walk(stops, 20, closed=False))
    assert len(way) == 41
    np.testing.assert_allclose(way, list(walk(stops, 20, closed=True))[:41], atol=1e-5)
    assert np.array_equal(way[-1], stops[-1]) and len(list(walk(stops[:1], 20, closed=False))) == 1


def test_neighbours_have_the_same_norm_and_the_given_angle() -> None:
    middle = latent(4)
    near = around(middle, 0.6, 5, np.random.default_rng(1))
    assert len(near) == 25 and np.array_equal(near[12], middle)
    assert all(np.linalg.norm(each) == pytest.approx(np.linalg.norm(middle), rel=1e-4) for each in near)
    turned = np.array([angle(middle, each) for each in near]).reshape(5, 5)
    np.testing.assert_allclose(turned[2], [0.6, 0.3, 0, 0.3, 0.6], atol=2e-3)
    np.testing.assert_allclose(turned[:, 2], [0.6, 0.3, 0, 0.3, 0.6], atol=2e-3)
    assert turned[0, 0] == pytest.approx(0.6 * 2**0.5, abs=2e-3)
