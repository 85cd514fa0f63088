"""The web application: routes, errors, metrics and guard put together."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Histogram

from impasto._version import __version__
from impasto.serving.changes import Changes
from impasto.serving.cleaning import clean
from impasto.serving.exchange import Message, Receive, Scope, Send
from impasto.serving.guard import LOOPBACK, App, Guard
from impasto.serving.jobs import JobQueue, QueueFullError
from impasto.serving.library import Library
from impasto.serving.problems import RESPONSES, add_handlers
from impasto.serving.routes import Studio, files, jobs, runs, styles, system, tasks
from impasto.serving.shelf import example_file, style_files
from impasto.serving.supervisor import Supervisor
from impasto.serving.tasks import TASKS

#: Seconds between two deletions of old files.
CLEAN_EVERY = 3600.0
#: Methods that are counted by name; clients may invent others.
METHODS = ("GET", "POST", "PATCH", "DELETE")

_log = logging.getLogger(__name__)

DESCRIPTION = "Paint photos and films, generate paintings from noise, explore data sets and train GANs."


def create_app(
    library: Library,
    queue: JobQueue,
    *,
    supervisor: Supervisor | None = None,
    token: str | None = None,
    hosts: Collection[str] = LOOPBACK,
    device: str = "auto",
    changes: Changes | None = None,
) -> Guard:
    """Return the guarded application of a studio.

    Args:
        library: the files.
        queue: the jobs.
        supervisor: starts and stops workers with the application; None if they are started otherwise.
        token: required of every request; None for none.
        hosts: names by which the server may be called; empty for any.
        device: of the workers, to show.
        changes: the streams of events, for who wants to end them before the application ends.
    """
    limits, changes = library.limits, changes or Changes(queue)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await changes.start()
        if supervisor is not None:
            await asyncio.to_thread(supervisor.start)
        cleaning = asyncio.create_task(_clean(library))
        try:
            with contextlib.suppress(QueueFullError):  # the rest is ordered at the next start
                await asyncio.to_thread(_order_examples, library, queue)
            yield
        finally:
            cleaning.cancel()
            await changes.stop()
            if supervisor is not None:
                await asyncio.to_thread(supervisor.stop)

    app = FastAPI(
        title="impasto studio", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None,
        openapi_url=None, redirect_slashes=False, responses=RESPONSES, lifespan=lifespan,
        generate_unique_id_function=_operation,
    )  # fmt: skip
    app.state.studio = Studio(library, queue, changes, supervisor, limits, device)
    app.state.registry = CollectorRegistry()
    app.add_middleware(_Measure, registry=app.state.registry)
    add_handlers(app)
    for module in (system, files, tasks, jobs, styles, runs):
        app.include_router(module.router)
    return Guard(app, limits, token, hosts)


def _operation(route: Any) -> str:
    """Return the name of a call in the OpenAPI document: ``jobs_cancel``."""
    return f"{route.tags[0]}_{route.name}"


class _Measure:
    """ASGI middleware that counts and times requests by method and route, for Prometheus."""

    def __init__(self, app: App, registry: CollectorRegistry) -> None:
        labels = ["method", "route"]
        self._app = app
        self._count = Counter("impasto_requests", "Requests", [*labels, "status"], registry=registry)
        self._seconds = Histogram("impasto_request_seconds", "Seconds of requests", labels, registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), "500"

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = getattr(scope.get("route"), "path", "none")
            self._count.labels(method, route, status).inc()
            self._seconds.labels(method, route).observe(time.perf_counter() - begun)


def _order_examples(library: Library, queue: JobQueue) -> None:
    """Queue the example images that are missing, behind everything else."""
    task = TASKS["example"]
    ordered = {job.settings.get("style") for job in queue.jobs(kind="example", states=("queued", "running"), limit=500)}
    for name in style_files(library):
        if name not in ordered and not example_file(library, name).exists():
            request = task.request.model_validate({"style": name})
            queue.submit(task.name, task.lane, request.model_dump(), [], priority=request.priority(light=False))


async def _clean(library: Library) -> None:
    while True:
        try:
            await asyncio.to_thread(clean, library, time.time())
        except Exception:  # tried again
            _log.exception("What nobody needs any more could not be deleted")
        await asyncio.sleep(CLEAN_EVERY)
