"""The trainer in two processes: the first decides, and both always have the same state."""

import signal
from pathlib import Path

import pytest

from fixtures.data_parallel import several
from fixtures.trainers import log_rows, trainer
from fixtures.two_processes import End, all_trainings
from impasto.training.trainer import Outcome

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[End, End]]:
    """Trainings, as each of two processes ends them."""
    first, second = several(2, all_trainings, tmp_path_factory.mktemp("trained"))
    return {name: (first[name], second[name]) for name in first}


@pytest.mark.parametrize("name", ["whole", "stopped", "resumed", "failed", "planned"])
def test_both_processes_always_end_with_the_same_state(name: str, trained: dict[str, tuple[End, End]]) -> None:
    (outcome, first, _), (followed, second, _) = trained[name]
    assert first == second
    assert isinstance(outcome, Outcome)
    assert outcome.finished == (name != "stopped")
    assert followed == outcome.signal


def test_the_losses_are_those_of_one_process(trained: dict[str, tuple[End, End]], tmp_path: Path) -> None:
    (_, state, rows), _ = trained["whole"]
    alone = trainer(tmp_path / "run", "24steps")
    alone.train()
    assert alone.step == state["step"] == 24
    for row, of_one in zip(rows, log_rows(alone.run), strict=True):
        assert row.keys() >= of_one.keys() and "stopped" not in row
        for name, value in of_one.items():
            if name.startswith("loss"):
                assert row[name] == pytest.approx(value, rel=1e-3)  # in float32


def test_a_signal_to_any_process_stops_all_and_the_training_resumes_exactly(
    trained: dict[str, tuple[End, End]],
) -> None:
    stopped, _, _ = trained["stopped"][0]
    assert stopped == Outcome(finished=False, signal=signal.SIGTERM)
    assert 6 <= trained["stopped"][0][1]["step"] < 24
    assert trained["resumed"][0][1] == trained["whole"][0][1]


def test_after_a_failure_of_the_first_process_all_return_to_its_last_good_state(
    trained: dict[str, tuple[End, End]],
) -> None:
    rates = [row["lr"] for row in trained["failed"][0][2] if "lr" in row]
    assert max(rates) == 2 * min(rates)  # halved after the failure


def test_the_steps_that_measure_the_speed_are_undone_in_all_processes(trained: dict[str, tuple[End, End]]) -> None:
    (_, state, rows), _ = trained["planned"]
    assert state["step"] == rows[-1]["step"] == len(rows)
