import os
import signal

import pytest

from impasto.training.failure import COLLAPSED, GRACE, WINDOW, FailureDetector, Interruption


def row(step: int, spread: float = 0.8, loss: float = 1.0) -> dict[str, float]:
    return {"step": step, "loss_generator": loss, "diversity_ratio": spread}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_noticed_at_once(bad: float) -> None:
    guard = FailureDetector()
    assert guard.see(row(1)) is None
    assert "loss generator is no longer a number" in (guard.see(row(2, loss=bad)) or "")


def test_fakes_all_alike_for_a_while_are_a_collapse() -> None:
    guard = FailureDetector()
    said = [guard.see(row(GRACE + k, spread=0.01)) for k in range(1, WINDOW + 1)]
    assert said[:-1] == [None] * (WINDOW - 1)
    assert "collapsed" in (said[-1] or "")


def test_a_grey_start_and_a_short_dip_are_no_collapse() -> None:
    guard = FailureDetector()
    assert all(guard.see(row(step, spread=0.0)) is None for step in range(1, GRACE + 1))
    for step in range(GRACE + 1, GRACE + 1000):
        dip = step % WINDOW != 0
        assert guard.see(row(step, spread=0.0 if dip else 0.5)) is None


def test_a_state_on_its_way_to_a_collapse_is_none_to_come_back_to() -> None:
    guard = FailureDetector()
    healthy = [guard.healthy]
    for step, spread in ((GRACE + 1, 1.5 * COLLAPSED), (GRACE + 2, 0.5)):
        guard.see(row(step, spread))
        healthy.append(guard.healthy)
    assert healthy == [True, False, True]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_nothing_is_cut_short(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        os.kill(os.getpid(), number)
        assert interruption.signal == number
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_ends_at_once() -> None:
    with Interruption(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
