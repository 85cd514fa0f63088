"""The run folder: all that a training leaves, enough to go on with it on another machine."""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from impasto.config import migrations
from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.files import atomic_write, exclusive, full_disk_errors
from impasto.training.tensorboard import EventFile


class RunDir:
    """A folder with ``recipe.yaml``, ``run.json``, ``log.jsonl``, ``samples/``, ``checkpoints/`` and styles."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log_file = path / "log.jsonl"
        self.samples = path / "samples"
        self.checkpoints = path / "checkpoints"
        self.tensorboard = path / "tensorboard"
        self._events: EventFile | None = None
        self.last, self.best = path / "last.safetensors", path / "best.safetensors"

    @staticmethod
    def require_free(path: Path) -> None:
        """Refuses a folder that holds something already."""
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            hint = f"or go on with it ({resume_command(path)})" if (path / "run.json").exists() else "or remove it"
            raise ImpastoError(f"{path} is there already: name another folder, {hint}.")

    @classmethod
    def create(cls, path: Path, recipe: Recipe, facts: Mapping[str, Any]) -> Self:
        """A new run in a folder that does not exist yet, or is empty."""
        cls.require_free(path)
        run = cls(path)
        with full_disk_errors(path):
            run.samples.mkdir(parents=True, exist_ok=True)
            run.checkpoints.mkdir(exist_ok=True)
            run.log_file.touch()
        with atomic_write(path / "recipe.yaml") as part:
            part.write_text(recipe.without_search().to_yaml(), encoding="utf-8")
        run.note(**facts)
        return run

    @classmethod
    def open(cls, path: Path) -> Self:
        """A run that is there."""
        if not (path / "run.json").is_file() or not (path / "recipe.yaml").is_file():
            raise ImpastoError(f"{path} is not the folder of a run: it lacks run.json or recipe.yaml.")
        return cls(path)

    @property
    def recipe(self) -> Recipe:
        return Recipe.load(self.path / "recipe.yaml")

    @property
    def facts(self) -> dict[str, Any]:
        """What ``run.json`` says: where the pictures come from, seed, budget, device, status."""
        file = self.path / "run.json"
        if not file.exists():
            return {}
        return migrations.run_facts(json.loads(file.read_text(encoding="utf-8")))

    def note(self, **facts: Any) -> None:
        """Adds to, or changes, what ``run.json`` says."""
        known = self.facts | facts
        with atomic_write(self.path / "run.json") as part:
            part.write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def log(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Appends rows to ``log.jsonl``, and their numbers to TensorBoard's files."""
        rows = list(rows)
        with full_disk_errors(self.log_file), self.log_file.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        numbers = [row for row in rows if "event" not in row]
        if not numbers:
            return
        with full_disk_errors(self.tensorboard):
            if self._events is None:
                self._events = EventFile(self.tensorboard, numbers[0]["step"])
            for row in numbers:
                self._events.add(row["step"], {name: value for name, value in row.items() if name != "step"})

    def rewind(self, step: int) -> None:
        """Takes back what came after ``step``: rows of the logs, samples, and a last line that a crash left unfinished.
        Events stay."""
        self.close()
        kept: list[str] = []
        for line in self.log_file.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            if row["step"] <= step or "event" in row:
                kept.append(line)
        for sample in self.samples.glob("*step-*.jpg"):
            if int(sample.stem.rpartition("-")[2]) > step:
                sample.unlink()
        with atomic_write(self.log_file) as part:
            part.write_text("".join(line + "\n" for line in kept), encoding="utf-8")

    def close(self) -> None:
        """Ends TensorBoard's file; more rows begin another."""
        events, self._events = self._events, None
        if events is not None:
            with full_disk_errors(self.tensorboard):
                events.close()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Inside, the run is this process's alone; the lock goes with the process, however it ends. What a process that
        was killed had half written is taken away."""
        with exclusive(self.path / ".lock", f"{self.path} is being trained by another process."):
            for pattern in ("samples/*.part", "checkpoints/*.part", "*.safetensors.*.part"):  # a report is anybody's
                for part in self.path.glob(pattern):
                    part.unlink()
            yield


def resume_command(path: Path) -> str:
    """What to type to go on with a run."""
    return f"impasto train --resume {shlex.quote(str(path))}"
