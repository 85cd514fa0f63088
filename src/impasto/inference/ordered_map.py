"""Several at work at once, whose results come in the order of what they were given."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Given = TypeVar("Given")
Made = TypeVar("Made")

#: How much faster many workers of one thread have to be than one of all threads, for each takes memory of its own.
GAIN = 1.05


def ordered_map(
    work: Callable[[Given], Made], given: Iterable[Given], workers: int, threads: int
) -> Iterator[tuple[Given, Made]]:
    """What ``work`` makes of each, in order: by so many workers, each of whom computes on so many threads.

    One more than there are workers is begun at most, so that what is made does not pile up. What ``work`` raises ends
    it, and so does leaving the loop: what is not begun then is not done.
    """
    if workers == 1:
        yield from ((each, work(each)) for each in given)
        return
    waiting: deque[tuple[Given, Future[Made]]] = deque()
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        try:
            for each in given:
                waiting.append((each, pool.submit(work, each)))
                if len(waiting) > workers:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def choose_workers(work: Callable[[], object]) -> int:
    """How many workers do ``work`` fastest on this machine, found by having it done: one on all of torch's threads, or
    as many as there are threads, on one each."""
    cores = torch.get_num_threads()
    if cores == 1:
        return 1
    alone = []
    for _ in range(3):  # the first time prepares what later ones have
        start = time.perf_counter()
        work()
        alone.append(time.perf_counter() - start)
    start = time.perf_counter()
    for _ in ordered_map(lambda _: work(), range(2 * cores), cores, threads=1):
        pass
    together = (time.perf_counter() - start) / (2 * cores)
    return cores if together * GAIN < min(alone) else 1
