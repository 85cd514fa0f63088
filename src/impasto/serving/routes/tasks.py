"""Begin jobs, one call a task; and paint one photo directly."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from impasto.serving.library import NotFoundError
from impasto.serving.problems import problem
from impasto.serving.routes import InStudio
from impasto.serving.routes.downloads import Download
from impasto.serving.routes.files import BINARY, receive
from impasto.serving.tasks import TASKS, Task, TaskRequest
from impasto.serving.tasks.painting import DIRECT_PRIORITY, PaintRequest, PaintSettings
from impasto.serving.views import JobView, job_view

router = APIRouter(prefix="/v1", tags=["tasks"])


def _call(task: Task) -> Callable[..., JobView]:
    """Return the function of a call, with the task's request in its signature."""

    def call(studio: InStudio, request: TaskRequest, response: Response) -> JobView:
        job = studio.submit(TASKS[request.kind(task.name)], request)
        response.headers["location"] = f"/v1/jobs/{job.id}"
        return job_view(job, studio.queue, studio.library)

    call.__annotations__["request"] = task.request
    return call


for _task in TASKS.values():
    if _task.path:
        router.add_api_route(
            _task.path, _call(_task), methods=["POST"], status_code=202, response_model=JobView,
            summary=_task.summary, name=_task.name, description=_task.request.__doc__,
        )  # fmt: skip


class PhotoQuery(PaintSettings):
    """How one photo is painted."""

    name: str = Field("photo", max_length=1000, description="Of the photo.")
    wait: float = Field(30.0, ge=0, le=60, description="Seconds after which the job is answered instead.")


PAINTING: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}, "description": "The painting"},
    202: {"model": JobView, "description": "It takes longer: the job"},
}


@router.post(
    "/paint/photo", response_class=Response, response_model=None, responses=PAINTING, openapi_extra=BINARY,
    summary="Paint one photo and answer with the painting",
)  # fmt: skip
async def paint_photo(request: Request, studio: InStudio, query: Annotated[PhotoQuery, Query()]) -> Response:
    """Send the bytes of the photo as the body, and settings in the query."""
    await asyncio.to_thread(studio.check, query)
    photo = await receive(request, studio, query.name)
    settings = PaintRequest(files=[photo.id], **query.model_dump(exclude={"name", "wait"}))
    try:
        job = await asyncio.to_thread(studio.submit, TASKS["paint"], settings, DIRECT_PRIORITY)
    except BaseException:
        await asyncio.to_thread(studio.library.delete, photo.id)
        raise
    job = await studio.changes.ended(job.id, query.wait)
    location = {"location": f"/v1/jobs/{job.id}"}
    if job.state == "failed":
        reason = await asyncio.to_thread(studio.library.hide_paths, job.error or "", [photo])
        return problem(422, reason or "This photo cannot be painted.", "failed", location)
    if job.state != "done":
        shown = await asyncio.to_thread(job_view, job, studio.queue, studio.library)
        return JSONResponse(shown.model_dump(mode="json"), 202, location)
    _, results = await asyncio.to_thread(studio.queue.files, job.id)
    if not results:
        raise NotFoundError("The painting was deleted.")
    painting = Download(studio.library.path(results[0]), results[0].media, name=results[0].name)
    painting.headers.update(location)
    return painting
