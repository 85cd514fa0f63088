"""Time spent training, and the speed of its steps."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds after which the speed counts as measured, unless the whole time is so short that a tenth of it must do.
ENOUGH = 10.0


class StepTimer:
    """Counts seconds of training over all resumes, and seconds a step without what is done beside the steps."""

    def __init__(self) -> None:
        self.before = 0.0  # seconds of earlier goes at this training
        self._recent: deque[tuple[int, float]] = deque(maxlen=16)  # steps and seconds between looks
        self._looks = 0
        self.fresh = True  #: whether the speed is that of now
        self.start()

    def start(self) -> None:
        """Begins to count."""
        self._started = self._looked = self._saved = time.perf_counter()

    @property
    def total(self) -> float:
        return self.before + time.perf_counter() - self._started

    @property
    def since_look(self) -> float:
        return time.perf_counter() - self._looked

    @property
    def since_save(self) -> float:
        return time.perf_counter() - self._saved

    @property
    def per_step(self) -> float:
        """Seconds a step takes, lately."""
        seconds = sum(seconds for _, seconds in self._recent)
        return max(seconds, 1e-9) / max(1, sum(steps for steps, _ in self._recent))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens inside does not count for the speed."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._looked += time.perf_counter() - begun

    def look(self, steps: int) -> None:
        """The device has just finished the last ``steps`` steps."""
        now = time.perf_counter()
        if self._looks == 1 or not self.fresh:
            self._recent.clear()  # the first steps also prepare memory and kernels
        self.fresh = True
        self._recent.append((steps, now - self._looked))
        self._looked, self._looks = now, self._looks + 1

    def forget(self) -> None:
        """From here on steps take another time, which is known after the next look."""
        self.fresh = False

    def saved(self) -> None:
        """A checkpoint has just been written."""
        self._saved = time.perf_counter()

    def measured(self, seconds: float) -> bool:
        """Whether the speed is known well enough to lay out a training of that many seconds."""
        return self._looks > 3 and time.perf_counter() - self._started > min(ENOUGH, 0.1 * seconds)
