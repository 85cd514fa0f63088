"""Measurements that convert a time budget into steps: the time of steps, samples, scores and checkpoints."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from impasto.training.schedule import Overhead
from impasto.training.throughput import StepTimer

#: Checkpoints in a training, and bounds of the seconds between two.
SAVES, SAVE_EVERY = 20, (10.0, 120.0)
#: Seconds in which the speed of steps is measured, and their largest share of the budget.
PROBE_SECONDS, PROBE_SHARE = 10.0, 0.03
#: Divisor of the scored images when only the time of an evaluation is measured.
PROBE = 8


def save_interval(seconds: float) -> float:
    """Return the seconds between two checkpoints of a training of so many ``seconds``."""
    low, high = SAVE_EVERY
    return min(max(seconds / SAVES, low), high)


def measure_overhead(
    timer: StepTimer,
    seconds: float,
    *,
    sample: Callable[[], object],
    score: Callable[[], object],
    save: Callable[[], object],
) -> Overhead:
    """Return what a training of so many ``seconds`` takes beside its steps.

    Args:
        timer: the time.
        seconds: the budget.
        sample: writes samples.
        score: scores 1 / :data:`PROBE` of the images.
        save: saves a checkpoint.
    """

    def timed(act: Callable[[], object]) -> float:
        begun = timer.elapsed
        act()
        return timer.elapsed - begun

    return Overhead(timed(sample), PROBE * timed(score), timed(save) * seconds / save_interval(seconds))


def measure_speeds(
    timer: StepTimer, seconds: float, changes: Sequence[float], step: Callable[[float], object]
) -> list[float]:
    """Return the seconds of a step in each part of a training of so many ``seconds``.

    Args:
        timer: the time.
        seconds: the budget.
        changes: the shares of the training, 0…1, between its parts.
        step: makes a step at a progress, 0…1, and waits for the device.
    """
    parts = list(pairwise([0.0, *changes, 1.0]))
    each = min(PROBE_SECONDS, PROBE_SHARE * seconds) / len(parts)
    return [_measure_speed(timer, each, (low + high) / 2, step) for low, high in parts]


def _measure_speed(timer: StepTimer, seconds: float, progress: float, step: Callable[[float], object]) -> float:
    """Return the seconds of a step, from steps of about so many ``seconds`` in all, two at least."""
    step(progress)  # it also allocates memory and compiles kernels
    steps, begun = 0, timer.elapsed
    while steps < 2 or timer.elapsed - begun < seconds:
        step(progress)
        steps += 1
    return max((timer.elapsed - begun) / steps, 1e-9)
