"""Time several implementations in alternating rounds, so that a noisy machine affects all alike; and what their
convolutions take."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping

from torch.profiler import ProfilerActivity, profile

from results import record

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


def report(title: str, what: str, ways: Mapping[str, Way], rounds: int, steps: int, warm_up: int) -> None:
    """Compare the ways "plain" and "ours" with each other and with the convolutions of ours; print and record it."""
    medians = seconds_per_step(ways, rounds, steps, warm_up)
    print(title)
    for name, median in medians.items():
        print(f"{name:8} {median:7.3f} s a step  {medians['plain'] / median:5.2f} times")
    steps_of_ours = ways["ours"]()
    next(steps_of_ours)
    limit = convolution_seconds(lambda: next(steps_of_ours))
    print(f"convolutions of ours {limit:.3f} s a step")
    record(what, medians["ours"], medians["plain"], limit)


def convolution_seconds(step: Callable[[], object]) -> float:
    """Return the seconds of a step that its convolutions take on a CPU: it cannot be faster with the same ones."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        step()
    averages = profiled.key_averages()
    return float(sum(each.self_cpu_time_total for each in averages if "convolution" in each.key)) / 1e6
