"""Ordered parallel map over threads."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Least speed-up of many single-threaded workers over one multi-threaded worker, as each takes memory of its own.
MIN_SPEEDUP = 1.05


def ordered_map(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    threads: int,
    size: Callable[[Item], int] = lambda _: 0,
    capacity: int = 0,
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with the result of ``work``, in order, from workers with so many torch threads each.

    At most one item more than there are workers is in progress, so that results do not pile up, and no item is begun
    while others whose sizes exceed ``capacity`` are in progress. An exception in
    ``work``, or leaving the loop, cancels the items that have not begun.
    """
    if workers == 1:
        yield from ((each, work(each)) for each in items)
        return
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        try:
            for each in items:
                waiting.append((each, pool.submit(work, each)))
                while len(waiting) > workers or (waiting and sum(size(item) for item, _ in waiting) > capacity):
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def choose_workers(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> int:
    """Return the faster number of workers for ``work``, measured: one with all torch threads, or as many as there are
    threads, with one each."""
    cores = torch.get_num_threads()
    if cores == 1:
        return 1
    alone = []
    for _ in range(3):  # the first is a warm-up
        start = clock()
        work()
        alone.append(clock() - start)
    start = clock()
    for _ in ordered_map(lambda _: work(), range(2 * cores), cores, threads=1):
        pass
    together = (clock() - start) / (2 * cores)
    return cores if together * MIN_SPEEDUP < min(alone) else 1
