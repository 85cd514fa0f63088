import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.config.optimisation import ScheduleConfig


@given(progress=st.floats(0, 1), decay_from=st.floats(0, 0.99), warmup=st.floats(0.01, 0.9))
def test_the_learning_rate_rises_in_a_line_and_falls_in_a_line_or_as_a_cosine(
    progress: float, decay_from: float, warmup: float
) -> None:
    rise = min(1.0, progress / warmup)
    gone = max(0.0, (progress - decay_from) / (1 - decay_from))
    line = ScheduleConfig(decay_from=decay_from, warmup=warmup)
    cosine = ScheduleConfig(decay_from=decay_from, warmup=warmup, shape="cosine")
    assert line.factor(progress) == pytest.approx(rise * (1 - gone), abs=1e-9)
    assert cosine.factor(progress) == pytest.approx(rise * (1 + math.cos(math.pi * gone)) / 2, abs=1e-9)


@given(
    points=st.lists(st.floats(0, 1), min_size=2, max_size=9),
    decay_from=st.floats(0, 1),
    shape=st.sampled_from(["linear", "cosine"]),
)
def test_it_is_whole_until_it_decays_then_only_falls_and_ends_at_nothing(
    points: list[float], decay_from: float, shape: str
) -> None:
    schedule = ScheduleConfig.model_validate({"decay_from": decay_from, "shape": shape})
    factors = [schedule.factor(point) for point in sorted(points)]
    assert factors == sorted(factors, reverse=True)
    assert all(0 <= factor <= 1 for factor in factors)
    assert all(schedule.factor(point) == 1 for point in points if point <= decay_from)
    assert schedule.factor(1) == pytest.approx(0 if decay_from < 1 else 1, abs=1e-9)


def test_at_the_middle_of_its_fall_it_is_half_in_either_shape() -> None:
    assert ScheduleConfig(decay_from=0.5).factor(0.75) == 0.5
    assert ScheduleConfig(decay_from=0.5, shape="cosine").factor(0.75) == pytest.approx(0.5)
    assert ScheduleConfig(decay_from=1, warmup=0.2).factor(0.1) == 0.5
