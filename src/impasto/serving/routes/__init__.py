"""The calls of the HTTP API, version 1."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from impasto.errors import ImpastoError
from impasto.serving.changes import Changes, Encoded
from impasto.serving.jobs import JobQueue
from impasto.serving.library import Library, SettingsError
from impasto.serving.limits import Limits
from impasto.serving.supervisor import Supervisor
from impasto.serving.tables import Job, StoredFile
from impasto.serving.tasks import Task, TaskRequest


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
    events: Encoded = field(default_factory=Encoded)

    def submit(self, task: Task, request: TaskRequest, priority: int | None = None) -> Job:
        """Queue a job, and wake the worker that takes it.

        Raises SettingsError, QueueFullError.
        """
        files = self.check(request)
        light = task.light(request, files)
        job = self.queue.submit(
            task.name,
            task.lane,
            request.model_dump(mode="json"),
            [file.id for file in files],
            priority=request.priority(light) if priority is None else priority,
            light=light,
        )
        self.wake(job)
        return job

    def check(self, request: TaskRequest) -> list[StoredFile]:
        """Return the files that a job reads. Raises SettingsError for styles, recipes and files that do not exist, and
        for settings that do not fit each other."""
        try:
            request.require(self.library)
            return self.library.all(request.files_read())
        except ImpastoError as error:
            raise SettingsError(str(error)) from error

    def wake(self, job: Job) -> None:
        """Wake the worker that takes a job, if it is one of this server."""
        if self.supervisor is not None:
            self.supervisor.wake(job.lane)


def studio_of(request: Request) -> Studio:
    """Return the studio of a request."""
    studio: Studio = request.app.state.studio
    return studio


InStudio = Annotated[Studio, Depends(studio_of)]
