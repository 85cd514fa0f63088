"""What can end a training badly: numbers that are no numbers, fakes all alike, and signals."""

import math
import signal
import threading
from collections import deque
from collections.abc import Mapping
from types import FrameType
from typing import Self

#: Below this spread of the fakes, relative to that of the reals, they count as all alike.
COLLAPSED = 0.05
#: The steps a generator is given to leave its grey start, and the steps in a row that make a collapse.
GRACE, WINDOW = 200, 20


class FailureDetector:
    """Watches the rows of the log for the two ways in which a GAN is lost."""

    def __init__(self) -> None:
        self.diversity_ratios: deque[float] = deque(maxlen=WINDOW)

    def see(self, row: Mapping[str, float]) -> str | None:
        """What is wrong, in plain words, now that ``row`` has come; None if nothing."""
        watched = {name: value for name, value in row.items() if name.startswith("loss_") or name == "diversity_ratio"}
        bad = [name for name, value in watched.items() if not math.isfinite(value)]
        if bad:
            return f"{bad[0].replace('_', ' ')} is no longer a number"
        if row["step"] > GRACE:
            self.diversity_ratios.append(row["diversity_ratio"])
        if len(self.diversity_ratios) == WINDOW and max(self.diversity_ratios) < COLLAPSED:
            return (
                f"the generator has collapsed, its pictures are all alike "
                f"(they vary {max(self.diversity_ratios):.1%} as much as the real ones)"
            )
        return None

    @property
    def healthy(self) -> bool:
        """Whether the state now is one to come back to."""
        return not self.diversity_ratios or self.diversity_ratios[-1] > 2 * COLLAPSED


class Interruption:
    """Inside, Ctrl-C and SIGTERM only set ``signal``, for the loop to finish its step; a second Ctrl-C ends at once."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
