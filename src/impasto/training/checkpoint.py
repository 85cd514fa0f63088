"""Checkpoints: the complete state of a training in one file, written atomically; the newest three are kept.

Beside each is the style that was the best one then, if there was one: ``step-00000025.safetensors``.
"""

import errno
import io
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch

from impasto.config import migrations
from impasto.device import out_of_memory
from impasto.errors import ImpastoError
from impasto.files import atomic_write

_KEEP = 3
_NAME = re.compile(r"step-\d+\.pt")


class DamagedError(ImpastoError):
    """A file is damaged, or not a checkpoint."""


def save(folder: Path, step: int, state: dict[str, Any], best: Path | None = None) -> Path:
    """Write ``state`` as the checkpoint of ``step``, and delete all but the newest ones up to it. Those of later steps
    stay: after a rollback they are deleted once this one is written.

    It is serialised in memory first, since torch's own writer aborts on a full disk.

    Args:
        folder, step, state: see above.
        best: the file of the best style, if there is one yet; it is kept too.

    Raises:
        DiskFullError: the disk is full; the older checkpoints are intact.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    folder.mkdir(parents=True, exist_ok=True)
    path = file_of(folder, step)
    if best is not None:
        link(best, best_style(path))
    with atomic_write(path) as part:
        part.write_bytes(buffer.getbuffer())
    _prune(folder, step)
    return path


def best_style(path: Path) -> Path:
    """Return where the style is kept that was the best one at a checkpoint."""
    return path.with_suffix(".safetensors")


def keep(path: Path, folder: Path) -> None:
    """Keep a checkpoint and its best style in another folder too."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / path.name
    link(best_style(path), best_style(kept))
    link(path, kept)
    _prune(folder, step_of(path))


def link(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source``: a hard link, or a copy where the file system has none. Remove it if
    there is no ``source``."""
    if not source.exists():
        target.unlink(missing_ok=True)
        return
    if target.exists() and target.samefile(source):  # a link to itself cannot be replaced
        return
    with atomic_write(target) as part:
        part.unlink()
        try:
            os.link(source, part)
        except OSError:
            shutil.copyfile(source, part)


def remove(path: Path) -> None:
    """Delete a checkpoint and its best style."""
    path.unlink()
    best_style(path).unlink(missing_ok=True)


def _prune(folder: Path, step: int) -> None:
    """Delete all but the newest checkpoints up to ``step``."""
    for old in [path for path in steps(folder) if step_of(path) <= step][:-_KEEP]:
        remove(old)


def remove_after(folder: Path, step: int) -> None:
    """Delete the checkpoints of later steps."""
    for path in steps(folder):
        if step_of(path) > step:
            remove(path)


def load(path: Path) -> dict[str, Any]:
    """Load a checkpoint onto the CPU, with ``weights_only=True``: no code in it is executed.

    Raises:
        DamagedError: the file is damaged or not a checkpoint.
        ImpastoError: the system does not let it be read, or there is too little memory.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not verify the checksums
            damaged = archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(damaged)
        state = migrations.checkpoint(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # damaged pickles raise many kinds
        if out_of_memory(error):
            raise ImpastoError(f"There is too little memory to read the checkpoint {path}.") from error
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # which a wrong offset gives
            raise ImpastoError(f"The checkpoint {path} cannot be read ({error.strerror}).") from error
        raise DamagedError(f"The checkpoint {path} cannot be read: it is damaged or not a checkpoint.") from error
    return state


def steps(folder: Path) -> list[Path]:
    """Return the checkpoints in ``folder``, oldest first. Files of other names are not ours."""
    return sorted((path for path in folder.glob("step-*.pt") if _NAME.fullmatch(path.name)), key=step_of)


def file_of(folder: Path, step: int) -> Path:
    """Return the file of the checkpoint of a step."""
    return folder / f"step-{step:08d}.pt"


def step_of(path: Path) -> int:
    """Return the step of a checkpoint, from its file name."""
    return int(path.stem.removeprefix("step-"))


def newest(*folders: Path) -> tuple[dict[str, Any], list[Path]]:
    """Load the newest readable checkpoint of the first folder that has one; return it with the damaged ones before it,
    renamed to ``.damaged``.

    Raises:
        ImpastoError: no checkpoint can be read, or as :func:`load`.
    """
    damaged: list[Path] = []
    for path in (path for folder in folders for path in reversed(steps(folder))):
        try:
            return load(path), damaged
        except DamagedError:
            damaged.append(path.replace(path.with_suffix(".damaged")))
    raise ImpastoError(f"No checkpoint in {folders[0]} can be read: start the training again.")
