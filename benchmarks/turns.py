"""Time several implementations in alternating rounds, so that a noisy machine affects all alike; and what their
convolutions take."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping

from torch.profiler import ProfilerActivity, profile

Way = Callable[[], Iterator[None]]  #: starts an implementation; each item of the iterator is one step


def seconds_per_step(ways: Mapping[str, Way], rounds: int, steps: int, warm_up: int) -> dict[str, float]:
    """Return the median over ``rounds`` of the seconds per step, without the ``warm_up`` steps of each round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            steps_of_way = way()
            for _ in range(warm_up):
                next(steps_of_way)
            begun = time.perf_counter()
            for _ in range(steps):
                next(steps_of_way)
            times[name].append((time.perf_counter() - begun) / steps)
            del steps_of_way  # stops the workers of a DataLoader
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def convolution_seconds(step: Callable[[], object]) -> float:
    """Return the seconds of a step that its convolutions take on a CPU: it cannot be faster with the same ones."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        step()
    averages = profiled.key_averages()
    return float(sum(each.self_cpu_time_total for each in averages if "convolution" in each.key)) / 1e6
