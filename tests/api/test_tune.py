"""Hyperparameter search, with whole commands as a user's shell runs them."""

import json
import logging
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from filelock import FileLock

from fixtures.command import QUICK, TINY, Impasto, begin, wait_for_step
from fixtures.disks import small_disk
from impasto.api.train import train
from impasto.api.tune import TuneOutcome, tune
from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.tuning.pruning import scoring_observer

BUDGET = 36
#: The run folder of the first trial.
FIRST = "trials/dcgan-64/0000"
TUNE = [
    *("tune", "dcgan-64", *TINY, "--paintings", "sample:paintings", "--precision", "fp32"),
    *("--out", "study", "--budget-per-trial", f"{BUDGET}steps"),
]
#: The command, with fewer images to score, real ones too.
QUICKER = [
    *QUICK[:-1],
    f"from impasto.api import training_data; training_data.MAX_REALS = 48; {QUICK[-1]}",
]
#: As for the Python API.
SMALL = [each for each in TINY if each != "--set"]


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "study" / "tuning.json").read_text())
    return found


def by_state(found: Mapping[str, Any]) -> dict[str, list[int]]:
    states: dict[str, list[int]] = {}
    for trial in found["trials"]:
        states.setdefault(trial["state"], []).append(trial["number"])
    return states


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of four trials: its first process is killed, its second stopped by Ctrl-C, two at once complete it.

    The workers of pytest share it.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "tuned"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            folder.mkdir()
            _tune(folder, [*QUICKER, *TUNE, "--trials", "4"])
    return folder


def _tune(folder: Path, command: list[str]) -> None:
    killed = begin(command, folder)
    wait_for_step(folder / "study" / FIRST, 2)
    killed.kill()
    killed.communicate(timeout=60)
    stopped = begin(command, folder)
    wait_for_step(folder / "study" / FIRST, 8)
    stopped.send_signal(signal.SIGINT)
    stopped.communicate(timeout=120)
    assert stopped.returncode == 130
    for process in [begin(command, folder) for _ in range(2)]:
        output, error = process.communicate(timeout=400)
        assert process.returncode == 0, output + error


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Score few images, during training and at the end, and draw no figures of the study."""
    monkeypatch.setattr("impasto.inference.image_sets.GENERATED", 16)
    monkeypatch.setattr("impasto.training.evaluator.SCORE_IMAGES", 16)
    monkeypatch.setattr("impasto.api.training_data.MAX_REALS", 16)
    monkeypatch.setattr("impasto.reports.tuning.available_figures", lambda _: {})


@pytest.mark.long
def test_a_killed_and_a_stopped_trial_are_resumed_and_none_is_lost(study: Path) -> None:
    found = results(study)
    states = by_state(found)
    assert set(states) == {"complete", "pruned", "failed"}
    assert states["failed"] == [0, 1]
    retries = [trial for trial in found["trials"] if trial["retry_of"] == 0]
    assert [trial["state"] for trial in retries] == ["failed", "complete"] and retries[1]["baseline"]
    assert all(trial["settings"] == found["trials"][0]["settings"] for trial in retries)
    assert all(trial["run"] == FIRST for trial in retries)  # the same run, resumed
    assert len(states["complete"]) + len(states["pruned"]) == 4
    assert len({trial["worker"] for trial in found["trials"]}) == 4
    assert not list((study / "study").rglob("*.part"))


@pytest.mark.long
def test_bad_trials_are_pruned_after_a_ninth_or_a_third_of_their_budget(study: Path) -> None:
    found = results(study)
    assert any(trial["state"] == "pruned" for trial in found["trials"])
    for trial in found["trials"]:
        run = study / "study" / str(trial["run"])
        if trial["state"] == "pruned":
            steps = json.loads((run / "log.jsonl").read_text().splitlines()[-1])["step"]
            assert steps in (BUDGET // 9, BUDGET // 3)
            assert not trial["values"]
        elif trial["state"] == "complete":
            assert set(trial["rung_scores"]) == {str(1 / 9), str(1 / 3), "1.0"}
            evaluation = json.loads((run / "evaluation.json").read_text())
            assert trial["values"] == [evaluation["scores"][0]["values"]["KID"]["value"]]
            assert not (run / "checkpoints").exists()


@pytest.mark.long
@pytest.mark.usefixtures("few")
def test_the_best_recipe_has_the_best_settings_and_can_be_trained(study: Path, tmp_path: Path) -> None:
    found = results(study)
    (best,) = found["best"]
    complete = [trial for trial in found["trials"] if trial["state"] == "complete"]
    assert found["trials"][best]["values"] == min(trial["values"] for trial in complete)
    recipe = Recipe.load(study / "study" / "best.yaml")
    assert {name: recipe.value(name) for name in found["trials"][best]["settings"]} == found["trials"][best]["settings"]
    train(recipe, "sample:paintings", tmp_path / "run", budget="1steps", observer=scoring_observer(), progress=False)
    assert (tmp_path / "run" / "last.safetensors").exists()


@pytest.mark.long
def test_optuna_opens_the_same_storage(study: Path) -> None:
    opened = optuna.load_study(study_name="dcgan-64", storage=f"sqlite:///{study / 'study' / 'study.db'}")
    assert opened.trials[0].state.name == "FAIL"
    assert opened.best_trial.number == results(study)["best"][0]
    assert (study / "study" / "report.html").stat().st_size > 50_000


def tune_briefly(folder: Path, **options: Any) -> TuneOutcome:
    """Run one trial of two steps in this process."""
    values: dict[str, Any] = {"recipe": "dcgan-64", "trials": 1, "budget": "2steps", "changes": SMALL}
    return tune(paintings="sample:paintings", out=folder / "study", **values | options)


@pytest.mark.long
@pytest.mark.usefixtures("few")
def test_score_and_content_give_a_pareto_front(tmp_path: Path) -> None:
    small = ["size=32", "generator.width=4", "generator.depth=2", "batch=2", "discriminator.width=4"]
    found = tune_briefly(
        tmp_path, recipe="cnn", photos="sample:photos", changes=small, trials=3, objectives=["score", "content"]
    ).tuning
    assert found.objectives == ["KID[efficientnet-lite0]", "ST-LPIPS[vgg16]"]
    values = {trial.number: trial.values for trial in found.trials}
    assert len(values) == 3
    for number, mine in values.items():
        beaten = any(other != mine and other[0] <= mine[0] and other[1] <= mine[1] for other in values.values())
        assert (number in found.best) == (not beaten)


@pytest.mark.long
@pytest.mark.usefixtures("few")
def test_trials_are_compared_by_the_network_that_chooses_their_best_style(tmp_path: Path) -> None:
    small = ["size=32", "batch=2", "latent=8", "generator.width=4", "discriminator.width=4", "discriminator.pixels=0"]
    found = tune_briefly(tmp_path, recipe="projected-64", changes=small, budget="1steps").tuning
    scores, *_ = json.loads((tmp_path / "study" / str(found.trials[0].run) / "evaluation.json").read_text())["scores"]
    assert found.objectives == ["KID[alexnet]"] and scores["network"] == "alexnet"  # not that of the copies
    assert found.trials[0].values == [scores["values"]["KID"]["value"]]


def test_missing_data_costs_no_trial(impasto: Impasto, tmp_path: Path) -> None:
    wrong = [part.replace("sample:paintings", "nowhere") for part in TUNE]
    failed = impasto(*wrong, "--trials", "2", check=False)
    assert failed.returncode == 1 and "nowhere" in failed.stderr and failed.stderr.count("\n") == 1
    assert not (tmp_path / "study" / "study.db").exists()


@pytest.mark.usefixtures("few")
@pytest.mark.long
def test_a_full_disk_ends_the_study_and_costs_no_trial(tmp_path: Path) -> None:
    """On a small file system; skipped where none can be mounted."""
    with small_disk(tmp_path / "study", "1m") as disk:
        with pytest.raises(ImpastoError, match="The disk is full: correct that and run the same command again"):
            tune_briefly(tmp_path)
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        states = [trial.state for trial in tune_briefly(tmp_path).tuning.trials]
        assert states == ["failed", "complete"]


@pytest.mark.usefixtures("few")
def test_a_folder_holds_one_study_and_files_of_others_are_not_overwritten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "impasto"):
        found = tune_briefly(tmp_path, storage=str(tmp_path / "shared.log")).tuning
    assert found.trials[0].steps == 2
    assert (tmp_path / "shared.log").exists() and not (tmp_path / "study" / "study.db").exists()
    assert any(message.startswith("Trial 0 is complete: KID") for message in caplog.messages)
    assert not any("impasto.training" in record.name for record in caplog.records)  # messages of single trainings
    with pytest.raises(ImpastoError, match="holds the study 'dcgan-64', not 'second': choose another --out"):
        tune_briefly(tmp_path, study="second")
    before = (tmp_path / "study" / "report.html").read_bytes()
    with pytest.raises(ImpastoError, match=r"other settings \(size is 16 there and 32 here\): choose another --out"):
        tune_briefly(tmp_path, changes=["size=32", *SMALL[1:]])
    assert (tmp_path / "study" / "report.html").read_bytes() == before
    for name in ("report.html", "history.png"):
        (mine := tmp_path / Path(name).stem / "study").mkdir(parents=True)
        (mine / name).write_text("a diary")
        with pytest.raises(ImpastoError, match=rf"holds a {name} but no study"):
            tune_briefly(mine.parent)
        assert [path.name for path in mine.iterdir()] == [name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objectives": ["beauty"]}, "There is no objective 'beauty': choose from score and content"),
        ({"objectives": "beauty"}, "There is no objective 'beauty': choose from score and content"),
        ({"objectives": ["content"]}, "generates from noise"),
        ({"trials": 0}, "at least one trial"),
        ({"seeds": 0}, "at least one seed"),
        ({"budget": "soon"}, "soon"),
        ({"study": "a/b"}, "without slashes"),
        ({"storage": "study.txt"}, "neither a database"),
    ],
)
def test_invalid_options_are_refused_before_anything_is_written(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ImpastoError, match=message):
        tune("dcgan-64", "sample:paintings", tmp_path / "study", **options)
    assert not (tmp_path / "study" / "trials").exists()
