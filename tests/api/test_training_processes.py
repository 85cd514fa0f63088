"""The processes of a training: how many and on which devices, and what a lost one leads to."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from PIL import Image
from torch.distributed import HashStore  # type: ignore[attr-defined]

from fixtures.command import TINY, log_of
from impasto.api import train
from impasto.api.training_processes import (
    Team,
    devices_of,
    part_of_this_start,
    process_count,
    threads_each,
    training_processes,
)
from impasto.api.training_replica import announce
from impasto.config.types import Features, Pixels
from impasto.errors import ImpastoError
from impasto.metrics.candidates import features_of
from impasto.parallel import LostProcessError, Processes
from impasto.training.callbacks import Callback, Estimate

SETTINGS = [part for part in TINY if part != "--set"]


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.inference.image_sets.GENERATED", 16)
    monkeypatch.setattr("impasto.training.evaluator.SCORE_IMAGES", 16)


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the second of two processes that torchrun starts."""
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)


class AtStep(Callback):
    """Act once a step is in the log."""

    def __init__(self, step: int, act: Any) -> None:
        self.step, self.act = step, act

    def on_rows(self, rows: Any, estimate: Estimate) -> None:
        if rows[-1]["step"] >= self.step and self.act is not None:
            act, self.act = self.act, None
            act()


def make(out: Path, devices: int | None = 2, **options: Any) -> Any:
    options = {"budget": "40steps", "settings": SETTINGS, "precision": "fp32", "progress": False, **options}
    return train.train("dcgan-64", "sample:paintings", out, devices=devices, device="cpu", **options)


def replicas() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "impasto.api.training_replica" in " ".join(each.cmdline())]


def test_a_killed_process_ends_the_training_with_its_reason_and_one_process_resumes_it(tmp_path: Path) -> None:
    with pytest.raises(LostProcessError) as lost:
        make(tmp_path / "run", callbacks=[AtStep(27, lambda: replicas()[0].kill())])
    assert str(lost.value).startswith("Process 1 (of 2, from 0) was killed by SIGKILL")
    assert str(lost.value).endswith(f"resume with: impasto train --resume {tmp_path / 'run'}")
    assert not replicas()
    assert not torch.distributed.is_initialized()
    assert "GLOO_SOCKET_IFNAME" not in os.environ

    assert train.resume(tmp_path / "run", devices=1, progress=False).finished
    assert [row["step"] for row in log_of(tmp_path / "run")] == list(range(1, 41))


@pytest.mark.long
def test_a_process_that_is_killed_while_all_score_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[int] = []

    def killing(networks: Any, images: Pixels) -> list[Features]:
        scored.append(len(images))
        replicas()[0].kill()
        return features_of(networks, images)

    monkeypatch.setattr("impasto.metrics.candidates.features_of", killing)
    with pytest.raises(
        LostProcessError, match=r"^Process 1 \(of 2, from 0\) was killed by SIGKILL.* checkpoint is intact"
    ):
        make(tmp_path / "run", budget="9steps")
    assert scored == [8]  # half of the images
    assert not replicas()


def test_an_error_of_another_process_ends_the_training_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one does not find the paintings, as on another machine."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(4):
        Image.new("RGB", (32, 32), (60 * number, 0, 99)).save(images / f"{number}.png")

    def move_and_announce(*arguments: Any) -> None:
        images.rename(tmp_path / "moved")
        announce(*arguments)

    monkeypatch.setattr("impasto.api.train.announce", move_and_announce)
    options: dict[str, Any] = {"settings": SETTINGS, "progress": False, "budget": "9steps"}
    with pytest.raises(ImpastoError, match=r"^Process 1: .*images"):
        train.train("dcgan-64", images, tmp_path / "run", devices=2, device="cpu", **options)
    assert not replicas()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"devices": 3}, "A batch of 8 has no equal parts for 3 processes: --set batch=9 has."),
        ({"devices": 0}, "A training needs at least one device, not 0: change --devices."),
    ],
)
def test_wrong_numbers_of_processes_are_one_line_before_any_work(
    options: dict[str, int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ImpastoError) as error:
        make(tmp_path / "run", **options)
    assert str(error.value) == message
    assert not (tmp_path / "run").exists()


def test_each_process_has_a_gpu_or_shares_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices_of("cpu", 3) == [torch.device("cpu")] * 3
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert devices_of("auto", 4) == [torch.device("cuda", index) for index in range(4)]
    assert devices_of("cuda:2", 1) == [torch.device("cuda:2")]
    for name, count, message in (
        ("cuda", 8, "This machine has 4 GPUs, too few for 8 processes: give --devices 4."),
        ("cuda:1", 2, "2 processes need a GPU each, not cuda:1 alone: give --device cuda."),
    ):
        with pytest.raises(ImpastoError) as error:
            devices_of(name, count)
        assert str(error.value) == message


def test_the_threads_of_the_cpu_are_divided() -> None:
    assert [threads_each(8, count) for count in (1, 3, 16)] == [8, 2, 1]
    assert [process_count(devices) for devices in (None, 1, 4)] == [1, 1, 4]


@pytest.mark.usefixtures("torchrun")
def test_torchrun_starts_the_processes_itself() -> None:
    assert process_count(None) == 2
    assert threads_each(8, 2) == 8  # divided already
    with pytest.raises(ImpastoError, match="leave out --devices"), training_processes("cpu", 2):
        pass


def test_each_start_by_torchrun_has_a_part_of_its_store_of_its_own() -> None:
    """torchrun keeps the store, with what an earlier start wrote into it."""
    store = HashStore()
    for start in ("first", "second"):
        parts: dict[int, Any] = {}

        def join(rank: int, parts: dict[int, Any] = parts) -> None:
            parts[rank] = part_of_this_start(store, rank, 2)

        other = threading.Thread(target=join, args=(1,))
        other.start()
        join(0)
        other.join(20)
        assert not parts[1].check(["address"])
        parts[0].set("address", start)
        assert parts[1].get("address") == start.encode()


def test_a_training_counts_as_begun_over_the_restarts_of_torchrun() -> None:
    store = HashStore()

    def start(store: HashStore | None) -> tuple[bool, Team]:
        team = Team(Processes(), torch.device("cpu"), store)
        return team.begun, team

    begun, team = start(store)
    assert not begun
    team.begin()
    assert start(store)[0]
    begun, alone = start(None)
    alone.begin()
    assert not begun and not start(None)[0]


@pytest.mark.long
def test_torchrun_restarts_a_killed_process_and_the_training_continues(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, signal\n"
        "from impasto.inference import image_sets\n"
        "from impasto.training import evaluator, updates\n"
        "image_sets.GENERATED = evaluator.SCORE_IMAGES = 16\n"
        "make = updates.Updates._make\n"
        "def killed(self, update, stopped=False):\n"
        "    if self.state.step == 30 and os.environ['RANK'] == '1' and not os.path.exists('killed'):\n"
        "        open('killed', 'w').close()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return make(self, update, stopped)\n"
        "updates.Updates._make = killed\n"
        "from impasto.cli import main\n"
        "main()\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", "1", str(program), "train", "dcgan-64", "--paintings", "sample:paintings"]
    command += ["--out", "run", "--budget", "40steps", "--precision", "fp32", *TINY]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "killed").exists()
    assert done.stdout.count("Resuming from step 25.") == 1
    assert [row["step"] for row in log_of(tmp_path / "run")] == list(range(1, 41))
    assert f"{-signal.SIGKILL}" in done.stderr  # torchrun's own report
