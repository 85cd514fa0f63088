"""SIGTERM and SIGHUP end a command as Ctrl-C does: cleanly, and with one line."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from impasto.terminal import print_lines
from impasto.training.interrupt import heeded_signals


@contextmanager
def stop_signals_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on the first SIGTERM or SIGHUP inside; then exit with 128 + its number and one line.

    Later ones are ignored, since they would interrupt the cleaning up. A signal that is ignored, as SIGHUP is under
    ``nohup``, stays ignored. Outside the main thread nothing is changed.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not received:
            received.append(number)
            raise KeyboardInterrupt

    here = threading.current_thread() is threading.main_thread()
    handled = {number: signal.signal(number, interrupt) for number in (heeded_signals() if here else ())}
    try:
        yield
    except BaseException:  # whatever the interruption became on its way
        if not received:
            raise
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
    if received:
        print_lines(f"impasto: stopped by {signal.Signals(received[0]).name}.", file=sys.stderr)
        sys.exit(128 + received[0])
