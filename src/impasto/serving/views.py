"""What the API answers: jobs, files, styles and runs as JSON."""

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import func, select

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
#: Inputs of a job that are shown, the first ones; and results, the last ones; and results in lists and events.
MAX_FILES, MAX_LISTED = 500, 12
_IDENTIFIER = re.compile(r"[0-9a-f]{32}")

#: Returns the mean running time of a lane in seconds; None if it is not known.
Typical = Callable[[str], float | None]


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
    wish: Literal["cancel", "pause"] | None = Field(description="What its worker is asked for.")
    settings: dict[str, Any]
    inputs: list[FileView] = Field(description=f"The first {MAX_FILES}; none in lists and events.")
    results: list[FileView] = Field(
        description=f"The last {MAX_FILES}, {MAX_LISTED} in lists and events; `/v1/files?job=` has all."
    )
    result_count: int
    done: int
    part: float = Field(description="Share of the photo in progress that is painted, 0 to 1.")
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
    """Runs, newest first, without their curves and scores."""

    runs: list[RunView]


def job_view(job: Job, queue: JobQueue, library: Library, *, typical: Typical | None = None) -> JobView:
    """Return a job as the API shows it by itself, or shortened for lists and events if ``typical`` is given."""
    short, place = typical is not None, queue.place(job)
    inputs, results, count = _files(job.id, library, short)
    named = _named_files(f"{job.error} {job.message}", library)
    error = None if job.error is None else describe(422, library.hide_paths(job.error, named), "failed")
    return JobView(
        id=job.id, kind=job.kind, state=job.state, wish=job.wish, settings=job.settings,  # type: ignore[arg-type]
        inputs=[FileView.of(file) for file in inputs], results=[FileView.of(file) for file in results],
        result_count=count, done=job.done, part=job.part, total=job.total, unit=job.unit,
        message=library.hide_paths(job.message, named), place=place,
        seconds_left=_seconds_left(job, place, typical or queue.typical_seconds, queue.clock()),
        created=_moment(job.created), started=None if job.started is None else _moment(job.started),
        finished=None if job.finished is None else _moment(job.finished), error=error, outcome=job.outcome,
    )  # fmt: skip


def job_views(jobs: Iterable[Job], queue: JobQueue, library: Library) -> list[JobView]:
    """Return jobs as lists and events show them."""
    typical = cache(queue.typical_seconds)
    return [job_view(job, queue, library, typical=typical) for job in jobs]


def _files(job: str, library: Library, short: bool) -> tuple[Sequence[StoredFile], Sequence[StoredFile], int]:
    """Return the first inputs and the last results of a job, both in their order, and how many results it has."""
    inputs = select(StoredFile).join(JobInput, JobInput.file == StoredFile.id).where(JobInput.job == job)
    results = select(StoredFile).where(StoredFile.job == job)
    newest = results.order_by(StoredFile.created.desc(), StoredFile.id.desc())
    limit = MAX_LISTED if short else MAX_FILES
    with library.database.read() as session:
        first: Sequence[StoredFile] = []
        if not short:
            first = session.scalars(inputs.order_by(StoredFile.created, StoredFile.id).limit(limit)).all()
        last = session.scalars(newest.limit(limit)).all()
        count = len(last)
        if count == limit:
            count = session.scalar(select(func.count()).where(StoredFile.job == job)) or 0
    return first, last[::-1], count


def _named_files(text: str, library: Library) -> Sequence[StoredFile]:
    """Return the files whose identifiers stand in a text."""
    identifiers = set(_IDENTIFIER.findall(text))
    if not identifiers:
        return []
    with library.database.read() as session:
        return session.scalars(select(StoredFile).where(StoredFile.id.in_(identifiers))).all()


def _seconds_left(job: Job, place: int | None, typical: Typical, now: float) -> float | None:
    if job.state == "running" and job.total and job.claimed is not None:
        before = job.done_before if job.done >= job.done_before else 0  # it may have begun again
        done = job.done + job.part
        if done == before or done >= job.total:  # what comes after the last one is not known
            return None
        return max(0.0, (now - job.claimed) * (job.total - done) / (done - before))
    if place is not None and job.lane != "train":
        seconds = typical(job.lane)
        return None if seconds is None else place * seconds
    return None


def run_view(job: Job, queue: JobQueue, library: Library) -> RunView:
    """Return a training with its curves. Its folder may not be there yet."""
    view = _run(job, job_view(job, queue, library), queue, library)
    with contextlib.suppress(ImpastoError, OSError):
        record = RunRecord.read(library.runs / job.id)
        view.recipe, log = str(record.recipe.get("name", "")), record.log
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
            every = max(1, math.ceil(len(steps) / MAX_POINTS))
            view.curves[label] = [
                (int(s), float(v)) for s, v in zip(steps[::every], values[::every], strict=True) if math.isfinite(v)
            ]
        view.scores = [ScoreView(step=step, values=values) for step, values in sorted(scores.items())]
    return view


def run_views(jobs: Sequence[Job], queue: JobQueue, library: Library) -> list[RunView]:
    """Return trainings as their jobs tell of them, without reading logs."""
    shown = job_views(jobs, queue, library)
    return [_run(job, view, queue, library) for job, view in zip(jobs, shown, strict=True)]


def _run(job: Job, shown: JobView, queue: JobQueue, library: Library) -> RunView:
    folder, recipe = library.runs / job.id, str(job.settings.get("recipe") or "")
    steps = sorted(step for path in folder.glob("samples/step-*.jpg") if (step := sample_step(path)) is not None)
    return RunView(
        id=job.id, name=str(job.settings.get("name") or recipe or job.settings.get("start")), job=shown, recipe=recipe,
        step=job.done, steps=job.total,
        seconds=0.0 if job.started is None else max(0.0, (job.finished or queue.clock()) - job.started),
        curves={}, scores=[], has_style=(folder / "best.safetensors").exists(),
        samples=[SampleView(step=step, url=f"/v1/runs/{job.id}/samples/{step}.jpg") for step in steps],
        report=f"/v1/runs/{job.id}/report" if (folder / "report.html").exists() else None,
    )  # fmt: skip


def sample_step(path: Path) -> int | None:
    """Return the step of a grid of samples by its file's name."""
    number = path.stem.removeprefix("step-")
    return int(number) if number.isdecimal() else None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
