"""Ordered parallel map over threads."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Least speed-up of many single-threaded workers over one multi-threaded worker, as each takes memory of its own.
MIN_SPEEDUP = 1.05


def ordered_map(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    *,
    ahead: int | None = None,
    size: Callable[[Item], int] = lambda _: 0,
    capacity: int = 0,
    torch_threads: int | None = None,
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with the result of ``work``, in order.

    An exception in ``work``, or leaving the loop, cancels the items that have not begun.

    Args:
        work: called in one of the workers; in the caller's thread if there is one worker only.
        items: taken as they are needed.
        workers: number of threads.
        ahead: items whose results may wait; as many as there are workers unless told.
        size: of an item. No item is begun while others whose sizes exceed ``capacity`` are in progress.
        capacity: in the unit of ``size``.
        torch_threads: that torch uses in each worker; as many as in the caller's thread unless told.
    """
    if workers == 1:
        yield from ((each, work(each)) for each in items)
        return
    most = workers if ahead is None else ahead
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(workers, initializer=_limit_torch, initargs=(torch_threads,)) as pool:
        try:
            for each in items:
                waiting.append((each, pool.submit(work, each)))
                while len(waiting) > most or (waiting and sum(size(item) for item, _ in waiting) > capacity):
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def _limit_torch(threads: int | None) -> None:
    if threads is not None:
        import torch  # here, for commands that need none of it start a second sooner

        torch.set_num_threads(threads)


def choose_workers(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> int:
    """Return the faster number of workers for ``work``, measured: one with all torch threads, or as many as there are
    threads, with one each."""
    import torch

    cores = torch.get_num_threads()
    if cores == 1:
        return 1
    alone = []
    for _ in range(3):  # the first is a warm-up
        start = clock()
        work()
        alone.append(clock() - start)
    start = clock()
    for _ in ordered_map(lambda _: work(), range(2 * cores), cores, torch_threads=1):
        pass
    together = (clock() - start) / (2 * cores)
    return cores if together * MIN_SPEEDUP < min(alone) else 1
