"""Explore data sets and train on them. A training is paused by the signal that stops it, and resumed from its run."""

import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from pydantic import Field

from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError, nearest, printable
from impasto.serving.library import Library
from impasto.serving.shelf import style_file
from impasto.serving.tasks.base import Identifier, Stopped, StyleName, TaskContext, TaskRequest, task
from impasto.style import Card
from impasto.training.budget import Budget
from impasto.training.callbacks import Callback, Estimate, Row
from impasto.training.run_dir import RunDir


class ExploreRequest(TaskRequest):
    """Paintings, and photos if they are to be translated: of each either images or one zip."""

    paintings: list[Identifier] = Field(min_length=1, max_length=10_000)
    photos: list[Identifier] = Field([], max_length=10_000)
    recipe: StyleName | None = Field(None, description="Recipe to train; chosen from the images by default.")
    crop_frames: bool = False

    def files_read(self) -> list[str]:
        return [*self.paintings, *self.photos]

    def require(self, library: Library) -> None:
        if self.recipe is not None:
            _recipe(self.recipe)


class TrainRequest(TaskRequest):
    """A training: its data (images or one zip), recipe and length."""

    name: str = Field("", max_length=100, description="What people call the run.")
    paintings: list[Identifier] = Field(min_length=1, max_length=10_000)
    photos: list[Identifier] = Field([], max_length=10_000)
    recipe: StyleName | None = Field(None, description="A bundled one; by default that of the style to start from.")
    start: StyleName | None = Field(None, description="Style whose weights to start from.")
    budget: str = Field("30m", max_length=40, description="Such as 30m, 2000steps, 50kimg or 20epochs.")
    settings: list[str] = Field([], max_length=50, description="Changes to the recipe, such as generator.width=96.")
    crop_frames: bool = False
    seed: int = Field(0, ge=0, le=2**31 - 1)

    def files_read(self) -> list[str]:
        return [*self.paintings, *self.photos]

    def require(self, library: Library) -> None:
        start = None if self.start is None else Card.load(style_file(library, self.start)).recipe
        base = _recipe(self.recipe) if self.recipe is not None or start is None else Recipe.of(start, recorded=True)
        changed = base.replace(self.settings)
        Budget.parse(self.budget).require_parts(len(changed.speed_changes) + 1)
        if changed.translates != bool(self.photos):
            remedy = "translates photos: add photos" if changed.translates else "takes no photos: remove them"
            raise ImpastoError(f"{changed.name} {remedy}.")


def _recipe(name: str | None) -> Recipe:
    """Return a bundled recipe. The name of a request is never a file. Raises ImpastoError."""
    known = list(bundled_recipes())
    if name not in known:
        raise ImpastoError(f"There is no recipe '{name}'{nearest(name or '', known)}")
    return Recipe.load(name)


@task("explore", ExploreRequest, summary="Explore a data set before training")
def explore(request: ExploreRequest, context: TaskContext) -> dict[str, Any]:
    """Store the report, and return the recommendations with the trainings that they name."""
    from impasto.api.explore import explore as explore_images

    paintings = context.folder_of("paintings", request.paintings)
    photos = context.folder_of("photos", request.photos) if request.photos else None
    out = context.folder / "report"
    found = explore_images(
        str(paintings),
        out,
        photos=None if photos is None else str(photos),
        recipe=request.recipe,
        crop_frames=request.crop_frames,
        device=context.device,
        progress=lambda done, total: context.progress(done, total, "images"),
    )
    context.report_of(out / "exploration.html")
    return {
        "recommendations": [
            {
                "title": each.action,
                "reason": context.library.hide_paths(each.reason),
                "train": proposed_training(each.command),
            }
            for each in found.recommendations
        ]
    }


def proposed_training(command: str) -> dict[str, Any] | None:
    """Return what a recommended command trains: recipe, budget and settings; None if it is none."""
    words = shlex.split(command)
    if words[:2] != ["impasto", "train"]:
        return None
    settings = [value for option, value in pairwise(words) if option == "--set"]
    return {
        "recipe": words[2],
        "budget": words[words.index("--budget") + 1],
        "settings": settings,
        "crop_frames": "--crop-frames" in words,
    }


class _Follower(Callback):
    """Reports the steps of a training, and stops it as SIGTERM does when its job is to end."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context

    def on_rows(self, rows: Sequence[Row], estimate: Estimate) -> None:
        with _signalled():
            self._context.progress(int(rows[-1]["step"]), estimate.total_steps, "steps")

    def on_event(self, step: int, text: str) -> None:
        with _signalled():
            self._context.report(message=printable(f"Step {step:,}: {text}")[:500])


@contextmanager
def _signalled() -> Iterator[None]:
    """Let the training loop finish its step and write a checkpoint where a job is to end."""
    try:
        yield
    except Stopped:
        signal.raise_signal(signal.SIGTERM)


@task("train", TrainRequest, lane="train", summary="Train a model", resumes=True)
def train_model(request: TrainRequest, context: TaskContext) -> dict[str, Any]:
    """Train, or resume the run of this job. Runs in the main thread, which receives signals.

    Raises Stopped if the training was stopped; the run keeps its best style and a checkpoint.
    """
    from impasto.api.train import resume, train

    paintings = context.folder_of("paintings", request.paintings)
    photos = context.folder_of("photos", request.photos) if request.photos else None
    folder = context.library.runs / context.job.id
    begun = (folder / "run.json").is_file() and any((folder / "checkpoints").glob("*.pt"))
    callbacks = [_Follower(context)]
    if begun:
        outcome = resume(folder, budget=request.budget, callbacks=callbacks, progress=False)
    else:
        RunDir.remove(folder)
        outcome = train(
            request.recipe,
            paintings,
            folder,
            photos=photos,
            start=None if request.start is None else style_file(context.library, request.start),
            seed=request.seed,
            budget=request.budget,
            settings=request.settings,
            crop_frames=request.crop_frames,
            device=context.device,
            callbacks=callbacks,
            progress=False,
        )
    if not outcome.finished:
        if outcome.signal is not None and not context.stop.is_set():
            signal.raise_signal(outcome.signal)  # it was meant for the worker, which ends
        raise Stopped(context.wish)
    return {"run": context.job.id}
