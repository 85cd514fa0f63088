"""A run folder, read: what was asked, what was measured step by step, and which pictures were left."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ValidationError

from impasto.config import migrations
from impasto.data.image_grid import cut
from impasto.errors import ImpastoError
from impasto.metrics.results import Evaluation


class RecordedData(BaseModel):
    """The pictures that were learned from: where they lie, how many were used, and why not all."""

    spec: str
    crop_frames: bool = False
    fingerprint: str
    pictures: int
    heldout: int
    left_out: int
    duplicates: int
    size: int | None = None  #: of the pictures as they are kept, in pixels

    @property
    def learned(self) -> int:
        """The pictures that were learned from: all but those held out."""
        return self.pictures - self.heldout


class Facts(BaseModel):
    """``run.json``: what a run is, apart from its recipe. Keys of no use here are passed over."""

    impasto: str
    created: datetime
    seed: int
    budget: str
    total_steps: int | None = None
    paintings: RecordedData
    photos: RecordedData | None = None  #: that it learned to paint; None if it paints out of noise
    start: str | None = None  #: the style or run whose weights it began with
    device: str
    precision: str
    status: Literal["running", "stopped", "finished"] = "running"


@dataclass(frozen=True)
class Event:
    """Something worth telling that happened at a step."""

    step: int
    text: str


@dataclass(frozen=True)
class Log:
    """``log.jsonl`` by columns: one float64 array a measure, all of one length, NaN where a step lacks it.

    Steps increase strictly: where training went back to an earlier step, only the path that led on is kept.
    """

    columns: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    def __len__(self) -> int:
        return len(self.columns.get("step", ()))

    def measured(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The steps at which a measure is a finite number, and those numbers; both empty if it never is."""
        if name not in self.columns:
            return np.empty(0), np.empty(0)
        finite = np.isfinite(self.columns[name])
        return self.columns["step"][finite], self.columns[name][finite]

    def last(self, name: str) -> float | None:
        """The latest finite value of a measure."""
        _, values = self.measured(name)
        return float(values[-1]) if len(values) else None

    @property
    def kids(self) -> list[str]:
        """The kernel distances that were ever measured, by their full names: ``KID[network] 256 v 270``."""
        return [name for name in self.columns if name.startswith("KID[") and len(self.measured(name)[0])]


@dataclass(frozen=True)
class Sample:
    """A sheet of paintings made at a step, always from the same noise or of the same photos."""

    step: int
    path: Path


@dataclass(frozen=True)
class RunRecord:
    """All that a run folder tells."""

    folder: Path
    facts: Facts
    recipe: Mapping[str, Any]
    log: Log
    samples: tuple[Sample, ...]
    evaluation: Evaluation | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads a run folder, finished or not.

        Raises:
            ImpastoError: the folder is no run, or one of its files is damaged.
        """
        if not (folder / "run.json").is_file() or not (folder / "recipe.yaml").is_file():
            raise ImpastoError(f"{folder} is no run: a run folder holds run.json and recipe.yaml.")
        return cls(
            folder=folder,
            facts=_read_facts(folder / "run.json"),
            recipe=_read_recipe(folder / "recipe.yaml"),
            log=read_log(folder / "log.jsonl"),
            samples=tuple(
                Sample(int(path.stem.removeprefix("step-")), path) for path in sorted(folder.glob("samples/step-*.jpg"))
            ),
            evaluation=_read_evaluation(folder / "evaluation.json"),
        )

    @property
    def size(self) -> int:
        """Height and width of what it learns from, in pixels."""
        return int(self.recipe["size"])

    @property
    def sample_size(self) -> int:
        """Height and width of the pictures in its sheets: who learns from squares of photos still paints whole ones."""
        if self.facts.photos is None:
            return self.size
        kept: int = math.ceil(self.size / self.recipe["augment"]["scale"][0])
        return min(kept, self.facts.photos.size or kept)

    @property
    def translates(self) -> bool:
        """Whether it makes paintings of photos, rather than of noise."""
        return self.facts.photos is not None

    @property
    def source(self) -> str:
        """The source domain, or "noise"."""
        if not self.translates:
            return "noise"
        return "photos" if self.target == "paintings" else "paintings"

    @property
    def target(self) -> str:
        """The target domain."""
        return "photos" if self.recipe.get("direction") == "painting-to-photo" else "paintings"

    @property
    def domains(self) -> str:
        """Source and target: ``photos → paintings``."""
        return f"{self.source} → {self.target}"

    @property
    def reverse(self) -> Path | None:
        """The newest sheet of what the reverse direction makes of those in :attr:`real`, if there is one."""
        return max(self.folder.glob("samples/reverse-step-*.jpg"), default=None)

    @property
    def photos(self) -> Path:
        """The sheet of the photos that its samples are of, in the same order; it need not exist."""
        return self.folder / "samples" / "photos.jpg"

    @property
    def real(self) -> Path:
        """The sheet of real paintings; it need not exist yet."""
        return self.folder / "samples" / "real.jpg"

    @property
    def paintings(self) -> Path:
        """The final sheet: new paintings, or photos each followed by its painting; it need not exist yet."""
        return self.folder / "paintings.jpg"

    @property
    def copies(self) -> Path:
        """The sheet of the fakes that are nearest to a real picture, beside those; it need not exist yet."""
        return self.folder / "copies.jpg"

    @property
    def ended(self) -> bool:
        """Whether training stands still: while it goes on, final paintings and scores are those of an earlier end."""
        return self.facts.status != "running"

    def chosen(self, measure: str) -> tuple[int, float] | None:
        """Step and value at which a measure was lowest, as the best style is chosen; None if it was never taken."""
        steps, values = self.log.measured(measure)
        if not len(values):
            return None
        best = int(values.argmin())
        return int(steps[best]), float(values[best])

    def cells(self, path: Path) -> NDArray[np.uint8]:
        """The single pictures of one of the run's sheets: (rows, columns, size, size, 3), uint8, empty places white.

        Raises:
            ImpastoError: the sheet is damaged, or made of pictures of another size.
        """
        try:
            return cut(open_picture(path), self.sample_size, self.sample_size)
        except ValueError as error:
            raise ImpastoError(f"{path}: {error}; delete it and report again.") from error

    def pictures(self, path: Path) -> NDArray[np.uint8]:
        """The same in one row: (N, size, size, 3)."""
        cells = self.cells(path)
        return cells.reshape(-1, *cells.shape[2:])

    def pictures_at(self, step: int) -> int | None:
        """How many real pictures had been shown by a step, if the log knows that step."""
        if step == 0:
            return 0
        rows = np.flatnonzero(self.log.columns["step"] == step) if len(self.log) else np.empty(0, int)
        return int(self.log.columns["pictures"][rows[0]]) if len(rows) else None


def open_picture(path: Path, side: int | None = None) -> Image.Image:
    """A picture of the run, RGB; with ``side``, decoded no larger than showing it that wide takes.

    Raises:
        ImpastoError: the file is not a whole picture.
    """
    try:
        with Image.open(path) as picture:
            if side is not None:
                picture.draft("RGB", (side, side))
            return picture.convert("RGB")
    except OSError as error:
        raise ImpastoError(f"{path} is not a whole picture: delete it and report again.") from error


def read_log(path: Path) -> Log:
    """Reads a log; a last line that was cut off by a kill is passed over, and a missing file is an empty log.

    Raises:
        ImpastoError: any other line is not a JSON object with a step.
    """
    if not path.exists():
        return Log()
    rows: list[dict[str, Any]] = []
    events: list[Event] = []
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = migrations.log_row(json.loads(line))
            step = int(row["step"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == len(lines):
                break
            raise ImpastoError(f"{path}, line {number} is damaged: delete that line.") from error
        if "event" in row:
            events.append(Event(step, str(row["event"])))
            continue
        while rows and rows[-1]["step"] >= step:
            rows.pop()
        rows.append(row)
    measures = ((name, value) for row in rows for name, value in row.items())
    names = dict.fromkeys(name for name, value in measures if isinstance(value, int | float))
    columns = {name: np.array([row.get(name) for row in rows], dtype=np.float64) for name in names}
    return Log(columns, tuple(events))


def _read_facts(path: Path) -> Facts:
    try:
        return Facts.model_validate(migrations.run_facts(json.loads(path.read_bytes())))
    except json.JSONDecodeError as error:
        raise ImpastoError(f"{path} does not describe a run: it is not JSON ({error}).") from error
    except ValidationError as error:
        raise ImpastoError(f"{path} does not describe a run: {_first(error)}.") from error


def _read_evaluation(path: Path) -> Evaluation | None:
    if not path.exists():
        return None
    try:
        return Evaluation.model_validate(migrations.evaluation(json.loads(path.read_bytes())))
    except json.JSONDecodeError as error:
        raise ImpastoError(f"{path} holds no scores: it is not JSON. Delete it, or evaluate again.") from error
    except ValidationError as error:
        raise ImpastoError(f"{path} holds no scores: {_first(error)}. Delete it, or evaluate again.") from error
    except OSError as error:
        raise ImpastoError(f"{path} cannot be read ({error.strerror}): delete it, or evaluate again.") from error


def _first(error: ValidationError) -> str:
    """The first thing that is wrong with a file, and where in it."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    return f"{where}: {' '.join(first['msg'].split())}"


def _read_recipe(path: Path) -> Mapping[str, Any]:
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ImpastoError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(recipe, dict) or not isinstance(recipe.get("size"), int):
        raise ImpastoError(f"{path} is no recipe: it does not say the size of the paintings, as in 'size: 64'.")
    return migrations.recipe(recipe)
