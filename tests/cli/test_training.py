"""The training commands: stopping, resuming, full disks, and wrong options."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from fixtures.command import (
    QUICK,
    TINY,
    Impasto,
    begin,
    end_of,
    log_of,
    one_line,
    run_here,
    train_and_kill,
    wait_for_step,
)
from fixtures.disks import small_disk
from fixtures.parameters import mostly_long
from impasto.config import bundled_recipes
from impasto.style import Style

TRAIN = ["train", "dcgan-64", *TINY, "--paintings", "sample:paintings", "--precision", "fp32"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run."""
    folder = tmp_path_factory.mktemp("trained")
    run_here(*TRAIN, "--out", "run", "--budget", "40steps", folder=folder)
    return folder / "run"


def test_recipes_are_listed_and_shown(impasto: Impasto) -> None:
    listed = impasto("recipes").stdout
    assert all(name in listed for name in bundled_recipes())
    assert "init_std: 0.02" in impasto("recipes", "dcgan-128").stdout


def test_a_run_is_complete_and_its_report_opens_offline(trained: Path) -> None:
    there = {path.name for path in trained.iterdir()}
    promised = {"recipe.yaml", "log.jsonl", "samples", "checkpoints", "best.safetensors", "last.safetensors"}
    assert promised | {"report.html", "evolution.mp4", "evolution.webp", "curves.png", "paintings.jpg"} <= there
    assert list((trained / "tensorboard").glob("events.*"))
    page = (trained / "report.html").read_text()
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM])
def test_a_signal_saves_and_prints_how_to_resume(
    impasto_command: list[str], impasto: Impasto, tmp_path: Path, number: signal.Signals
) -> None:
    process = begin([*QUICK, *TRAIN, "--out", "run", "--budget", "100000steps"], tmp_path)
    wait_for_step(tmp_path / "run", 10)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "impasto train --resume run" in out
    rows, state = log_of(tmp_path / "run"), end_of(tmp_path / "run")
    assert rows[-1]["step"] == state["step"] >= 10
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "stopped"


@pytest.mark.long
def test_a_run_stopped_then_killed_and_resumed_equals_an_uninterrupted_one(
    impasto_command: list[str], impasto: Impasto, tmp_path: Path
) -> None:
    """Ctrl-C leaves a checkpoint; kill -9 some steps later leaves a longer log, perhaps with an incomplete line."""
    budget = ["--budget", "160steps"]
    impasto(*TRAIN, "--out", "whole", *budget)
    process = begin([*QUICK, *TRAIN, "--out", "cut", *budget], tmp_path)
    wait_for_step(tmp_path / "cut", 30)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    stopped = end_of(tmp_path / "cut")["step"]
    assert 30 <= stopped < 150
    train_and_kill([*QUICK, "train", "--resume", "cut"], tmp_path / "cut", stopped + 10)
    with (tmp_path / "cut" / "log.jsonl").open("a") as log:
        log.write('{"step": 99')
    moved = tmp_path / "another machine"
    shutil.move(tmp_path / "cut", moved)
    found = re.search(r"Resuming from step (\d+)", impasto("train", "--resume", moved).stdout)
    assert found and stopped <= int(found[1]) < 160  # there may be a later checkpoint

    uninterrupted, resumed = tmp_path / "whole", moved
    one, two = end_of(uninterrupted), end_of(resumed)
    for part in ("networks", "optimizers", "ema"):
        assert torch.equal(flat(one[part]), flat(two[part])), part
    assert log_of(uninterrupted) == log_of(resumed)
    for style in ("last.safetensors", "best.safetensors"):
        ours, theirs = load_file(uninterrupted / style), load_file(resumed / style)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    names = sorted(path.name for path in (uninterrupted / "samples").iterdir())
    assert names == sorted(path.name for path in (resumed / "samples").iterdir())
    assert all((uninterrupted / "samples" / n).read_bytes() == (resumed / "samples" / n).read_bytes() for n in names)


@pytest.mark.long
def test_a_run_killed_before_its_first_checkpoint_starts_again(
    impasto_command: list[str], impasto: Impasto, tmp_path: Path
) -> None:
    process = begin([*QUICK, *TRAIN, "--out", "run", "--budget", "20steps"], tmp_path)
    while not (tmp_path / "run" / "run.json").exists():
        time.sleep(0.001)
    process.kill()
    process.communicate()
    impasto("train", "--resume", "run")
    assert end_of(tmp_path / "run")["step"] == 20


@pytest.mark.long
def test_a_finished_run_continues_with_a_larger_budget(trained: Path, impasto: Impasto, tmp_path: Path) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    impasto("train", "--resume", run, "--budget", "60steps")
    assert [row["step"] for row in log_of(run)] == list(range(1, 61))


@pytest.mark.parametrize(("budget", "done"), [("10steps", "steps"), ("8pictures", "steps"), ("0.001s", "s")])
def test_a_smaller_budget_than_was_trained_is_refused(trained: Path, impasto: Impasto, budget: str, done: str) -> None:
    before = (trained / "run.json").read_bytes()
    said = one_line(impasto("train", "--resume", trained, "--budget", budget, check=False))
    assert re.search(rf"has trained for \d+ {done} already: give a larger --budget", said)
    assert (trained / "run.json").read_bytes() == before


@pytest.mark.long
def test_a_run_that_took_longer_than_its_own_budget_can_be_resumed(
    trained: Path, impasto: Impasto, tmp_path: Path
) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(facts | {"budget": "1s", "seconds": 2.0}))
    assert "already" not in impasto("train", "--resume", run, "--budget", "1s", check=False).stderr


def test_other_images_than_those_of_the_run_are_refused(trained: Path, impasto: Impasto) -> None:
    done = impasto("train", "--resume", trained, "--paintings", "sample:photos", check=False)
    assert "does not hold the images" in one_line(done)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "dcgan64", "--paintings", "sample:paintings", "--out", "r"], "did you mean 'dcgan-64'"),
        ([*TRAIN, "--out", "r", "--budget", "soon"], "30m"),
        ([*TRAIN, "--out", "r", "--set", "generator.widht=3"], "did you mean 'generator.width'"),
        ([*TRAIN, "--out", "r", "--device", "cuda:7"], "no device 'cuda:7'"),
        (["train", "dcgan-64", "--paintings", "nowhere", "--out", "r"], "nowhere"),
        (["train", "dcgan-64", "--out", "r"], "--paintings"),
        (["train", "--resume", "nowhere"], "not a run folder"),
        (["train", "--resume", "nowhere", "--seed", "3"], "only --budget"),
        (["report", "nowhere"], "nowhere"),
        (["pack", "nowhere", "p"], "nowhere"),
    ],
)
def test_wrong_options_are_refused_in_one_line_before_a_folder_is_created(
    impasto: Impasto, tmp_path: Path, arguments: list[str], said: str
) -> None:
    assert said in one_line(impasto(*arguments, check=False))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spelling", mostly_long(["--license", "--licence"], "--licence"))
def test_license_has_both_spellings_and_loggers_are_remembered(spelling: str, impasto: Impasto, tmp_path: Path) -> None:
    impasto(*TRAIN, "--out", "run", "--budget", "1steps", spelling, "CC0-1.0", "--log", "tensorboard")
    assert Style.load(tmp_path / "run").card.license == "CC0-1.0"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["loggers"] == ["tensorboard"]
    assert "no logger 'wandbb'" in one_line(impasto(*TRAIN, "--out", "r", "--log", "wandbb", check=False))


def test_a_run_is_not_overwritten(trained: Path, impasto: Impasto) -> None:
    assert "--resume" in one_line(impasto(*TRAIN, "--out", trained, check=False))


@pytest.mark.long
def test_a_full_disk_leaves_the_last_checkpoint_and_the_run_resumes(
    impasto_command: list[str], impasto: Impasto, tmp_path: Path
) -> None:
    """On a real small disk, which is then cleared; skipped where none can be mounted."""
    with small_disk(tmp_path / "disk", "12m") as disk:
        filler = disk / "filler"
        with begin([*QUICK, *TRAIN, "--out", "disk/run", "--budget", "100000steps"], tmp_path) as process:
            try:
                wait_for_step(disk / "run", 20)
                process.send_signal(signal.SIGSTOP)
                fill(filler)
                process.send_signal(signal.SIGCONT)
                _, error = process.communicate(timeout=60)
            finally:
                process.kill()
        assert "disk is full" in one_line(subprocess.CompletedProcess([], process.returncode, "", error))
        filler.unlink()
        assert not list((disk / "run").rglob("*.part"))
        done = impasto("train", "--resume", "disk/run", "--budget", "60steps")
        assert "Resuming from step" in done.stdout
        assert [row["step"] for row in log_of(disk / "run")] == list(range(1, 61))


def fill(file: Path) -> None:
    """Fill the free space of a disk."""
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY)
    with pytest.raises(OSError, match="space"):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)


def flat(state: Any) -> torch.Tensor:
    """Return all numbers of nested dictionaries as one vector."""
    if isinstance(state, torch.Tensor):
        return state.double().flatten()
    if isinstance(state, dict):
        state = list(state.values())
    parts = [flat(each) for each in state if isinstance(each, torch.Tensor | dict | list)]
    return torch.cat(parts) if parts else torch.zeros(0)
