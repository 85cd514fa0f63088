"""The run folder: everything that a training writes. It can be copied to another machine and resumed there."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError

from impasto.config import migrations
from impasto.config.recipe import Recipe
from impasto.errors import MALFORMED, ImpastoError
from impasto.files import atomic_write, exclusive, full_disk_errors, partial_files, path_errors, require_folder
from impasto.notebook import Displayed

#: Names of sample grids, with their step.
SAMPLE = re.compile(r"(?:reverse-)?step-(\d+)\.jpg")


class _SourceFacts(BaseModel):
    """What ``run.json`` holds of a data set and resuming needs."""

    spec: str
    crop_frames: bool
    fingerprint: str
    pictures: int


class _ResumableFacts(BaseModel):
    """What ``run.json`` holds and resuming needs; a training writes more."""

    impasto: str
    seed: int
    budget: str
    paintings: _SourceFacts
    photos: _SourceFacts | None = None
    start: str | None = None
    device: str
    precision: str
    threads: int = Field(ge=1, le=4096)
    processes: int = Field(default=1, ge=1, le=4096)
    license: str
    loggers: list[str] = []


class RunDir(Displayed):
    """A folder with ``recipe.yaml``, ``run.json``, ``log.jsonl``, ``tensorboard/``, ``samples/``, ``checkpoints/``
    (with the states to roll back to in ``recovery/``) and the styles ``best.safetensors`` and ``last.safetensors``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log_file = path / "log.jsonl"
        self.samples = path / "samples"
        self.checkpoints = path / "checkpoints"
        self.recovery = self.checkpoints / "recovery"
        self.tensorboard = path / "tensorboard"
        self.last, self.best = path / "last.safetensors", path / "best.safetensors"

    @staticmethod
    def require_free(path: Path) -> None:
        """Raise ImpastoError if ``path`` exists and is not an empty folder, or cannot be written to."""
        with path_errors(path):
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                hint = f"or resume it ({resume_command(path)})" if (path / "run.json").exists() else "or remove it"
                raise ImpastoError(f"{path} exists already: choose another folder, {hint}.")
        require_folder(path)

    @classmethod
    def create(cls, path: Path, recipe: Recipe, facts: Mapping[str, Any]) -> Self:
        """Create a run in a folder that does not exist yet, or is empty.

        Raises:
            ImpastoError: the folder is not empty.
        """
        cls.require_free(path)
        run = cls(path)
        with full_disk_errors(path), path_errors(path):
            run.samples.mkdir(parents=True, exist_ok=True)
            run.checkpoints.mkdir(exist_ok=True)
            run.log_file.touch()
        with atomic_write(path / "recipe.yaml") as part:
            part.write_text(recipe.without_search().to_yaml(), encoding="utf-8")
        run.note(**facts)
        return run

    @staticmethod
    def remove(path: Path) -> None:
        """Delete a run folder, complete or not, if it exists.

        Raises:
            ImpastoError: it holds files, but no log: it is not a run.
        """
        if not path.exists():
            return
        files = not path.is_dir() or any(each.is_file() or each.is_symlink() for each in path.rglob("*"))
        if path.is_symlink() or (files and not (path / "log.jsonl").is_file()):
            raise ImpastoError(f"{path} is not a run folder and is not replaced: move it away.")
        shutil.rmtree(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing run.

        Raises:
            ImpastoError: the folder is not a run.
        """
        if not (path / "run.json").is_file() or not (path / "recipe.yaml").is_file():
            raise ImpastoError(f"{path} is not a run folder: run.json or recipe.yaml is missing.")
        return cls(path)

    @property
    def recipe(self) -> Recipe:
        """The recipe of the training, without its search space."""
        return Recipe.load(self.path / "recipe.yaml", recorded=True)

    @property
    def facts(self) -> dict[str, Any]:
        """The contents of ``run.json``: data sources, seed, budget, device, status, …"""
        file = self.path / "run.json"
        if not file.exists():
            return {}
        try:
            return migrations.run_facts(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, *MALFORMED) as error:  # no JSON, no UTF-8, or no object
            raise ImpastoError(f"{file} is damaged ({error}): the run cannot be resumed.") from error

    def require_resumable(self) -> None:
        """Raise ImpastoError if ``run.json`` lacks what resuming needs, or holds values of another kind."""
        try:
            _ResumableFacts.model_validate(self.facts)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ImpastoError(
                f"{self.path / 'run.json'} is damaged ({where}: {first['msg']}): the run cannot be resumed."
            ) from error

    def note(self, **facts: Any) -> None:
        """Set entries of ``run.json``."""
        known = self.facts | facts
        with atomic_write(self.path / "run.json") as part:
            part.write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def remove_samples_after(self, step: int) -> None:
        """Delete the sample grids of later steps."""
        for sample in self.samples.glob("*.jpg"):
            found = SAMPLE.fullmatch(sample.name)
            if found and int(found[1]) > step:
                sample.unlink()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process alone, and delete partial files that a killed process left.

        The system releases the lock when the process ends, however it ends.

        Raises:
            ImpastoError: another process holds it.
        """
        with exclusive(self.path / ".lock", f"{self.path} is being trained by another process."):
            # Not of reports: other processes may write them.
            for pattern in ("samples/*.jpg", "checkpoints/**/*.pt", "checkpoints/**/*.safetensors", "*.safetensors"):
                for part in partial_files(self.path, pattern):
                    part.unlink()
            yield


def resume_command(path: Path) -> str:
    """Return the shell command that resumes a run."""
    return f"impasto train --resume {shlex.quote(str(path))}"
