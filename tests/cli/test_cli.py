"""Whole commands, as a user's shell runs them."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from fixtures.command import QUICK, TINY, Impasto, begin, end_of, log_of, one_line, wait_for_step
from impasto.config.recipe import bundled_recipes

TRAIN = ["train", "dcgan-64", *TINY, "--paintings", "sample:paintings", "--precision", "fp32"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, impasto_command: list[str]) -> Path:
    """A small finished run."""
    folder = tmp_path_factory.mktemp("trained")
    subprocess.run([*QUICK, *TRAIN, "--out", "run", "--budget", "40steps"], cwd=folder, check=True)
    return folder / "run"


def test_recipes_are_listed_and_shown(impasto: Impasto) -> None:
    listed = impasto("recipes").stdout
    assert all(name in listed for name in bundled_recipes())
    assert "init_std: 0.02" in impasto("recipes", "dcgan-128").stdout


def test_a_run_holds_what_it_promises_and_its_report_opens_offline(trained: Path) -> None:
    there = {path.name for path in trained.iterdir()}
    promised = {"recipe.yaml", "log.jsonl", "samples", "checkpoints", "best.safetensors", "last.safetensors"}
    assert promised | {"report.html", "evolution.mp4", "evolution.webp", "curves.png", "paintings.jpg"} <= there
    assert list((trained / "tensorboard").glob("events.*"))
    page = (trained / "report.html").read_text()
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(
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


def test_a_run_stopped_then_killed_and_resumed_equals_an_uninterrupted_one(
    impasto_command: list[str], impasto: Impasto, tmp_path: Path
) -> None:
    """Ctrl-C leaves a checkpoint; kill -9 some steps later leaves a log beyond it and perhaps a broken line."""
    budget = ["--budget", "400steps"]
    impasto(*TRAIN, "--out", "whole", *budget)
    process = begin([*QUICK, *TRAIN, "--out", "cut", *budget], tmp_path)
    wait_for_step(tmp_path / "cut", 30)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    stopped = end_of(tmp_path / "cut")["step"]
    assert 30 <= stopped < 400
    process = begin([*QUICK, "train", "--resume", "cut"], tmp_path)
    wait_for_step(tmp_path / "cut", stopped + 10)
    process.kill()
    process.communicate(timeout=60)
    with (tmp_path / "cut" / "log.jsonl").open("a") as log:
        log.write('{"step": 99')
    moved = tmp_path / "another machine"
    shutil.move(tmp_path / "cut", moved)
    assert f"Going on from step {stopped}" in impasto("train", "--resume", moved).stdout

    whole, cut = tmp_path / "whole", moved
    one, two = end_of(whole), end_of(cut)
    for part in ("networks", "optimizers", "ema"):
        assert torch.equal(flat(one[part]), flat(two[part])), part
    assert log_of(whole) == log_of(cut)
    for style in ("last.safetensors", "best.safetensors"):
        ours, theirs = load_file(whole / style), load_file(cut / style)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    names = sorted(path.name for path in (whole / "samples").iterdir())
    assert names == sorted(path.name for path in (cut / "samples").iterdir())
    assert all((whole / "samples" / n).read_bytes() == (cut / "samples" / n).read_bytes() for n in names)


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


def test_a_finished_run_goes_further_with_a_larger_budget(trained: Path, impasto: Impasto, tmp_path: Path) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    impasto("train", "--resume", run, "--budget", "60steps")
    assert [row["step"] for row in log_of(run)] == list(range(1, 61))


def test_other_pictures_than_the_run_began_with_are_refused(trained: Path, impasto: Impasto) -> None:
    done = impasto("train", "--resume", trained, "--paintings", "sample:photos", check=False)
    assert "does not hold the pictures" in one_line(done)


def test_a_picture_is_the_same_however_many_are_asked_for(trained: Path, impasto: Impasto, tmp_path: Path) -> None:
    impasto("generate", trained, "--count", "40", "--seed", "3", "--out", "many")
    impasto("generate", trained, "--count", "5", "--seed", "3", "--start", "20", "--out", "few.zip")
    with zipfile.ZipFile(tmp_path / "few.zip") as few:
        assert few.namelist() == [f"{n:05d}.png" for n in range(20, 25)]
        for name in few.namelist():
            with few.open(name) as one, Image.open(one) as picture, Image.open(tmp_path / "many" / name) as same:
                assert np.array_equal(np.asarray(picture), np.asarray(same))


def test_a_submission_is_accepted_by_its_own_check_and_a_spoilt_one_is_not(
    trained: Path, impasto: Impasto, tmp_path: Path
) -> None:
    said = impasto("submit", trained, "--count", "7000", "--out", "images.zip").stdout
    assert "7,000 pictures, as the competition wants them" in said
    assert "7,000 pictures, as the competition wants them" in impasto("submit", "--check", "images.zip").stdout
    with zipfile.ZipFile(tmp_path / "images.zip", "a") as images:
        images.writestr("notes.txt", "hello")
    done = impasto("submit", "--check", "images.zip", check=False)
    assert done.returncode == 1 and "notes.txt" in done.stdout
    assert "6,999" in one_line(impasto("submit", trained, "--count", "6999", "--out", "few.zip", check=False))
    assert not (tmp_path / "few.zip").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "dcgan64", "--paintings", "sample:paintings", "--out", "r"], "did you mean 'dcgan-64'"),
        ([*TRAIN, "--out", "r", "--budget", "soon"], "30m"),
        ([*TRAIN, "--out", "r", "--set", "generator.widht=3"], "did you mean 'generator.width'"),
        ([*TRAIN, "--out", "r", "--device", "cuda:7"], "no device 'cuda:7'"),
        (["train", "dcgan-64", "--paintings", "nowhere", "--out", "r"], "nowhere"),
        (["train", "dcgan-64", "--out", "r"], "--paintings"),
        (["train", "--resume", "nowhere"], "not the folder of a run"),
        (["generate", "nowhere", "--out", "x"], "no style nowhere"),
        (["submit"], "--check"),
        (["train", "--resume", "nowhere", "--seed", "3"], "only --budget"),
        (["report", "nowhere"], "nowhere"),
        (["pack", "nowhere", "p"], "nowhere"),
    ],
)
def test_mistakes_are_told_in_one_line_and_leave_nothing(
    impasto: Impasto, tmp_path: Path, arguments: list[str], said: str
) -> None:
    assert said in one_line(impasto(*arguments, check=False))
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_where_an_error_came_from(impasto: Impasto) -> None:
    assert "Traceback" in impasto("--debug", "generate", "nowhere", "--out", "x", check=False).stderr
    assert "Traceback" in impasto("generate", "nowhere", "--out", "x", "--debug", check=False).stderr


def test_a_run_is_not_overwritten(trained: Path, impasto: Impasto) -> None:
    assert "--resume" in one_line(impasto(*TRAIN, "--out", trained, check=False))


def test_a_disk_that_is_full_while_training_leaves_the_last_checkpoint(
    impasto_command: list[str], impasto: Impasto, tmp_path: Path
) -> None:
    """On a real small disk, which is then cleared; where one cannot be mounted, the test is skipped."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
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
        assert "Going on from step" in done.stdout
        assert [row["step"] for row in log_of(disk / "run")] == list(range(1, 61))
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(file: Path) -> None:
    """Takes all the room that is left on a disk."""
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY)
    with pytest.raises(OSError, match="space"):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)


def flat(state: Any) -> torch.Tensor:
    """All numbers of nested dictionaries in one row."""
    if isinstance(state, torch.Tensor):
        return state.double().flatten()
    if isinstance(state, dict):
        state = list(state.values())
    parts = [flat(each) for each in state if isinstance(each, torch.Tensor | dict | list)]
    return torch.cat(parts) if parts else torch.zeros(0)
