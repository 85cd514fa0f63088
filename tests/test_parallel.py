"""Trainings on several processes equal those on one, but for the order of summation."""

import pytest
import torch

from fixtures.data_parallel import (
    CASES,
    Exchanged,
    Losses,
    difference,
    exchange_and_train,
    losses,
    several,
)
from impasto import parallel
from impasto.config.registries import METHODS
from impasto.parallel import Processes

Found = tuple[Exchanged, Losses, str | None]


#: Cases that are compared in every run of the tests: each kind of statistics over the batch.
QUICK = ["gan: BatchNorm, ADA", "cut: noise, identity of a quarter", "cyclegan: image pool, identity, ADA"]
REST = [case for case in CASES if case not in QUICK]


@pytest.fixture(scope="module")
def by_several() -> list[Found]:
    """What each of four processes exchanged, the losses of the quick cases as it sees them, and its last error."""
    found: list[Found] = several(4, exchange_and_train, QUICK)
    return found


@pytest.fixture(scope="module")
def rest_by_several() -> list[Found]:
    """The same with the losses of the other cases."""
    found: list[Found] = several(4, exchange_and_train, REST)
    return found


def compare(case: str, by_several: list[Found]) -> None:
    alone = losses(case)
    for count in (2, 4):
        for _, found, _ in by_several[:count]:
            assert difference(alone, found[case, count]) < 1e-5
            assert found[case, count] == by_several[0][1][case, count]  # each process sees the same


@pytest.mark.parametrize("case", QUICK)
def test_two_and_four_processes_train_as_one_does(case: str, by_several: list[Found]) -> None:
    compare(case, by_several)


@pytest.mark.long
@pytest.mark.parametrize("case", REST)
def test_two_and_four_processes_train_every_network_as_one_does(case: str, rest_by_several: list[Found]) -> None:
    compare(case, rest_by_several)


def test_every_method_is_compared() -> None:
    assert {case.partition(":")[0] for case in CASES} == set(METHODS)


def test_messages_between_processes(by_several: list[Found]) -> None:
    for rank, (found, *_) in enumerate(by_several):
        assert found["mean"] == [2.5]
        # d/dx of Σ (rank + 1) m², where m = 2.5 is the mean of the x of four processes
        assert found["gradient"] == [(1 + 2 + 3 + 4) * 2 * 2.5 / 4]
        assert found["averaged"] == [1.5] * 6
        assert found["gathered"] == [0, 0, 1, 1, 2, 2, 3, 3]
        assert found["plain"] == [2 * rank, 2 * rank + 1]
        assert found["first"] == [7]
        assert found["exchanged"] == [0, 1, 2, 3]


def test_a_concatenation_of_batches_is_cut_in_each_of_them(by_several: list[Found]) -> None:
    """A batch of eight, and the first three of another: two, one, none and none of them."""
    for found, parts in zip(by_several, ([0, 1, 8, 9], [2, 3, 10], [4, 5], [6, 7]), strict=True):
        assert found[0]["part"] == parts
        assert found[0]["whole"] == [11]
    weights = [found["weighted"][0] for found, *_ in by_several]
    assert weights == [2 * 4 / 3, 1 * 4 / 3, 0, 0]


def test_one_process_exchanges_nothing() -> None:
    values = torch.arange(6.0)
    assert parallel.mean(values) is parallel.gather(values) is parallel.part(values) is values
    assert parallel.whole(6) == 6
    assert Processes().broadcast(b"x") == b"x"


def test_a_lost_process_is_an_error_of_one_line(by_several: list[Found]) -> None:
    """All but the first have ended while it waited for them."""
    assert [message for *_, message in by_several] == ["Another process of the training has ended.", None, None, None]
