"""Updates: without waiting for a GPU; and in two processes, of which the first decides and both have the same state."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fixtures.data_parallel import CASES, recipe, several
from fixtures.parameters import mostly_long
from fixtures.trainers import log_rows, trainer
from fixtures.two_processes import End, all_trainings
from fixtures.waits import waits
from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.data.diffaugment import DiffAugment
from impasto.training.trainer import Outcome

UPDATED = [case for case in CASES if "pretrained" not in case and "noise, id" not in case]


@pytest.mark.parametrize("case", mostly_long(UPDATED, *UPDATED[:-1]))
def test_a_step_of_every_method_runs_without_waiting_for_a_gpu(case: str) -> None:
    """No value is read, no mask or index made on the host, and what is copied is pinned."""
    assert not waits(recipe(case), resident=case.startswith("gan"))


@pytest.mark.long
@pytest.mark.parametrize("name", bundled_recipes())
def test_a_step_of_every_recipe_runs_without_waiting_for_a_gpu(name: str) -> None:
    bundled = Recipe.load(name)
    assert not waits(bundled.replace([f"batch={max(2, bundled.min_batch)}"]))


@pytest.mark.parametrize("read", [Tensor.item, bool, lambda value: value[value > 0], Tensor.tolist, Tensor.cpu])
def test_reading_a_value_of_the_device_is_found(
    read: Callable[[Tensor], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DiffAugment, "adapt", lambda self, sign, images: read(sign.mean()[None]))
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        waits(recipe("gan: BatchNorm, ADA"))


def test_copies_to_the_device_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def adapt(augment: DiffAugment, sign: Tensor, images: int) -> None:
        augment.p.copy_(torch.ones(()))
        sign[torch.zeros(2, dtype=torch.long)] + torch.tensor(1.0, device=sign.device)

    monkeypatch.setattr(DiffAugment, "adapt", adapt)
    assert waits(recipe("gan: BatchNorm, ADA")) == {"aten.copy_.default": 1, "aten.index.Tensor": 1, "tensor": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[End, End]]:
    """Trainings, as each of two processes ends them."""
    first, second = several(2, all_trainings, tmp_path_factory.mktemp("trained"))
    return {name: (first[name], second[name]) for name in first}


@pytest.mark.long
@pytest.mark.parametrize("name", ["whole", "stopped", "resumed", "failed", "planned"])
def test_both_processes_always_end_with_the_same_state(name: str, trained: dict[str, tuple[End, End]]) -> None:
    (outcome, first, _), (followed, second, _) = trained[name]
    assert first == second
    assert isinstance(outcome, Outcome)
    assert outcome.finished == (name != "stopped")
    assert followed == outcome.signal


@pytest.mark.long
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


@pytest.mark.long
def test_a_signal_to_any_process_stops_all_and_the_training_resumes_exactly(
    trained: dict[str, tuple[End, End]],
) -> None:
    stopped, _, _ = trained["stopped"][0]
    assert stopped == Outcome(finished=False, signal=signal.SIGTERM)
    assert 6 <= trained["stopped"][0][1]["step"] < 24
    assert trained["resumed"][0][1] == trained["whole"][0][1]


@pytest.mark.long
def test_after_a_failure_of_the_first_process_all_return_to_its_last_good_state(
    trained: dict[str, tuple[End, End]],
) -> None:
    rates = [row["lr"] for row in trained["failed"][0][2] if "lr" in row]
    assert max(rates) == 2 * min(rates)  # halved after the failure


@pytest.mark.long
def test_the_steps_that_measure_the_speed_are_undone_in_all_processes(trained: dict[str, tuple[End, End]]) -> None:
    (_, state, rows), _ = trained["planned"]
    assert state["step"] == rows[-1]["step"] == len(rows)
