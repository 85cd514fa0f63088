"""Workers on a cluster compute every item once, whatever happens to them."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fixtures.ray_cluster import ray_cluster
from impasto.ray_pool import DEATHS, GPU_SHARE, PoolWorker, compute, worker_resources


@pytest.mark.filterwarnings("ignore")
@pytest.mark.long
def test_results_come_in_order_although_workers_die() -> None:
    # Local classes: a worker cannot import this module.
    @dataclass(frozen=True)
    class Number:
        value: int
        deaths: int = 0

    class Squares(PoolWorker):
        """Dies once of 7, always of 11, and is slow at first."""

        def __init__(self, slow: int) -> None:
            self.slow = slow

        def work(self, items: list[Number]) -> list[int]:
            for item in items:
                if item.value == 11 or (item.value == 7 and not item.deaths):
                    os._exit(1)
                time.sleep(0.3 * (item.value == self.slow))
            return [item.value**2 for item in items]

    def chunks(workers: int) -> Iterator[list[Number]]:
        assert workers == 2
        for first in range(0, 40, 4):
            yield [Number(value) for value in range(first, first + 4)]

    with ray_cluster():
        results = compute(Squares, 0, chunks, in_order=True)
        found = [(number.value, result, number.deaths) for number, result in results]
    assert [each[:2] for each in found] == [(value, None if value == 11 else value**2) for value in range(40)]
    assert {value: deaths for value, _, deaths in found if deaths}.keys() <= {4, 5, 6, 7, 8, 9, 10, 11}
    assert found[11][2] == DEATHS


@pytest.mark.parametrize(
    ("resources", "count", "each"),
    [
        ({"CPU": 8.0}, 8, {"num_cpus": 1, "num_gpus": 0}),
        ({"CPU": 64.0, "GPU": 2.0}, 8, {"num_cpus": 1, "num_gpus": GPU_SHARE}),
        ({"CPU": 2.0, "GPU": 1.0}, 2, {"num_cpus": 1, "num_gpus": GPU_SHARE}),
        ({}, 1, {"num_cpus": 1, "num_gpus": 0}),
    ],
)
def test_workers_take_a_core_and_share_gpus(resources: dict[str, float], count: int, each: dict[str, float]) -> None:
    assert worker_resources(resources) == (count, each)
