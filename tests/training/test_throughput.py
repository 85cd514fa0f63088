import time

import pytest

from impasto.training.throughput import StepTimer


def test_what_is_done_beside_the_steps_does_not_count_for_their_speed() -> None:
    clock = StepTimer()
    clock.look(1)
    for _ in range(3):
        time.sleep(0.02)
        with clock.paused():
            time.sleep(0.2)
        clock.look(2)
    assert 0.01 <= clock.per_step < 0.05
    assert clock.total > 0.6


def test_earlier_goes_count_for_the_total_alone() -> None:
    clock = StepTimer()
    clock.before = 1000.0
    assert clock.total == pytest.approx(1000, abs=1)
    assert clock.since_save < 1


def test_two_looks_in_the_same_instant_do_no_harm() -> None:
    clock = StepTimer()
    for _ in range(5):
        clock.look(1)
    assert clock.per_step > 0
