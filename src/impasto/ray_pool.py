"""Workers on a Ray cluster: actors that get chunks of items, and are replaced if they die."""

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any, Protocol, TypeVar

from impasto.errors import ImpastoError, require

#: Part of a GPU that a worker asks for. A worker decodes and encodes on its one core while others use the GPU.
GPU_SHARE = 0.25
#: Workers that may die of one item before it is given up, or before they have started.
DEATHS = 3
#: Results per worker that may wait for an earlier one, if they are wanted in order.
HELD_BACK = 512


class Item(Protocol):
    """Something to compute, a frozen dataclass; ``deaths`` is the number of workers that died while they had it."""

    @property
    def deaths(self) -> int: ...


SomeItem = TypeVar("SomeItem", bound=Item)


class PoolWorker:
    """Base of the workers. Constructed with what :func:`compute` was given."""

    def start(self) -> list[Any]:
        """Return no result, once the worker has started."""
        return []

    def work(self, items: list[Any]) -> list[Any]:
        """Return the result of each item; a result is not None."""
        raise NotImplementedError


def compute(
    kind: type[PoolWorker],
    setup: object,
    chunks: Callable[[int], Iterator[list[SomeItem]]],
    *,
    in_order: bool = False,
) -> Iterator[tuple[SomeItem, Any]]:
    """Yield every item with its result, as they are done, from workers on the cluster at ``RAY_ADDRESS``, or else on a
    local one. Each worker takes a core, and a part of a GPU if there are any, and has one chunk at a time.

    A worker that dies is replaced. Its items are given to others one at a time, as one of them may be the cause; an
    item of which :data:`DEATHS` workers died has the result None.

    Args:
        kind: the class of the workers.
        setup: what each is constructed with; it is sent once to each machine.
        chunks: returns the items in chunks, given the number of workers; few of them are taken ahead.
        in_order: yield the results in the order of the items. Few are held back, as workers wait for a late chunk.

    Raises ImpastoError if ``impasto[ray]`` is not installed or workers cannot be started.
    """
    ray = require("ray", "ray")

    logging.getLogger("ray").setLevel(logging.WARNING)
    ray.init(ignore_reinit_error=True, include_dashboard=False, logging_level=logging.WARNING)
    workers, resources = worker_resources(ray.cluster_resources())
    actor, sent = ray.remote(kind).options(**resources), ray.put(setup)
    source, numbers = chunks(workers), count()
    first = deque[list[tuple[int, SomeItem]]]()
    again = deque[list[tuple[int, SomeItem]]]()
    calls = dict[Any, tuple[Any, list[tuple[int, SomeItem]]]]()  # a worker and its chunk; no chunk while it starts
    idle = list[Any]()
    results = dict[int, tuple[SomeItem, Any]]()
    failed, due = 0, 0

    def take() -> list[tuple[int, SomeItem]]:
        return [(next(numbers), item) for item in next(source, [])]

    def start() -> None:
        worker: Any = actor.remote(sent)
        calls[worker.start.remote()] = worker, []

    for _ in range(workers):
        if not (chunk := take()):
            break
        first.append(chunk)
        start()
    try:
        while calls:
            (call,), _ = ray.wait(list(calls))
            worker, chunk = calls.pop(call)
            try:
                found = ray.get(call)
            except ray.exceptions.RayActorError as error:
                failed = 0 if chunk else failed + 1
                if failed == DEATHS:
                    raise ImpastoError(f"Workers cannot be started: {str(error).splitlines()[-1].strip()}") from error
                for number, item in chunk:
                    item = replace(item, deaths=item.deaths + 1)  # type: ignore[type-var]
                    if item.deaths < DEATHS:
                        again.append([(number, item)])
                    else:
                        results[number] = item, None
                start()
            else:
                failed = 0
                results |= {number: (item, each) for (number, item), each in zip(chunk, found, strict=True)}
                idle.append(worker)
            if in_order:
                while due in results:
                    yield results.pop(due)
                    due += 1
            else:
                yield from results.values()
                results.clear()
            while idle:
                if again:
                    chunk = again.popleft()
                elif first:
                    chunk = first.popleft()
                else:
                    chunk = take() if len(results) < HELD_BACK * workers else []
                if not chunk:
                    break
                worker = idle.pop()
                calls[worker.work.remote([item for _, item in chunk])] = worker, chunk
    finally:
        for worker in [*idle, *(worker for worker, _ in calls.values())]:
            ray.kill(worker)


def worker_resources(resources: dict[str, float]) -> tuple[int, dict[str, float]]:
    """Return the number of workers for the resources of a cluster, and what each takes: a core, and a part of a GPU if
    there are any."""
    workers, gpus = int(resources.get("CPU", 1)), resources.get("GPU", 0)
    if not gpus:
        return max(workers, 1), {"num_cpus": 1, "num_gpus": 0}
    return max(min(workers, math.floor(gpus / GPU_SHARE)), 1), {"num_cpus": 1, "num_gpus": GPU_SHARE}
