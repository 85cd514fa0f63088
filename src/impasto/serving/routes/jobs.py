"""Follow, cancel, pause and resume jobs, and download their results."""

import asyncio
import zipfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import partial
from typing import IO, Annotated, Any, cast, get_args

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from impasto.errors import ImpastoError
from impasto.inference.output_names import UniqueNames
from impasto.serving.exchange import Send
from impasto.serving.jobs import ENDED
from impasto.serving.library import NotFoundError
from impasto.serving.routes import InStudio, Studio
from impasto.serving.tables import Job
from impasto.serving.tasks.base import Identifier
from impasto.serving.views import JobsView, JobView, State, job_view, job_views

router = APIRouter(prefix="/v1", tags=["jobs"])

#: Kinds that are not shown: the studio makes them itself. Previews are followed, and not listed.
HIDDEN, PREVIEW = ("example",), "preview"
STATES = f"(?:{'|'.join(get_args(State))})"
#: Seconds between two signs of life of an event stream.
PING_EVERY = 15.0
PING = b"event: ping\ndata: {}\n\n"
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events"}
}
ZIP: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        "description": "The results",
    }
}


@router.get("/jobs", summary="List jobs")
def jobs(
    studio: InStudio,
    state: Annotated[
        str, Query(pattern=f"^({STATES}(,{STATES})*)?$", max_length=100, description="States, with commas.")
    ] = "",
    kind: Annotated[str | None, Query(pattern=r"^[a-z]{1,40}$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> JobsView:
    states = [each for each in state.split(",") if each]
    found = studio.queue.jobs(states=states, kind=kind, without=(*HIDDEN, PREVIEW), limit=limit)
    return JobsView(jobs=job_views(found, studio.queue, studio.library))


@router.get("/jobs/{job}", summary="Describe a job")
def describe(studio: InStudio, job: Identifier) -> JobView:
    return job_view(studio.queue.job(job), studio.queue, studio.library)


@router.delete("/jobs/{job}", status_code=204, summary="Delete an ended job with its results")
def delete(studio: InStudio, job: Identifier) -> Response:
    studio.library.delete_job(job)
    return Response(status_code=204)


@router.post("/jobs/{job}/cancel", summary="Cancel a job")
def cancel(studio: InStudio, job: Identifier) -> JobView:
    return job_view(studio.queue.cancel(job), studio.queue, studio.library)


@router.post("/jobs/{job}/pause", summary="Pause a training")
def pause(studio: InStudio, job: Identifier) -> JobView:
    if studio.queue.job(job).kind != "train":
        raise ImpastoError("Only trainings can be paused.")
    return job_view(studio.queue.pause(job), studio.queue, studio.library)


@router.post("/jobs/{job}/resume", summary="Resume a training that is paused, failed or cancelled")
def resume(studio: InStudio, job: Identifier) -> JobView:
    resumed = studio.queue.resume(job)
    studio.wake(resumed)
    return job_view(resumed, studio.queue, studio.library)


@router.get("/jobs/{job}/events", responses=EVENTS, response_class=StreamingResponse, summary="Follow a job")
def follow(studio: InStudio, job: Identifier) -> StreamingResponse:
    """Server-sent events named ``job`` with the job as JSON, until it has ended."""
    studio.queue.job(job)

    async def events() -> AsyncGenerator[bytes]:
        with studio.changes.listen() as listener:
            shown = await asyncio.to_thread(studio.queue.job, job)
            yield await asyncio.to_thread(_event, shown, studio)
            while shown.state not in ENDED and not listener.closed:
                changed = await listener.next(PING_EVERY)
                if changed is None:
                    yield PING
                    changed = await asyncio.to_thread(studio.queue.job, job)
                if changed.id == job and changed.changed != shown.changed:
                    shown = changed
                    yield await studio.events.get(shown, partial(_event, shown, studio))

    return _Events(_until_deleted(events()))


@router.get("/events", responses=EVENTS, response_class=StreamingResponse, summary="Follow all jobs")
def follow_all(studio: InStudio) -> StreamingResponse:
    """First the jobs that have not ended, then every change; ``ping`` if there is none."""

    def unfinished() -> list[Job]:
        found = studio.queue.jobs(states=("queued", "running", "paused"), without=HIDDEN, limit=500)
        return list(reversed(found))

    async def events() -> AsyncGenerator[bytes]:
        with studio.changes.listen() as listener:
            first = {job.id: job for job in await asyncio.to_thread(unfinished)}
            yield PING  # so that clients know that they are connected
            for view in await asyncio.to_thread(job_views, first.values(), studio.queue, studio.library):
                yield _encoded(view)
            while not listener.closed:
                changed = await listener.next(PING_EVERY)
                if changed is None:
                    yield PING
                elif changed.kind not in HIDDEN:
                    before = first.get(changed.id)
                    if before is None or changed.changed != before.changed:
                        yield await studio.events.get(changed, partial(_event, changed, studio))

    return _Events(events())


async def _until_deleted(events: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield events until the job is deleted."""
    async with aclosing(events):
        try:
            async for event in events:
                yield event
        except NotFoundError:
            return


def _event(job: Job, studio: Studio) -> bytes:
    return _encoded(*job_views([job], studio.queue, studio.library))


def _encoded(view: JobView) -> bytes:
    return b"event: job\ndata: " + view.model_dump_json().encode() + b"\n\n"


class _Events(StreamingResponse):
    """Server-sent events, whose source is closed as soon as the client is gone."""

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._events = events

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)


@router.get(
    "/jobs/{job}/archive", responses=ZIP, response_class=StreamingResponse, summary="Download all results as a zip"
)
def archive(studio: InStudio, job: Identifier) -> StreamingResponse:
    kind, results = studio.queue.job(job).kind, studio.queue.files(job)[1]
    if not results or kind == PREVIEW:
        raise ImpastoError("This job has no results yet.")

    def chunks() -> Iterator[bytes]:
        """Write the zip into a buffer that is emptied as it grows."""
        buffer, names = _Buffer(), UniqueNames()
        with zipfile.ZipFile(cast(IO[bytes], buffer), "w") as target:
            for file in results:
                stem, dot, suffix = file.name.rpartition(".")
                name, _ = names.assign(stem if dot else suffix, f"{dot}{suffix}" if dot else "")
                try:
                    source = studio.library.path(file).open("rb")
                except FileNotFoundError:
                    continue  # it was deleted meanwhile
                with source, target.open(name, "w", force_zip64=True) as member:
                    while chunk := source.read(1 << 20):
                        member.write(chunk)
                        yield buffer.take()
        yield buffer.take()

    headers = {"content-disposition": f'attachment; filename="impasto-{job[:8]}.zip"'}
    return StreamingResponse(chunks(), media_type="application/zip", headers=headers)


class _Buffer:
    """A file that can only be appended to, and gives up what was written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Nothing is held back."""

    def seek(self, position: int, whence: int = 0) -> int:
        raise OSError("not seekable")  # so that zipfile writes sizes behind the data

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken
