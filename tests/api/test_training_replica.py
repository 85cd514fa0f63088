"""The processes beside the first one: what they agree on before a training, under torchrun."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fixtures.command import TINY
from fixtures.data_parallel import several
from impasto.api.training_replica import agree
from impasto.errors import ImpastoError
from impasto.parallel import Processes


def _agree_on_all(processes: Processes) -> list[str]:
    """Return the errors of attempts to agree, as this process sees them."""
    second = processes.rank == 1
    error = ImpastoError("The disk is full.") if second else None
    found = []
    attempts: list[tuple[ImpastoError | None, dict[str, Any] | None]] = [
        (None, {"recipe": {"batch": 8}, "seed": 0}),
        (error, None),
        (None, {"recipe": {"batch": 16 if second else 8}, "seed": 0}),
        (None, None if second else {"seed": 0}),
    ]
    for failure, arguments in attempts:
        try:
            agree(processes, failure, arguments)
            found.append("")
        except ImpastoError as raised:
            found.append(str(raised))
    return found


@pytest.mark.long
def test_an_error_or_another_recipe_of_one_process_is_an_error_of_all() -> None:
    first, second = several(2, _agree_on_all)
    other = "Process 1 was started with another recipe than process 0: start all with the same command."
    assert first == ["", "Process 1: The disk is full.", other, ""]
    assert second == ["", "The disk is full.", other, ""]


@pytest.mark.long
def test_torchrun_trains_as_devices_do(tmp_path: Path) -> None:
    """With ``-m impasto``; the further process prints nothing."""
    options = [
        "train",
        "dcgan-64",
        "--paintings",
        "sample:paintings",
        "--budget",
        "6steps",
        "--precision",
        "fp32",
        *TINY,
    ]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for command in (
        [*torchrun, "-m", "impasto", *options, "--out", "one"],
        [*(sys.executable, "-m", "impasto"), *options, "--out", "two", "--devices", "2", "--device", "cpu"],
    ):
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, env=environment)
        assert done.stdout.count("2 processes on CPU, 4 images each.") == 1
        assert len(re.findall("^Report: ", done.stdout, re.M)) == 1
    losses = [re.findall(r'"loss_\w+": [^,]+', (tmp_path / run / "log.jsonl").read_text()) for run in ("one", "two")]
    assert losses[0] == losses[1]
