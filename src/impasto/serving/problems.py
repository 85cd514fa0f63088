"""Errors of the HTTP API, as problem details (RFC 9457)."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from impasto.errors import ImpastoError, printable, shorten
from impasto.serving.jobs import QueueFullError
from impasto.serving.library import FullError, NotFoundError

MEDIA_TYPE = "application/problem+json"
#: Seconds after which a client is told to try again.
RETRY_AFTER = 5


class Problem(BaseModel):
    """Problem details: ``detail`` is one sentence for people."""

    type: str = Field(examples=["urn:impasto:problem:not-found"])
    title: str
    status: int
    detail: str


#: Title by the end of the type.
TITLES = {
    "bad-request": "The request is wrong",
    "unauthorized": "A token is required",
    "forbidden": "The request is not allowed",
    "not-found": "There is no such thing",
    "conflict": "This is not possible now",
    "too-large": "The body is too large",
    "timeout": "The client was too slow",
    "invalid": "The settings are wrong",
    "queue-full": "The queue is full",
    "too-many-requests": "Too many requests",
    "full": "The studio is full",
    "unavailable": "The studio is not ready",
    "error": "The studio has a fault",
}
#: Type by status, where no other is meant.
BY_STATUS = {
    400: "bad-request", 401: "unauthorized", 403: "forbidden", 404: "not-found", 405: "bad-request", 408: "timeout",
    409: "conflict", 413: "too-large", 415: "bad-request", 422: "invalid", 429: "too-many-requests",
    503: "unavailable", 507: "full",
}  # fmt: skip


def problem(status: int, detail: str, kind: str | None = None, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a response with problem details."""
    name = kind or BY_STATUS.get(status, "error")
    body = Problem(type=f"urn:impasto:problem:{name}", title=TITLES[name], status=status, detail=detail)
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Answer every error with problem details."""

    @app.exception_handler(NotFoundError)
    async def not_found(request: Request, error: NotFoundError) -> JSONResponse:
        return problem(404, str(error))

    @app.exception_handler(QueueFullError)
    async def queue_full(request: Request, error: QueueFullError) -> JSONResponse:
        return problem(429, str(error), "queue-full", {"Retry-After": str(RETRY_AFTER)})

    @app.exception_handler(FullError)
    async def full(request: Request, error: FullError) -> JSONResponse:
        return problem(507, str(error))

    @app.exception_handler(ImpastoError)
    async def impossible(request: Request, error: ImpastoError) -> JSONResponse:
        return problem(409, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, _first_error(error))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(SQLAlchemyError)
    async def database(request: Request, error: SQLAlchemyError) -> JSONResponse:
        return problem(503, "The database does not answer.", headers={"Retry-After": str(RETRY_AFTER)})


def _first_error(error: RequestValidationError) -> str:
    first: dict[str, Any] = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return shorten(printable(f"{where}: {first['msg']}" if where else str(first["msg"])), 300)


#: Errors that any call may answer, for the OpenAPI document.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": TITLES[BY_STATUS[status]], "content": {MEDIA_TYPE: {}}}
    for status in (400, 401, 403, 404, 408, 409, 413, 422, 429, 503, 507)
}
