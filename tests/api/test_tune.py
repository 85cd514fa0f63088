"""Searching for settings, with whole commands as a user's shell runs them."""

import json
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
from impasto.api.tune import tune
from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.reports.tuning_results import Tuning, cautions

BUDGET = 36
#: The run folder of the first trial.
FIRST = "trials/dcgan-64/0000"
SEARCH = [
    *("tune", "dcgan-64", *TINY, "--paintings", "sample:paintings", "--precision", "fp32"),
    *("--out", "study", "--budget-per-trial", f"{BUDGET}steps"),
]


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "study" / "tuning.json").read_text())
    return found


def by_state(found: Mapping[str, Any]) -> dict[str, list[int]]:
    states: dict[str, list[int]] = {}
    for trial in found["trials"]:
        states.setdefault(trial["state"], []).append(trial["number"])
    return states


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of six trials: its first process is killed, its second stopped by Ctrl-C, two at once end it.

    It takes a while, so processes that test side by side share it.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "searched"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            folder.mkdir()
            _search(folder, [*QUICK, *SEARCH, "--trials", "6"])
    return folder


def _search(folder: Path, command: list[str]) -> None:
    doomed = begin(command, folder)
    wait_for_step(folder / "study" / FIRST, 2)
    doomed.kill()
    doomed.communicate(timeout=60)
    stopped = begin(command, folder)
    wait_for_step(folder / "study" / FIRST, 8)
    stopped.send_signal(signal.SIGINT)
    stopped.communicate(timeout=120)
    assert stopped.returncode == 130
    for process in [begin(command, folder) for _ in range(2)]:
        said, _ = process.communicate(timeout=400)
        assert process.returncode == 0, said


def test_a_trial_that_died_or_was_stopped_is_gone_on_with_and_no_trial_is_lost(searched: Path) -> None:
    found = told(searched)
    states = by_state(found)
    assert set(states) == {"complete", "pruned", "failed"}
    assert states["failed"] == [0, 1]
    again = [trial for trial in found["trials"] if trial["retry_of"] == 0]
    assert [trial["state"] for trial in again] == ["failed", "complete"] and again[1]["own"]
    assert all(trial["settings"] == found["trials"][0]["settings"] for trial in again)
    assert all(trial["run"] == FIRST for trial in again)  # where it went on
    assert len(states["complete"]) + len(states["pruned"]) == 6
    assert len({trial["worker"] for trial in found["trials"]}) == 4
    assert not list((searched / "study").rglob("*.part"))


def test_what_promises_little_is_ended_after_a_ninth_or_a_third_of_its_budget(searched: Path) -> None:
    found = told(searched)
    pruned = [trial for trial in found["trials"] if trial["state"] == "pruned"]
    assert pruned
    for trial in found["trials"]:
        run = searched / "study" / str(trial["run"])
        if trial["state"] == "pruned":
            steps = json.loads((run / "log.jsonl").read_text().splitlines()[-1])["step"]
            assert steps in (BUDGET // 9, BUDGET // 3)
            assert not trial["values"]
        elif trial["state"] == "complete":
            assert set(trial["looks"]) == {str(1 / 9), str(1 / 3), "1.0"}
            evaluation = json.loads((run / "evaluation.json").read_text())
            assert trial["values"] == [evaluation["scores"][0]["values"]["KID"]["value"]]
            assert not (run / "checkpoints").exists()


def test_the_best_recipe_is_one_to_train_by(searched: Path, tmp_path: Path) -> None:
    found = told(searched)
    (best,) = found["best"]
    complete = [trial for trial in found["trials"] if trial["state"] == "complete"]
    assert found["trials"][best]["values"] == min(trial["values"] for trial in complete)
    recipe = Recipe.load(searched / "study" / "best.yaml")
    assert {name: recipe.value(name) for name in found["trials"][best]["settings"]} == found["trials"][best]["settings"]
    command = [*QUICK, "train", str(searched / "study" / "best.yaml"), "--paintings", "sample:paintings"]
    subprocess.run([*command, "--out", "run", "--budget", "2steps"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "run" / "last.safetensors").exists()


def test_optuna_opens_the_same_storage(searched: Path) -> None:
    study = optuna.load_study(study_name="dcgan-64", storage=f"sqlite:///{searched / 'study' / 'study.db'}")
    assert study.trials[0].state.name == "FAIL"
    assert study.best_trial.number == told(searched)["best"][0]
    assert (searched / "study" / "report.html").stat().st_size > 50_000


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pictures are scored, on the way and at the end."""
    monkeypatch.setattr("impasto.metrics.image_sets.MADE", 24)
    monkeypatch.setattr("impasto.training.trainer.SCORED", 24)


def quickly(folder: Path, **options: Any) -> Tuning:
    """A study of one trial in this process."""
    changes = [each for each in TINY if each != "--set"]
    with_all: dict[str, Any] = {"recipe": "dcgan-64", "trials": 1, "budget": "2steps", "changes": changes, "say": str}
    return tune(paintings="sample:paintings", out=folder / "study", **with_all | options).tuning


@pytest.mark.usefixtures("few")
def test_the_mean_over_seeds_counts_where_it_is_asked_for(tmp_path: Path) -> None:
    (trial,) = quickly(tmp_path, seeds=2, seed=5, storage=str(tmp_path / "shared.log")).trials
    runs = [tmp_path / "study" / f"{FIRST}{end}" for end in ("", "-seed-6")]
    found = [json.loads((run / "evaluation.json").read_text())["scores"][0]["values"]["KID"]["value"] for run in runs]
    assert trial.values == [pytest.approx(sum(found) / 2)]
    assert found[0] != found[1]
    assert (tmp_path / "shared.log").exists() and not (tmp_path / "study" / "study.db").exists()


def test_score_and_content_give_those_that_no_other_beats_in_both(impasto: Impasto, tmp_path: Path) -> None:
    small = ("size=32", "generator.width=4", "generator.depth=2", "batch=2", "discriminator.width=4")
    command = ["tune", "cnn", "--paintings", "sample:paintings", "--photos", "sample:photos", "--out", "study"]
    command += [part for each in small for part in ("--set", each)]
    impasto(*command, "--budget-per-trial", "3steps", "--trials", "3", "--objective", "score", "--objective", "content")
    found = told(tmp_path)
    assert found["objectives"] == ["KID[efficientnet-lite0]", "ST-LPIPS[vgg16]"]
    values = {trial["number"]: trial["values"] for trial in found["trials"]}
    assert len(values) == 3
    for number, mine in values.items():
        beaten = any(theirs != mine and theirs[0] <= mine[0] and theirs[1] <= mine[1] for theirs in values.values())
        assert (number in found["best"]) == (not beaten)


@pytest.mark.usefixtures("few")
def test_trials_are_compared_by_the_network_that_chose_their_styles(tmp_path: Path) -> None:
    small = ["size=32", "batch=2", "latent=8", "generator.width=4", "discriminator.width=4", "discriminator.pixels=0"]
    found = quickly(tmp_path, recipe="projected-64", changes=small, budget="1steps")
    (scores,) = json.loads((tmp_path / "study" / str(found.trials[0].run) / "evaluation.json").read_text())["scores"]
    assert found.objectives == ["KID[alexnet]"] and scores["network"] == "alexnet"
    assert found.trials[0].values == [scores["values"]["KID"]["value"]]


def test_pictures_that_are_not_there_cost_no_trial(impasto: Impasto, tmp_path: Path) -> None:
    wrong = [part.replace("sample:paintings", "nowhere") for part in SEARCH]
    failed = impasto(*wrong, "--trials", "2", check=False)
    assert failed.returncode == 1 and "nowhere" in failed.stderr and failed.stderr.count("\n") == 1
    assert not (tmp_path / "study" / "study.db").exists()


@pytest.mark.usefixtures("few")
def test_a_full_disk_ends_the_search_and_costs_no_trial(tmp_path: Path) -> None:
    """On a real small disk; where one cannot be mounted, the test is skipped."""
    disk = tmp_path / "study"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        with pytest.raises(ImpastoError, match="The disk is full: when that is mended, the same command goes on"):
            quickly(tmp_path)
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        states = [trial.state for trial in quickly(tmp_path).trials]
        assert states == ["failed", "complete"]
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.usefixtures("few")
def test_a_folder_of_another_study_is_not_taken_for_a_trial_of_this_one(tmp_path: Path) -> None:
    one = quickly(tmp_path)
    (tmp_path / "study" / "study.db").unlink()
    two = quickly(tmp_path, budget="3steps")
    assert one.trials[0].run == two.trials[0].run == FIRST
    assert one.trials[0].values != two.trials[0].values


@pytest.mark.usefixtures("few")
def test_a_folder_keeps_one_search_and_nothing_of_a_persons(tmp_path: Path) -> None:
    quickly(tmp_path)
    with pytest.raises(ImpastoError, match="holds the study 'dcgan-64', not 'second': choose another --out"):
        quickly(tmp_path, study="second")
    before = (tmp_path / "study" / "report.html").read_bytes()
    with pytest.raises(ImpastoError, match="is another recipe, or has other settings"):
        quickly(tmp_path, changes=["size=16", "batch=4"])
    assert (tmp_path / "study" / "report.html").read_bytes() == before
    (mine := tmp_path / "mine" / "study").mkdir(parents=True)
    (mine / "report.html").write_text("a diary")
    with pytest.raises(ImpastoError, match="that is not a search's"):
        quickly(tmp_path / "mine")
    assert [path.name for path in mine.iterdir()] == ["report.html"]


@pytest.mark.usefixtures("few")
def test_trials_too_short_to_tell_anything_are_said_to_be(tmp_path: Path) -> None:
    found = quickly(tmp_path)
    assert found.trials[0].steps == 2
    assert any("no more than 2 steps" in caution for caution in cautions(found))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objectives": ["beauty"]}, "There is no objective 'beauty': there are score and content"),
        ({"objectives": ["content"]}, "no content to keep"),
        ({"trials": 0}, "at least one trial"),
        ({"budget": "soon"}, "The budget 'soon' is not understood"),
        ({"storage": "study.txt"}, "neither a database"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_made(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ImpastoError, match=message):
        tune("dcgan-64", "sample:paintings", tmp_path / "study", **options)
    assert not (tmp_path / "study" / "trials").exists()
