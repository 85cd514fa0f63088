"""The atomic_write state of a training in one file, of which the newest atomic_write one can always be read."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from impasto.config import migrations
from impasto.errors import ImpastoError
from impasto.files import atomic_write

_KEEP = 3


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Writes ``state`` as the checkpoint of ``step`` and removes all but the newest ones.

    It is serialised in memory first: torch's own writer reports a full disk as a crash.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08d}.pt"
    with atomic_write(path) as part:
        part.write_bytes(buffer.getbuffer())
    for old in steps(folder)[:-_KEEP]:
        old.unlink()
    return path


def load(path: Path) -> dict[str, Any]:
    """Reads a checkpoint, onto the CPU. Nothing in it is run: it is tensors, numbers and text only."""
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums
            damaged = archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(damaged)
        state = migrations.checkpoint(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, EOFError, OSError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise ImpastoError(f"The checkpoint {path} cannot be read: it is damaged or not a checkpoint.") from error
    return state


def steps(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, oldest first."""
    return sorted(folder.glob("step-*.pt"))


def step_of(path: Path) -> int:
    """The step that a checkpoint's name says."""
    return int(path.stem.removeprefix("step-"))


def newest(folder: Path) -> tuple[dict[str, Any], list[Path]]:
    """The newest checkpoint that can be read, and the newer ones that cannot, which are now called ``.damaged``."""
    damaged: list[Path] = []
    for path in reversed(steps(folder)):
        try:
            return load(path), damaged
        except ImpastoError:
            damaged.append(path.replace(path.with_suffix(".damaged")))
    raise ImpastoError(f"There is no checkpoint in {folder} that can be read; start the training again.")
