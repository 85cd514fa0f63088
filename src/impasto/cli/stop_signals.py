"""SIGTERM and SIGHUP end a command as Ctrl-C does: cleanly, and with one line."""

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from impasto.terminal import print_lines
from impasto.training.interrupt import heeded_signals

#: Seconds after which an interruption that was dropped is raised again.
AGAIN = 0.01


@contextmanager
def stop_signals_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on the first SIGTERM or SIGHUP inside; then exit with 128 + its number and one line.

    Later ones are ignored, since they would interrupt the cleaning up. A signal that is ignored, as SIGHUP is under
    ``nohup``, stays ignored. An interruption that Python drops, as it came in a finalizer, is raised again. Outside the
    main thread nothing is changed.
    """
    received: list[int] = []
    report_dropped = sys.unraisablehook

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not received:
            received.append(number)
            raise KeyboardInterrupt

    def raise_again(dropped: "sys.UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, KeyboardInterrupt):
            number = received.pop() if received else signal.SIGINT
            threading.Timer(AGAIN, _thread.interrupt_main, [number]).start()  # here it would be dropped again
        else:
            report_dropped(dropped)

    here = threading.current_thread() is threading.main_thread()
    handled = {number: signal.signal(number, interrupt) for number in (heeded_signals() if here else ())}
    if here:
        sys.unraisablehook = raise_again
    try:
        yield
    except BaseException:  # whatever the interruption became on its way
        if not received:
            raise
    finally:
        sys.unraisablehook = report_dropped
        for number, handler in handled.items():
            signal.signal(number, handler)
    if received:
        print_lines(f"impasto: stopped by {signal.Signals(received[0]).name}.", file=sys.stderr)
        sys.exit(128 + received[0])
