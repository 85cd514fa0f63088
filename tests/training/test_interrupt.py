"""Graceful stop on signals."""

import os
import signal

import pytest

from impasto.training.interrupt import STOP_SIGNALS, InterruptHandler

pytestmark = pytest.mark.usefixtures("default_signals")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_recorded_and_the_previous_handler_restored(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with InterruptHandler() as interrupt:
        os.kill(os.getpid(), number)
        assert (interrupt.signal, interrupt.number) == (number, number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_an_ignored_signal_stays_ignored(number: signal.Signals) -> None:
    """As SIGHUP under nohup."""
    signal.signal(number, signal.SIG_IGN)
    with InterruptHandler() as interrupt:
        os.kill(os.getpid(), number)
        assert interrupt.signal is None


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with InterruptHandler(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
