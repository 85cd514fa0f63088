"""What the API answers: jobs, files, styles and runs as JSON."""

import contextlib
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import select

from impasto.errors import ImpastoError
from impasto.reports.run_record import RunRecord
from impasto.serving.jobs import JobQueue
from impasto.serving.library import Library
from impasto.serving.problems import Problem, describe
from impasto.serving.shelf import ShelvedStyle, example_file
from impasto.serving.tables import Job, JobInput, StoredFile

State = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
#: Points of a curve.
MAX_POINTS = 400
#: Inputs of a job that are shown, the first ones; and results, the last ones. Its archive holds all.
MAX_FILES = 500


class FileView(BaseModel):
    """A file."""

    id: str
    name: str
    type: str = Field(description="Media type.")
    bytes: int
    width: int | None
    height: int | None
    kind: Literal["upload", "result"]
    job: str | None
    favourite: bool
    created: datetime
    settings: dict[str, Any] | None = Field(description="How it was made.")
    source: str | None = Field(description="The upload that it was painted from.")

    @classmethod
    def of(cls, file: StoredFile) -> "FileView":
        return cls(
            id=file.id, name=file.name, type=file.media, bytes=file.bytes, width=file.width, height=file.height,
            kind="upload" if file.kind == "upload" else "result", job=file.job, favourite=file.favourite,
            created=_moment(file.created), settings=file.settings, source=file.source,
        )  # fmt: skip


class FilesView(BaseModel):
    """A page of files, newest first."""

    files: list[FileView]
    next: str | None = Field(description="Where the next page begins.")


class JobView(BaseModel):
    """A job."""

    id: str
    kind: str
    state: State
    settings: dict[str, Any]
    inputs: list[FileView] = Field(description=f"The first {MAX_FILES}.")
    results: list[FileView] = Field(description=f"The last {MAX_FILES}; the archive holds all.")
    done: int
    total: int | None
    unit: str
    message: str
    place: int | None = Field(description="Place in the queue, from 1.")
    seconds_left: float | None
    created: datetime
    started: datetime | None
    finished: datetime | None
    error: Problem | None
    outcome: dict[str, Any] | None


class JobsView(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobView]


class StyleView(BaseModel):
    """A style."""

    name: str
    task: Literal["translation", "generation"]
    domains: str
    recipe: str
    size: int
    moods: int = Field(description="Training paintings whose light can be chosen.")
    reverse: bool
    style_mixing: bool
    license: str
    bytes: int
    origin: Literal["bundled", "imported", "trained"]
    description: list[str]
    example: str | None

    @classmethod
    def of(cls, style: ShelvedStyle, library: Library) -> "StyleView":
        card = style.card
        generator = card.recipe.get("generator", {})
        there = example_file(library, style.name).exists()
        return cls(
            name=style.name,
            task="translation" if card.task == "translation" else "generation",
            domains=card.domains,
            recipe=str(card.recipe.get("name", "")),
            size=int(card.recipe.get("size", 0)),
            moods=style.moods,
            reverse=style.reverse,
            style_mixing=generator.get("network") in ("fastgan", "projected"),
            license=card.license or "",
            bytes=style.path.stat().st_size,
            origin=style.origin,
            description=[library.hide_paths(line) for line in style.lines],
            example=f"/v1/styles/{style.name}/example" if there else None,
        )


class StylesView(BaseModel):
    """Styles, bundled ones first."""

    styles: list[StyleView]


class RecipeView(BaseModel):
    """A recipe that can be trained."""

    name: str
    summary: str
    translates: bool
    size: int


class RecipesView(BaseModel):
    """Recipes."""

    recipes: list[RecipeView]


class ScoreView(BaseModel):
    """Scores at a step."""

    step: int
    values: dict[str, float]


class SampleView(BaseModel):
    """A grid of samples at a step."""

    step: int
    url: str


class RunView(BaseModel):
    """A training run."""

    id: str
    name: str
    job: JobView
    recipe: str
    step: int
    steps: int | None
    seconds: float
    curves: dict[str, list[tuple[int, float]]]
    scores: list[ScoreView]
    samples: list[SampleView]
    has_style: bool
    report: str | None


class RunsView(BaseModel):
    """Runs, newest first, without their curves."""

    runs: list[RunView]


def job_view(job: Job, queue: JobQueue, library: Library) -> JobView:
    """Return a job as the API shows it."""
    inputs, results = _files(job.id, library)
    place = queue.place(job)
    error = None if job.error is None else describe(422, library.hide_paths(job.error, inputs), "failed")
    return JobView(
        id=job.id, kind=job.kind, state=job.state, settings=job.settings,  # type: ignore[arg-type]
        inputs=[FileView.of(file) for file in inputs], results=[FileView.of(file) for file in results],
        done=job.done, total=job.total, unit=job.unit, message=library.hide_paths(job.message, inputs), place=place,
        seconds_left=_seconds_left(job, place, queue), created=_moment(job.created),
        started=None if job.started is None else _moment(job.started),
        finished=None if job.finished is None else _moment(job.finished), error=error, outcome=job.outcome,
    )  # fmt: skip


def _files(job: str, library: Library) -> tuple[Sequence[StoredFile], Sequence[StoredFile]]:
    """Return the first inputs and the last results of a job, both in their order."""
    inputs = select(StoredFile).join(JobInput, JobInput.file == StoredFile.id).where(JobInput.job == job)
    results = select(StoredFile).where(StoredFile.job == job)
    with library.database.read() as session:
        first = session.scalars(inputs.order_by(StoredFile.created, StoredFile.id).limit(MAX_FILES)).all()
        last = session.scalars(results.order_by(StoredFile.created.desc(), StoredFile.id.desc()).limit(MAX_FILES)).all()
    return first, last[::-1]


def _seconds_left(job: Job, place: int | None, queue: JobQueue) -> float | None:
    if job.state == "running" and job.total and job.done and job.started is not None:
        return max(0.0, (time.time() - job.started) * (job.total - job.done) / job.done)
    if place is not None and job.lane != "train":
        typical = queue.typical_seconds(job.lane)
        return None if typical is None else place * typical
    return None


def run_view(job: Job, queue: JobQueue, library: Library, *, curves: bool) -> RunView:
    """Return a training as the API shows it. Its folder may not be there yet."""
    shown = job_view(job, queue, library)
    name = str(job.settings.get("name") or "") or f"{job.settings.get('recipe') or job.settings.get('start')}"
    folder = library.runs / job.id
    view = RunView(
        id=job.id, name=name, job=shown, recipe=str(job.settings.get("recipe") or ""), step=job.done, steps=job.total,
        seconds=0.0, curves={}, scores=[], samples=[], has_style=(folder / "best.safetensors").exists(),
        report=f"/v1/runs/{job.id}/report" if (folder / "report.html").exists() else None,
    )  # fmt: skip
    with contextlib.suppress(ImpastoError, OSError):
        record = RunRecord.read(folder)
        view.recipe = str(record.recipe.get("name", ""))
        view.samples = [SampleView(step=s.step, url=f"/v1/runs/{job.id}/samples/{s.step}.jpg") for s in record.samples]
        log = record.log
        if len(log):
            view.step = int(log.columns["step"][-1])
            view.seconds = float(log.columns["seconds"][-1]) if "seconds" in log.columns else 0.0
        named = {name: log.series(name) for name in log.columns if name not in ("step", "seconds", "pictures")}
        scores: dict[int, dict[str, float]] = {}
        for label, (steps, values) in named.items():
            if "[" in label:
                for step, value in zip(steps, values, strict=True):
                    if math.isfinite(value):
                        scores.setdefault(int(step), {})[label] = float(value)
            if curves:
                every = max(1, math.ceil(len(steps) / MAX_POINTS))
                view.curves[label] = [
                    (int(s), float(v)) for s, v in zip(steps[::every], values[::every], strict=True) if math.isfinite(v)
                ]
        view.scores = [ScoreView(step=step, values=values) for step, values in sorted(scores.items())]
    return view


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
