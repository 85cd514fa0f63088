"""Ways of doing the same, timed in alternating turns, so that a noisy machine is noisy for all."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping

Way = Callable[[], Iterator[None]]  #: begins anew, and makes a step each time it is asked for one


def seconds_per_step(ways: Mapping[str, Way], rounds: int, steps: int, warm_up: int) -> dict[str, float]:
    """The median over ``rounds`` of each way's seconds a step; the first ``warm_up`` steps of a turn do not count."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            going = way()
            for _ in range(warm_up):
                next(going)
            begun = time.perf_counter()
            for _ in range(steps):
                next(going)
            times[name].append((time.perf_counter() - begun) / steps)
            del going  # ends what it started, such as the workers of a DataLoader
    return {name: statistics.median(seconds) for name, seconds in times.items()}
