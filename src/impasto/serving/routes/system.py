"""The page, health, metrics, and what the studio can do."""

import importlib.util
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel

from impasto._version import __version__
from impasto.data.decode import MAX_PIXELS
from impasto.serving.guard import PAGE_POLICY
from impasto.serving.library import NotFoundError
from impasto.serving.problems import RETRY_AFTER, problem
from impasto.serving.routes import InStudio
from impasto.serving.routes.downloads import Download

router = APIRouter(tags=["studio"])

PAGE = Path(str(files("impasto.serving"))) / "page"
#: Media types of the page's files.
MEDIA = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}  # fmt: skip


class About(BaseModel):
    """What the studio is and can do."""

    version: str
    device: str
    limits: dict[str, int | float | None]
    extras: dict[str, bool]


class Health(BaseModel):
    """Whether something works."""

    status: str


@router.get("/", include_in_schema=False)
def page() -> Download:
    return Download(PAGE / "index.html", MEDIA[".html"], policy=PAGE_POLICY)


@router.get("/assets/{path:path}", include_in_schema=False)
def asset(path: str) -> Download:
    found = {each.relative_to(PAGE).as_posix(): each for each in PAGE.rglob("*") if each.suffix in MEDIA}.get(path)
    if found is None:
        raise NotFoundError("The page has no such file.")
    return Download(found, MEDIA[found.suffix], policy=PAGE_POLICY)


@router.get("/v1/about", summary="Version, device and limits")
def about(studio: InStudio) -> About:
    limits = studio.limits
    return About(
        version=__version__,
        device=studio.device,
        limits={
            "upload_bytes": limits.upload_bytes,
            "stored_bytes": limits.stored_bytes,
            "pixels": MAX_PIXELS,
            "images": limits.images,
            "queued": limits.queued,
            "keep_days": limits.keep_days,
        },
        extras={
            extra: importlib.util.find_spec(module) is not None
            for extra, module in {"hub": "huggingface_hub", "onnx": "onnxruntime", "train": "lightning_fabric"}.items()
        },
    )


@router.get("/v1/health", summary="Whether the server lives")
def health() -> Health:
    return Health(status="alive")


@router.get("/v1/ready", response_model=Health, summary="Whether the database answers and all workers run")
def ready(studio: InStudio) -> Health | Response:
    studio.queue.counts()
    if studio.supervisor is not None and not studio.supervisor.ready:
        return problem(503, "The workers are starting.", headers={"Retry-After": str(RETRY_AFTER)})
    return Health(status="ready")


@router.get("/v1/openapi.json", include_in_schema=False)
def document(request: Request) -> Response:
    return JSONResponse(request.app.openapi())


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request, studio: InStudio) -> Response:
    """Counters of requests, and jobs by kind and state, for Prometheus."""
    jobs = CollectorRegistry()
    gauge = Gauge("impasto_jobs", "Jobs by kind and state", ["kind", "state"], registry=jobs)
    for (kind, state), count in studio.queue.counts().items():
        gauge.labels(kind, state).set(count)
    data = generate_latest(request.app.state.registry) + generate_latest(jobs)
    return Response(data, media_type=CONTENT_TYPE_LATEST)
