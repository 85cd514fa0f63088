"""Errors of the HTTP API, as problem details (RFC 9457)."""

import json
import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from impasto.errors import ImpastoError, printable, shorten
from impasto.serving.jobs import QueueFullError
from impasto.serving.library import FullError, NotFoundError, SettingsError
from impasto.serving.tasks.base import IDENTIFIER, STYLE_NAME

MEDIA_TYPE = "application/problem+json"
#: Seconds after which a client is told to try again.
RETRY_AFTER = 5

_log = logging.getLogger(__name__)


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
    "method-not-allowed": "The method is not allowed here",
    "conflict": "This is not possible now",
    "too-large": "The body is too large",
    "timeout": "The client was too slow",
    "range": "There is no such part of the file",
    "invalid": "The settings are wrong",
    "failed": "The job failed",
    "queue-full": "The queue is full",
    "too-many-requests": "Too many requests",
    "full": "The studio is full",
    "unavailable": "The studio is not ready",
    "error": "The studio has a fault",
}
#: Type by status, where no other is meant.
BY_STATUS = {
    400: "bad-request", 401: "unauthorized", 403: "forbidden", 404: "not-found", 405: "method-not-allowed",
    408: "timeout", 409: "conflict", 413: "too-large", 415: "bad-request", 416: "range", 422: "invalid",
    429: "too-many-requests", 500: "error", 503: "unavailable", 507: "full",
}  # fmt: skip
#: What a text is, by the pattern that it does not match.
PATTERNS = {
    STYLE_NAME: "a name has up to 100 letters, digits, dots, hyphens and underscores, and begins with none of . and -",
    IDENTIFIER: "an identifier has 32 hexadecimal digits",
}
#: What Starlette says in two words.
DETAILS = {
    404: "There is nothing under this address.",
    405: "This address does not take this method: see the header Allow.",
}


def describe(status: int, detail: str, kind: str | None = None) -> Problem:
    """Return problem details of a status, with the type ``kind`` or that of the status."""
    name = kind or BY_STATUS.get(status, "error" if status >= 500 else "bad-request")
    return Problem(type=f"urn:impasto:problem:{name}", title=TITLES[name], status=status, detail=detail)


def encoded(status: int, detail: str, kind: str | None = None) -> bytes:
    """Return problem details as JSON."""
    return json.dumps(describe(status, detail, kind).model_dump()).encode()


def problem(status: int, detail: str, kind: str | None = None, headers: dict[str, str] | None = None) -> Response:
    """Return a response with problem details."""
    return Response(encoded(status, detail, kind), status, headers, MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Answer every error with problem details."""

    @app.exception_handler(NotFoundError)
    async def not_found(request: Request, error: NotFoundError) -> Response:
        return problem(404, str(error))

    @app.exception_handler(SettingsError)
    async def wrong(request: Request, error: SettingsError) -> Response:
        return problem(422, str(error))

    @app.exception_handler(QueueFullError)
    async def queue_full(request: Request, error: QueueFullError) -> Response:
        return problem(429, str(error), "queue-full", {"Retry-After": str(RETRY_AFTER)})

    @app.exception_handler(FullError)
    async def full(request: Request, error: FullError) -> Response:
        return problem(507, str(error))

    @app.exception_handler(ImpastoError)
    async def impossible(request: Request, error: ImpastoError) -> Response:
        return problem(409, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return problem(422, _first_error(error))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(app, request))
        return problem(error.status_code, DETAILS.get(error.status_code, str(error.detail)), headers=headers)

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    @app.exception_handler(PoolTimeoutError)
    async def database(request: Request, error: SQLAlchemyError) -> Response:
        _log.warning("The database does not answer: %s", error)
        return problem(503, "The database does not answer.", headers={"Retry-After": str(RETRY_AFTER)})

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        return problem(500, "The studio has a fault, which is in its log.")


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """Return the methods of all routes of a path; Starlette names those of the first."""
    asked = [{**request.scope, "method": method} for method in ("DELETE", "GET", "PATCH", "POST")]
    found = [s["method"] for s in asked if any(route.matches(s)[0] == Match.FULL for route in app.routes)]
    return sorted([*found, "HEAD"] if "GET" in found else found)


def _first_error(error: RequestValidationError) -> str:
    first: dict[str, Any] = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    said = first["msg"]
    if first["type"] == "string_pattern_mismatch":
        said = PATTERNS.get(first["ctx"]["pattern"], said)
    return shorten(printable(f"{where or 'body'}: {said}"), 300)


#: Errors that any call may answer, for the OpenAPI document. The schema is part of it as jobs hold problems.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": TITLES[BY_STATUS[status]],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in (400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 500, 503, 507)
}
