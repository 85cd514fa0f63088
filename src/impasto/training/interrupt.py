"""Graceful stop on Ctrl-C, SIGTERM and SIGHUP."""

import signal
import threading
from types import FrameType
from typing import Self

#: What ``kill``, a shutdown or a batch system sends, and what a closed terminal sends (not on Windows).
STOP_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def heeded_signals() -> list[signal.Signals]:
    """Return those of STOP_SIGNALS that are not ignored, as SIGHUP is under ``nohup``, and whose handlers Python can
    restore."""
    return [number for number in STOP_SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]


class InterruptHandler:
    """Context manager in which Ctrl-C, SIGTERM and SIGHUP only set ``signal``, for the loop to finish its step.

    A second Ctrl-C raises KeyboardInterrupt at once. SIGTERM and SIGHUP stay ignored where they are, as under
    ``nohup``. Outside the main thread nothing is changed.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._previous: dict[int, object] = {}

    @property
    def number(self) -> int | None:
        """The number of the signal that came, if any."""
        return None if self.signal is None else int(self.signal)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *heeded_signals()):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
