"""A run folder, read: recipe, facts, log, samples and evaluation."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from PIL import Image
from pydantic import BaseModel, ValidationError

from impasto.config import migrations
from impasto.config.data import AugmentConfig
from impasto.config.recipe import Recipe
from impasto.config.types import Pixels
from impasto.config.yaml_reader import read_yaml_file
from impasto.data.decode import decode
from impasto.data.entry import UnreadableError
from impasto.data.image_grid import cut
from impasto.errors import MALFORMED, ImpastoError
from impasto.metrics.choice import Choice
from impasto.metrics.results import Evaluation
from impasto.reports.run_log import Log, read_log

M = TypeVar("M", bound=BaseModel)


class RecordedData(BaseModel):
    """A data set of the training: where it is, and how many of its images were used."""

    spec: str
    crop_frames: bool = False
    fingerprint: str
    pictures: int
    heldout: int
    left_out: int
    duplicates: int
    size: int | None = None  #: side in pixels of the stored images

    @property
    def trained_on(self) -> int:
        """Number of training images: all but the held-out ones."""
        return self.pictures - self.heldout


class Facts(BaseModel):
    """``run.json``: everything about a run but its recipe. Other keys are ignored."""

    impasto: str
    created: datetime
    seed: int
    budget: str
    total_steps: int | None = None
    plan: str | None = None  #: the budget in steps that repeats the training
    best: Choice | None = None  #: which style is the best one, and why
    disjoint: bool | None = None  #: whether none of the images that evaluated it chose it; None if unknown
    paintings: RecordedData
    photos: RecordedData | None = None  #: of image-to-image translation; None for unconditional generation
    start: str | None = None  #: the style or run whose weights it started from
    device: str
    precision: str
    status: Literal["running", "stopped", "finished"] = "running"


@dataclass(frozen=True)
class Sample:
    """A grid of samples at a step, always from the same noise or the same photos."""

    step: int
    path: Path


@dataclass(frozen=True)
class RunRecord:
    """The contents of a run folder."""

    folder: Path
    facts: Facts
    recipe: Mapping[str, Any]
    log: Log
    samples: tuple[Sample, ...]
    evaluation: Evaluation | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a run folder, finished or not.

        Raises:
            ImpastoError: the folder is no run, or one of its files is damaged.
        """
        if not (folder / "run.json").is_file() or not (folder / "recipe.yaml").is_file():
            raise ImpastoError(f"{folder} is not a run folder: run.json or recipe.yaml is missing.")
        return cls(
            folder=folder,
            facts=_read_json(folder / "run.json", Facts, migrations.run_facts, " Restore it, or train again."),
            recipe=_read_recipe(folder / "recipe.yaml"),
            log=read_log(folder / "log.jsonl"),
            samples=tuple(
                Sample(int(path.stem.removeprefix("step-")), path) for path in sorted(folder.glob("samples/step-*.jpg"))
            ),
            evaluation=_read_evaluation(folder / "evaluation.json"),
        )

    @property
    def feature_families(self) -> frozenset[str]:
        """The families of pretrained networks that it is trained against; none if its recipe cannot be read here, as
        where a plugin is missing."""
        try:
            return Recipe.of(self.recipe, recorded=True).feature_families
        except ImpastoError:
            return frozenset()

    @property
    def size(self) -> int:
        """Side of the training images in pixels."""
        return int(self.recipe["size"])

    @property
    def sample_size(self) -> int:
        """Side in pixels of the images in its grids, as :attr:`Recipe.sample_size`; smaller where the photos are."""
        if self.facts.photos is None:
            return self.size
        stored = AugmentConfig.model_validate(self.recipe["augment"]).stored_size(self.size)
        return min(stored, self.facts.photos.size or stored)

    @property
    def translates(self) -> bool:
        """Whether the task is image-to-image translation."""
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
    def task(self) -> str:
        """Task and domains: ``unconditional generation (noise → paintings)``."""
        return f"{'image-to-image translation' if self.translates else 'unconditional generation'} ({self.domains})"

    @property
    def target_data(self) -> RecordedData:
        """The data set of the target domain."""
        photos = self.facts.photos
        return self.facts.paintings if self.target == "paintings" or photos is None else photos

    @property
    def source_data(self) -> RecordedData | None:
        """The data set of the source domain; None for unconditional generation."""
        return self.facts.photos if self.target == "paintings" else self.facts.paintings

    @property
    def reverse(self) -> Path | None:
        """The newest grid of the reverse direction's translations of :attr:`real`, if there is one."""
        return max(self.folder.glob("samples/reverse-step-*.jpg"), default=None)

    @property
    def photos(self) -> Path:
        """The grid of source images of the samples, in the same order; it need not exist."""
        return self.folder / "samples" / "photos.jpg"

    @property
    def real(self) -> Path:
        """The grid of real images of the target domain; it need not exist yet."""
        return self.folder / "samples" / "real.jpg"

    @property
    def paintings(self) -> Path:
        """The final grid: samples, or source images each followed by its translation; it need not exist yet."""
        return self.folder / "paintings.jpg"

    @property
    def copies(self) -> Path:
        """The grid of the fakes nearest to a real image, each beside its nearest reals; it need not exist yet."""
        return self.folder / "copies.jpg"

    @property
    def ended(self) -> bool:
        """Whether no training is running. During one, final grids and scores are those of an earlier end."""
        return self.facts.status != "running"

    def cells(self, path: Path) -> Pixels:
        """Return the images of one of the run's grids: uint8 (rows, columns, S, S, 3), empty cells white.

        Raises:
            ImpastoError: the file is damaged, or its images have another size.
        """
        try:
            return cut(open_image(path), self.sample_size, self.sample_size)
        except ValueError as error:
            raise ImpastoError(f"{path}: {error}; delete it and report again.") from error

    def images(self, path: Path) -> Pixels:
        """Return the images of a grid in one row: uint8 (N, S, S, 3)."""
        cells = self.cells(path)
        return cells.reshape(-1, *cells.shape[2:])


def open_image(path: Path, side: int | None = None) -> Image.Image:
    """Open an image of the run as RGB; with ``side``, decode at the smallest sufficient scale.

    Raises:
        ImpastoError: the file is damaged.
    """
    try:
        return decode(path.read_bytes(), side).image
    except (OSError, UnreadableError) as error:
        raise ImpastoError(f"{path} is not a complete image: delete it and report again.") from error


def _read_json(path: Path, model: type[M], migrate: Callable[[Any], dict[str, Any]], remedy: str = "") -> M:
    try:
        return model.model_validate(migrate(json.loads(path.read_bytes())))
    except ValidationError as error:
        raise ImpastoError(f"{path} is invalid: {_first(error)}.{remedy}") from error
    except MALFORMED as error:  # no JSON, no UTF-8, or no object
        raise ImpastoError(f"{path} is not valid JSON: {error}.{remedy}") from error
    except OSError as error:
        raise ImpastoError(f"{path} cannot be read ({error.strerror}).{remedy}") from error


def _read_evaluation(path: Path) -> Evaluation | None:
    if not path.exists():
        return None
    return _read_json(path, Evaluation, migrations.evaluation, " Delete it, or evaluate again.")


def _first(error: ValidationError) -> str:
    """Return the first validation error and its place."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    return f"{where}: {' '.join(first['msg'].split())}"


def _read_recipe(path: Path) -> Mapping[str, Any]:
    recipe = read_yaml_file(path)
    if not isinstance(recipe, dict) or not isinstance(recipe.get("size"), int):
        raise ImpastoError(f"{path} is not a recipe: it lacks the size of the images, as in 'size: 64'.")
    return migrations.recipe(recipe)
