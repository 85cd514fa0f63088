"""Several at work at once hand over as one would."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from impasto.inference.ordered_map import choose_workers, ordered_map


@given(st.lists(st.integers(0, 3), max_size=20), st.integers(1, 4))
def test_results_come_in_order_however_long_each_takes(times: list[int], workers: int) -> None:
    def work(each: tuple[int, int]) -> int:
        time.sleep(each[1] / 1000)
        return each[0] * 10

    numbered = list(enumerate(times))
    assert list(ordered_map(work, numbered, workers, 1)) == [(each, each[0] * 10) for each in numbered]


def test_no_more_is_begun_than_is_soon_handed_over() -> None:
    begun: list[int] = []

    def given() -> Iterator[int]:
        for number in range(1000):
            begun.append(number)
            yield number

    for done, _ in enumerate(ordered_map(lambda each: each, given(), 3, 1), 1):
        assert len(begun) <= done + 3
        if done == 50:
            break


def test_a_mistake_ends_the_work_and_is_told() -> None:
    def work(each: int) -> int:
        if each == 7:
            raise ValueError("seven")
        return each

    handed = []
    with pytest.raises(ValueError, match="seven"):
        for _, made in ordered_map(work, range(1000), 3, 1):
            handed.append(made)
    assert handed == list(range(7))


def test_each_worker_computes_on_its_own_threads() -> None:
    here = torch.get_num_threads()
    seen = {
        made for _, made in ordered_map(lambda _: (threading.get_ident(), torch.get_num_threads()), range(40), 2, 1)
    }
    assert {threads for _, threads in seen} == {1}
    assert torch.get_num_threads() == here


def test_there_is_one_worker_where_there_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert choose_workers(lambda: pytest.fail("nothing is to be found out")) == 1


def test_what_is_faster_side_by_side_is_done_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert choose_workers(lambda: time.sleep(0.05)) == 4
    lock = threading.Lock()

    def alone() -> None:
        with lock:
            time.sleep(0.02)

    assert choose_workers(alone) == 1
