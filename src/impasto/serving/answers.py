"""What the studio answers, as the client sees it: frozen objects without what only the page needs."""

from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from impasto.errors import ImpastoError


class Answer(BaseModel):
    """Base class of what the studio answers; what later versions add is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class File(Answer):
    """A file in the studio."""

    id: str
    name: str
    type: str
    bytes: int
    width: int | None
    height: int | None
    kind: Literal["upload", "result"]
    job: str | None
    favourite: bool
    created: datetime
    settings: dict[str, Any] | None
    source: str | None


class Problem(Answer):
    """Why a job failed."""

    status: int
    detail: str


class Job(Answer):
    """A job, as it was when the studio answered."""

    id: str
    kind: str
    state: Literal["queued", "running", "paused", "done", "failed", "cancelled"]
    settings: dict[str, Any]
    inputs: list[File]
    results: list[File]
    result_count: int
    done: int
    part: float
    total: int | None
    unit: str
    message: str
    place: int | None
    seconds_left: float | None
    error: Problem | None
    outcome: dict[str, Any] | None


class Style(Answer):
    """A style of the studio."""

    name: str
    task: Literal["translation", "generation"]
    domains: str
    recipe: str
    size: int
    moods: int
    reverse: bool
    license: str
    bytes: int
    origin: Literal["bundled", "imported", "trained"]
    description: list[str]


class Run(Answer):
    """A training run."""

    id: str
    name: str
    job: Job
    recipe: str
    step: int
    steps: int | None
    seconds: float
    curves: dict[str, list[tuple[int, float]]]


A = TypeVar("A", bound=Answer)


def read(model: type[A], data: Any) -> A:
    """Return an answer. Raises ImpastoError if it is something else."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ImpastoError(f"The studio answered something else than a {model.__name__.lower()}.") from error


def read_list(model: type[A], data: Any, name: str) -> list[A]:
    """Return the answers in the list of that name. Raises ImpastoError."""
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise ImpastoError(f"The studio answered something else than a list of {name}.")
    return [read(model, each) for each in found]
