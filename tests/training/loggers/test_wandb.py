"""Weights & Biases, offline; its files are read back."""

import json
import os
import struct
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fixtures.logged import LOSSES, create_run, log_everything
from impasto.errors import ImpastoError
from impasto.training.loggers.wandb import WandbLogger

pytestmark = pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is not installed")


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("CACHE_DIR", "DATA_DIR", "CONFIG_DIR"):
        monkeypatch.setenv(f"WANDB_{name}", str(tmp_path / "wandb"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


def records(file: Path) -> Iterator[Any]:
    """Yield the records of a ``.wandb`` file, a log in LevelDB's format."""
    from wandb.proto import wandb_internal_pb2

    data, at, part = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        part += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # the last part of a record
            record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
            record.ParseFromString(part)
            part = b""
            yield record


def key(item: Any) -> str:
    return item.key or ".".join(item.nested_key)


def test_numbers_images_and_settings_are_in_the_files_of_one_run(tmp_path: Path) -> None:
    run = create_run(tmp_path)
    log_everything(run, WandbLogger)
    rows: list[dict[str, Any]] = []
    runs: list[tuple[str, str, str]] = []
    settings: dict[str, Any] = {}
    files = sorted((run.path / "wandb").glob("offline-run-*/*.wandb"))
    for record in [record for file in files for record in records(file)]:
        if record.WhichOneof("record_type") == "history":
            rows.append({key(item): json.loads(item.value_json) for item in record.history.item})
        elif record.WhichOneof("record_type") == "run":
            runs.append((record.run.project, record.run.display_name, record.run.run_id))
            settings |= {key(item): json.loads(item.value_json) for item in record.run.config.update}
    assert {row["step"]: row["loss"] for row in rows if "loss" in row} == LOSSES
    assert [row["event"] for row in rows if "event" in row] == ["Rolled back to step 2"]
    assert [(row["step"], row["samples.width"]) for row in rows if "samples.path" in row] == [(0, 32), (4, 32)]
    assert set(runs) == {("impasto", "monets", run.facts["trackers"]["wandb"])}
    assert settings["batch"] == run.recipe.batch and settings["generator"]["network"] == "dcgan"
    assert list((run.path / "wandb").glob("offline-run-*/files/media/images/*.jpg"))


def test_no_thread_or_process_is_left(tmp_path: Path) -> None:
    log_everything(create_run(tmp_path), WandbLogger)
    assert not [thread.name for thread in threading.enumerate() if "wandb" in thread.name.lower()]


def test_a_run_without_login_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    def refuse(**_: object) -> None:
        raise wandb.errors.UsageError("No API key configured.")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(ImpastoError, match=r"No API key configured.*wandb login.*WANDB_MODE=offline"):
        WandbLogger(create_run(tmp_path))
