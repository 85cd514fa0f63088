"""Training time and speed."""

import pytest

from fixtures.clock import FakeClock
from impasto.training.throughput import StepTimer


def test_seconds_per_step_leave_out_pauses() -> None:
    clock = FakeClock()
    timer = StepTimer(clock)
    timer.sync(1)
    for _ in range(3):
        clock.advance(0.5)
        with timer.paused():
            clock.advance(10)
        timer.sync(2)
    assert timer.seconds_per_step == pytest.approx(0.25)
    assert timer.elapsed == pytest.approx(31.5)


def test_earlier_processes_count_for_the_elapsed_time_alone() -> None:
    clock = FakeClock()
    timer = StepTimer(clock)
    timer.offset = 1000.0
    clock.advance(2)
    assert (timer.elapsed, timer.since_save, timer.since_sync) == (1002, 2, 2)
    timer.saved()
    assert timer.since_save == 0


def test_the_speed_is_measured_anew_after_a_change() -> None:
    clock = FakeClock()
    timer = StepTimer(clock)
    for seconds in (1, 1, 1, 1):
        clock.advance(seconds)
        timer.sync(1)
    timer.invalidate()
    clock.advance(4)
    timer.sync(1)
    assert timer.seconds_per_step == 4


def test_syncs_at_the_same_instant_give_a_finite_speed() -> None:
    timer = StepTimer(FakeClock())
    for _ in range(5):
        timer.sync(1)
    assert timer.seconds_per_step > 0
