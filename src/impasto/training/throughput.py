"""Training time, and seconds per step."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StepTimer:
    """Measure the training time over all resumes, and the seconds per step without sampling, scoring and saving."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.offset = 0.0  #: seconds that earlier processes trained
        self._recent: deque[tuple[int, float]] = deque(maxlen=16)  # steps and seconds between synchronisations
        self._syncs = 0
        self._current = True  # whether ``seconds_per_step`` is the speed of the steps made now
        self.start()

    def start(self) -> None:
        """Start the clock."""
        self._started = self._synced = self._saved = self._clock()

    @property
    def elapsed(self) -> float:
        """Seconds of training, those of earlier processes included."""
        return self.offset + self._clock() - self._started

    @property
    def since_sync(self) -> float:
        """Seconds since the last synchronisation with the device."""
        return self._clock() - self._synced

    @property
    def since_save(self) -> float:
        """Seconds since the last checkpoint."""
        return self._clock() - self._saved

    @property
    def seconds_per_step(self) -> float:
        """Mean over the last steps."""
        seconds = sum(seconds for _, seconds in self._recent)
        return max(seconds, 1e-9) / max(1, sum(steps for steps, _ in self._recent))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the time inside out of ``seconds_per_step``."""
        begun = self._clock()
        try:
            yield
        finally:
            self._synced += self._clock() - begun

    def sync(self, steps: int) -> None:
        """Record that the device has just finished the last ``steps`` steps."""
        now = self._clock()
        if self._syncs == 1 or not self._current:
            self._recent.clear()  # the first steps also allocate memory and compile kernels
        self._current = True
        self._recent.append((steps, now - self._synced))
        self._synced, self._syncs = now, self._syncs + 1

    def invalidate(self) -> None:
        """Measure the speed anew: the next steps take another time."""
        self._current = False

    def saved(self) -> None:
        """Record that a checkpoint has just been written."""
        self._saved = self._clock()
