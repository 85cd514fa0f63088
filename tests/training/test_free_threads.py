"""Threads follow the load by other programs."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import torch

from fixtures.clock import FakeClock
from fixtures.trainers import trainer
from impasto.training.free_threads import FEWER_AFTER, MORE_AFTER, WINDOW, FreeThreads, Load


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


class Machine:
    """Four processors, of which others use ``used``."""

    def __init__(self) -> None:
        self.used, self.clock = 0.0, FakeClock()
        self.threads = FreeThreads(lambda: (4, self.used), self.clock)

    def pass_windows(self, count: int) -> list[str]:
        found = []
        for _ in range(count):
            self.clock.advance(WINDOW)
            found.append(self.threads.adapt())
        return [text for text in found if text]


@pytest.mark.usefixtures("four_threads")
def test_threads_are_given_up_beside_other_programs_and_taken_back() -> None:
    machine = Machine()
    assert machine.pass_windows(10) == [] and torch.get_num_threads() == 4
    machine.used = 2.6
    assert machine.pass_windows(FEWER_AFTER - 1) == []
    assert machine.pass_windows(5) == ["Other programs use 2.6 of 4 processors: continuing on 1 thread instead of 4."]
    assert torch.get_num_threads() == 1
    machine.used = 0.2
    assert machine.pass_windows(MORE_AFTER - 1) == []
    assert machine.pass_windows(5) == ["The processors are free again: continuing on 4 threads."]
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
def test_a_short_load_changes_nothing_and_one_thread_is_kept_at_least() -> None:
    machine = Machine()
    for _ in range(20):
        machine.used = 4.0 - machine.used
        assert machine.pass_windows(1) == []
    machine.used = 4.0
    machine.pass_windows(FEWER_AFTER)
    assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("four_threads")
def test_before_a_plan_is_made_one_measurement_counts() -> None:
    machine = Machine()
    machine.used = 2.0
    machine.clock.advance(WINDOW)
    assert machine.threads.adapt(at_once=True) is not None
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("four_threads")
def test_nothing_is_measured_within_a_window() -> None:
    machine = Machine()
    machine.used = 4.0
    for _ in range(100):
        machine.clock.advance(WINDOW / 200)
        assert machine.threads.adapt() is None


BUSY_FOR_A_SECOND = "import time\nwhile time.process_time() < 1: pass\nprint(flush=True)\ninput()"


@pytest.mark.parametrize("children", [0, 1])
def test_the_load_is_that_of_other_programs(monkeypatch: pytest.MonkeyPatch, children: int) -> None:
    """Within 10 s on each processor, one of which was idle for 5 s; a child of this process used one second."""
    load = Load()
    processors, _ = load.since_last()
    times = psutil.cpu_times(percpu=True)
    later = [each._replace(user=each.user + 10) for each in times]
    later[0] = times[0]._replace(user=times[0].user + 5, idle=times[0].idle + 5)
    with ExitStack() as stack:
        monkeypatch.setattr(psutil, "cpu_times", lambda percpu: times)
        load.since_last()
        for _ in range(children):
            command = [sys.executable, "-c", BUSY_FOR_A_SECOND]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.enter_context(child)
            assert child.stdout is not None
            child.stdout.readline()
        monkeypatch.setattr(psutil, "cpu_times", lambda percpu: later)
        assert load.since_last()[1] == pytest.approx(processors - 0.5 - 0.1 * children, abs=0.05)


@pytest.mark.usefixtures("four_threads")
def test_a_change_is_recorded_in_the_run(tmp_path: Path) -> None:
    machine = Machine()
    machine.used = 3.0
    trained = trainer(tmp_path / "run", "30steps", threads=machine.threads)
    adapt = machine.threads.adapt
    machine.threads.adapt = lambda at_once=False: machine.clock.advance(WINDOW) or adapt(at_once)  # type: ignore[func-returns-value,method-assign]
    assert trained.train().finished
    assert torch.get_num_threads() == 1
    assert "continuing on 1 thread instead of 4" in (tmp_path / "run" / "log.jsonl").read_text()
