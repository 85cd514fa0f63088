"""The parallel map gives the same results as a sequential one."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from impasto.ordered_map import choose_workers, ordered_map


@given(st.lists(st.integers(0, 3), max_size=20), st.integers(1, 4))
def test_results_are_in_order_whatever_each_item_takes(times: list[int], workers: int) -> None:
    def work(each: tuple[int, int]) -> int:
        time.sleep(each[1] / 1000)
        return each[0] * 10

    numbered = list(enumerate(times))
    assert list(ordered_map(work, numbered, workers, torch_threads=1)) == [(each, each[0] * 10) for each in numbered]


def test_few_items_are_in_progress_at_a_time() -> None:
    begun: list[int] = []

    def given() -> Iterator[int]:
        for number in range(1000):
            begun.append(number)
            yield number

    for done, _ in enumerate(ordered_map(lambda each: each, given(), 3, torch_threads=1), 1):
        assert len(begun) <= done + 3
        if done == 50:
            break


def test_no_item_is_begun_while_large_ones_are_in_progress() -> None:
    begun = list[int]()
    sizes = [5, 5, 40, 5, 5, 5, 5]

    def items() -> Iterator[int]:
        for number in range(len(sizes)):
            begun.append(number)
            yield number

    ahead = [
        sum(sizes[number] for number in begun if number >= item)
        for item, _ in ordered_map(lambda item: item, items(), 8, size=sizes.__getitem__, capacity=12)
    ]
    assert max(ahead) <= 12 + max(sizes)
    assert sum(ahead) > sum(sizes), "small ones are in progress together"


def test_an_exception_ends_the_map_and_is_raised() -> None:
    def work(each: int) -> int:
        if each == 7:
            raise ValueError("seven")
        return each

    handed = []
    with pytest.raises(ValueError, match="seven"):
        for _, made in ordered_map(work, range(1000), 3, torch_threads=1):
            handed.append(made)
    assert handed == list(range(7))


def test_each_worker_has_its_own_number_of_torch_threads() -> None:
    here = torch.get_num_threads()
    seen = {
        made
        for _, made in ordered_map(
            lambda _: (threading.get_ident(), torch.get_num_threads()), range(40), 2, torch_threads=1
        )
    }
    assert {threads for _, threads in seen} == {1}
    assert torch.get_num_threads() == here


def test_one_thread_means_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert choose_workers(lambda: pytest.fail("nothing is to be found out")) == 1


@pytest.mark.parametrize(("together", "workers"), [(2.0, 4), (8.0, 1)])
def test_parallel_workers_are_chosen_if_they_are_faster(
    monkeypatch: pytest.MonkeyPatch, together: float, workers: int
) -> None:
    """One item takes a second alone; eight take ``together`` seconds by four workers."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    times = iter([0.0, 5.0, 0.0, 1.0, 0.0, 1.0, 0.0, together])  # the first is a warm-up
    done: list[None] = []
    assert choose_workers(lambda: done.append(None), clock=lambda: next(times)) == workers
    assert len(done) == 3 + 8
