"""The calls of the HTTP API, version 1."""

from dataclasses import dataclass

from fastapi import Request

from impasto.serving.changes import Changes
from impasto.serving.jobs import JobQueue
from impasto.serving.library import Library
from impasto.serving.limits import Limits
from impasto.serving.supervisor import Supervisor


@dataclass
class Studio:
    """What the calls work with: one object of the application's state. ``arriving``: bytes of uploads in progress."""

    library: Library
    queue: JobQueue
    changes: Changes
    supervisor: Supervisor | None
    limits: Limits
    device: str
    arriving: int = 0


def studio_of(request: Request) -> Studio:
    """Return the studio of a request (a FastAPI dependency)."""
    studio: Studio = request.app.state.studio
    return studio
