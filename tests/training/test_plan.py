"""The time of steps, samples, scores and checkpoints is measured as a training will take it."""

import pytest

from fixtures.clock import FakeClock
from impasto.training.plan import PROBE, measure_overhead, measure_speeds, save_interval
from impasto.training.throughput import StepTimer


@pytest.mark.parametrize(("first", "steps"), [(1.0, 10), (60.0, 10)])
def test_a_slow_first_step_does_not_become_the_speed(first: float, steps: int) -> None:
    """It may compile kernels for longer than the speed is measured."""
    clock, made = FakeClock(), list[float]()

    def step(progress: float) -> None:
        made.append(progress)
        clock.advance(first if len(made) == 1 else 1.0)

    assert measure_speeds(StepTimer(clock), 3600, (), step) == [1.0]
    assert made == [0.5] * (1 + steps)


def test_each_part_is_measured_by_two_steps_at_least() -> None:
    clock, made = FakeClock(), list[float]()

    def step(progress: float) -> None:
        made.append(progress)
        clock.advance(100 * progress)

    assert measure_speeds(StepTimer(clock), 60, (0.5,), step) == [25, 75]
    assert made == [0.25] * 3 + [0.75] * 3


def test_the_overhead_is_that_of_all_images_and_checkpoints() -> None:
    clock = FakeClock()
    overhead = measure_overhead(
        StepTimer(clock),
        600.0,
        sample=lambda: clock.advance(2.0),
        score=lambda: clock.advance(3.0),
        save=lambda: clock.advance(0.5),
    )
    assert (overhead.sample, overhead.score, overhead.saving) == (2.0, PROBE * 3.0, 20 * 0.5)


def test_checkpoints_are_neither_rare_nor_frequent() -> None:
    assert [save_interval(seconds) for seconds in (60, 600, 36_000)] == [10, 30, 120]
