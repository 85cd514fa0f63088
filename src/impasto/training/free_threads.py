"""As many threads as there are processors that other programs leave free.

The threads of a computation wait for the slowest: beside a program that keeps one of two processors busy, a step of
``dcgan-64`` took 4.3 times as long with two threads and 1.5 times with one.
"""

import os
import time
from collections.abc import Callable

import psutil
import torch

#: Seconds over which the load is measured, at least.
WINDOW, WINDOW_AT_ONCE = 3.0, 1.0
#: Measurements in a row that have to agree before threads are taken away, and before they are given back.
FEWER_AFTER, MORE_AFTER = 2, 5


class FreeThreads:
    """Adapts the number of torch's threads to the load by other programs, at most to the number at the start."""

    def __init__(
        self, load: Callable[[], tuple[float, float]] | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """
        Args:
            load: returns the number of processors and how many of them other programs used since its last call.
            clock: the time in seconds.
        """
        self._load, self._clock = load or Load().since_last, clock
        self._most = torch.get_num_threads()
        self._wanted, self._times = self._most, 0
        self._measured = clock()

    def adapt(self, at_once: bool = False) -> str | None:
        """Set the number of threads if the load has changed for good; ``at_once``: by what is known of it.

        Returns:
            A sentence about the change, if there was one.
        """
        if self._most == 1 or self._clock() - self._measured < (WINDOW_AT_ONCE if at_once else WINDOW):
            return None
        self._measured = self._clock()
        processors, used = self._load()
        wanted = min(max(round(processors - used), 1), self._most)
        self._times = self._times + 1 if wanted == self._wanted else 1
        self._wanted = wanted
        now = torch.get_num_threads()
        if wanted == now or (not at_once and self._times < (FEWER_AFTER if wanted < now else MORE_AFTER)):
            return None
        torch.set_num_threads(wanted)
        threads = "1 thread" if wanted == 1 else f"{wanted} threads"
        if wanted == self._most:
            return f"The processors are free again: continuing on {threads}."
        return f"Other programs use {used:.1f} of {processors:g} processors: continuing on {threads} instead of {now}."


class Load:
    """Measures how much other programs use the processors that this process may use."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._times()

    def since_last(self) -> tuple[float, float]:
        """Return the number of processors and how many of them others used on average since the last call, which
        includes what a virtual machine was not given."""
        before, self._before = self._before, self._times()
        elapsed, idle, own = (now - then for now, then in zip(self._before, before, strict=True))
        processors = len(self._processors())
        return processors, max(elapsed - idle - own, 0.0) / max(elapsed, 1e-9) * processors

    def _times(self) -> tuple[float, float, float]:
        """Return seconds of all processors: in all, idle, and those of this process and its children."""
        all_times = psutil.cpu_times(percpu=True)
        times = [all_times[number] for number in self._processors() if number < len(all_times)]
        idle = sum(each.idle + getattr(each, "iowait", 0.0) for each in times)
        # Linux counts the time of guests as that of the user too.
        elapsed = sum(sum(each) - getattr(each, "guest", 0.0) - getattr(each, "guest_nice", 0.0) for each in times)
        return elapsed, idle, sum(map(_processor_seconds, [self._process, *self._process.children(recursive=True)]))

    def _processors(self) -> list[int]:
        affinity = getattr(self._process, "cpu_affinity", None)  # not on macOS
        return list(range(os.cpu_count() or 1)) if affinity is None else affinity()


def _processor_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # a child that has just ended
        return 0.0
    return float(times.user + times.system)
