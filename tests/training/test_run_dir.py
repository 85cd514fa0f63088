from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.training.run_dir import RunDir


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir.create(tmp_path / "run", Recipe.load("dcgan-64"), {"seed": 3})


def test_a_run_opens_again_with_its_recipe_and_facts(run: RunDir) -> None:
    run.note(status="running")
    again = RunDir.open(run.path)
    assert again.recipe == Recipe.load("dcgan-64").without_search()
    assert again.facts == {"seed": 3, "status": "running"}


def test_a_run_that_is_there_is_not_overwritten(run: RunDir) -> None:
    with pytest.raises(ImpastoError, match="--resume"):
        RunDir.create(run.path, Recipe.load("dcgan-64"), {})


def test_rewinding_takes_later_rows_and_an_unfinished_line_off_the_log(run: RunDir) -> None:
    run.log([{"step": 1}, {"step": 2}, {"step": 2, "event": "went back"}, {"step": 3}])
    with run.log_file.open("a") as file:
        file.write('{"step": 4, "loss')
    run.rewind(2)
    assert run.log_file.read_text() == '{"step": 1}\n{"step": 2}\n{"step": 2, "event": "went back"}\n'


def test_only_one_process_trains_a_run(run: RunDir) -> None:
    with run.lock(), pytest.raises(ImpastoError, match="another process"), RunDir.open(run.path).lock():
        pass
    with RunDir.open(run.path).lock():
        pass


def test_what_a_killed_process_had_half_written_is_taken_away(run: RunDir) -> None:
    kept = [run.samples / "step-00000005.jpg", run.path / "report.html.7-8.part"]
    left = [run.samples / "step-00000009.jpg.7-8.part", run.checkpoints / "step.pt.7-8.part"]
    left.append(run.path / "best.safetensors.7-8.part")
    for file in (*kept, *left):
        file.touch()
    with run.lock():
        assert [file for file in (*kept, *left) if file.exists()] == kept


def test_samples_of_an_abandoned_branch_are_taken_back(run: RunDir) -> None:
    for step in (0, 5, 12):
        (run.samples / f"step-{step:08d}.jpg").touch()
    run.rewind(5)
    assert sorted(sample.name for sample in run.samples.iterdir()) == ["step-00000000.jpg", "step-00000005.jpg"]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="not the folder of a run"):
        RunDir.open(tmp_path)


def test_tensorboard_shows_the_log_and_not_what_was_taken_back(run: RunDir) -> None:
    run.log([{"step": 1, "loss": 5.0}, {"step": 2, "loss": 4.0}, {"step": 3, "loss": 9.0}])
    run.rewind(2)
    run.log([{"step": 2, "event": "went back"}])
    run.log([{"step": 3, "loss": 3.0}])
    run.close()
    shown = EventAccumulator(str(run.tensorboard))
    shown.Reload()
    assert [(each.step, each.value) for each in shown.Scalars("loss")] == [(1, 5.0), (2, 4.0), (3, 3.0)]
