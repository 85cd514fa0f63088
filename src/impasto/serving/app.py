"""The web application: routes, errors, metrics and guard put together."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Histogram

from impasto._version import __version__
from impasto.serving.changes import Changes
from impasto.serving.cleaning import clean
from impasto.serving.guard import LOOPBACK, Guard
from impasto.serving.jobs import JobQueue
from impasto.serving.library import Library
from impasto.serving.problems import RESPONSES, add_handlers, problem
from impasto.serving.routes import Studio, files, jobs, runs, styles, system, tasks
from impasto.serving.shelf import example_file, style_files
from impasto.serving.supervisor import Supervisor
from impasto.serving.tasks import TASKS

#: Seconds between two deletions of old files.
CLEAN_EVERY = 3600.0

DESCRIPTION = "Paint photos and films, generate paintings from noise, explore data sets and train GANs."


def create_app(
    library: Library,
    queue: JobQueue,
    *,
    supervisor: Supervisor | None = None,
    token: str | None = None,
    hosts: Collection[str] = LOOPBACK,
    device: str = "auto",
) -> Guard:
    """Return the guarded application of a studio.

    Args:
        library: the files.
        queue: the jobs.
        supervisor: starts and stops workers with the application; None if they are started otherwise.
        token: required of every request; None for none.
        hosts: names by which the server may be called; empty for any.
        device: of the workers, to show.
    """
    limits, changes = library.limits, Changes(queue)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await changes.start()
        if supervisor is not None:
            await asyncio.to_thread(supervisor.start)
        await asyncio.to_thread(_order_examples, library, queue)
        cleaning = asyncio.create_task(_clean(library))
        try:
            yield
        finally:
            cleaning.cancel()
            await changes.stop()
            if supervisor is not None:
                await asyncio.to_thread(supervisor.stop)

    app = FastAPI(
        title="impasto studio", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None,
        openapi_url=None, responses=RESPONSES, lifespan=lifespan, generate_unique_id_function=_operation,
    )  # fmt: skip
    app.state.studio = Studio(library, queue, changes, supervisor, limits, device)
    app.state.registry = CollectorRegistry()
    _count_requests(app, app.state.registry)
    add_handlers(app)
    for module in (system, files, tasks, jobs, styles, runs):
        app.include_router(module.router)
    return Guard(app, limits, token, hosts)


def _operation(route: Any) -> str:
    """Return the name of a call in the OpenAPI document: ``jobs_cancel``."""
    return f"{route.tags[0]}_{route.name}"


def _count_requests(app: FastAPI, registry: CollectorRegistry) -> None:
    """Count and time requests by method and route, for Prometheus."""
    count = Counter("impasto_requests", "Requests", ["method", "route", "status"], registry=registry)
    seconds = Histogram("impasto_request_seconds", "Seconds of requests", ["method", "route"], registry=registry)

    @app.middleware("http")
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        begun = time.perf_counter()
        try:
            response = await call_next(request)
        except RuntimeError as error:  # of Starlette, when a client goes away
            if "No response returned" not in str(error):
                raise
            response = problem(408, "The client went away.")
        route: Any = request.scope.get("route")
        path = getattr(route, "path", "none")
        count.labels(request.method, path, str(response.status_code)).inc()
        seconds.labels(request.method, path).observe(time.perf_counter() - begun)
        return response


def _order_examples(library: Library, queue: JobQueue) -> None:
    """Queue the example images that are missing, behind everything else."""
    task = TASKS["example"]
    ordered = {job.settings.get("style") for job in queue.jobs(kind="example", states=("queued", "running"), limit=500)}
    for name in style_files(library):
        if name not in ordered and not example_file(library, name).exists():
            request = task.request.model_validate({"style": name})
            queue.submit(task.name, task.lane, request.model_dump(), [], priority=request.priority())


async def _clean(library: Library) -> None:
    while True:
        with contextlib.suppress(Exception):  # tried again
            await asyncio.to_thread(clean, library, time.time())
        await asyncio.sleep(CLEAN_EVERY)
