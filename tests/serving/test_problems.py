"""Every error is problem details."""

import asyncio
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest
from sqlalchemy.exc import IntegrityError

from fixtures.http_studio import parts
from impasto.serving.app import create_app
from impasto.serving.database import Database
from impasto.serving.guard import Guard
from impasto.serving.jobs import JobQueue
from impasto.serving.library import Library
from impasto.serving.limits import Limits
from impasto.serving.problems import MEDIA_TYPE, RESPONSES, TITLES, describe


def ask(app: Guard, method: str, path: str, **options: object) -> httpx.Response:
    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **options)  # type: ignore[arg-type]

    return asyncio.run(call())


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    with parts(tmp_path_factory.mktemp("studio"), Limits()) as (library, queue, _):
        return create_app(library, queue)


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "kind"),
    [
        ("GET", "/nothing", {}, 404, "not-found"),
        ("GET", "/v1/files/", {}, 404, "not-found"),
        ("GET", f"/v1/files/{'0' * 32}", {}, 404, "not-found"),
        ("PUT", "/v1/files", {}, 405, "method-not-allowed"),
        ("GET", "/v1/files/../../etc/passwd", {}, 404, "not-found"),
        ("POST", "/v1/paint", {}, 422, "invalid"),
        ("POST", "/v1/paint", {"json": {"files": [], "unknown": 1}}, 422, "invalid"),
        ("POST", "/v1/paint", {"content": "{", "headers": {"content-type": "application/json"}}, 422, "invalid"),
        ("POST", "/v1/files", {"content": b"x"}, 422, "invalid"),
        ("POST", f"/v1/jobs/{'0' * 32}/cancel", {}, 404, "not-found"),
        ("POST", "/v1/example", {"json": {"style": "monet"}}, 404, "not-found"),
    ],
)
def test_an_error_is_described(
    app: Guard, method: str, path: str, options: dict[str, object], status: int, kind: str
) -> None:
    answer = ask(app, method, path, **options)
    found = answer.json()
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert (answer.status_code, found["status"], found["type"]) == (status, status, f"urn:impasto:problem:{kind}")
    assert found["title"] == TITLES[kind]
    assert found["detail"].endswith(".") or status == 422, "a sentence"


def test_methods_of_all_routes_of_a_path_are_allowed(app: Guard) -> None:
    assert ask(app, "PUT", "/v1/files").headers["allow"] == "GET, HEAD, POST"
    assert ask(app, "POST", f"/v1/files/{'0' * 32}").headers["allow"] == "DELETE, GET, HEAD, PATCH"


@pytest.mark.parametrize(
    "body",
    [b"[" * 500_000, b'{"a":' * 100_000, b"9" * 100_000, b'{"files": ["\\ud800"]}', b"\xff\xfe", b'{"style": NaN}'],
    ids=["deep list", "deep object", "long number", "surrogate", "no text", "NaN"],
)
def test_odd_json_is_refused(app: Guard, body: bytes) -> None:
    answer = ask(app, "POST", "/v1/paint", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]
    assert len(answer.content) < 1000


def test_a_database_that_is_away_is_503_and_a_fault_is_500_without_its_reason(
    tmp_path: Path, app: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Database(f"sqlite:///{tmp_path / 'gone' / 'studio.db'}")
    library = Library(tmp_path, away, Limits())
    answer = ask(create_app(library, JobQueue(away, library, Limits())), "GET", "/v1/jobs")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["title"] == TITLES["unavailable"]
    assert str(tmp_path) not in answer.text
    with monkeypatch.context() as patch:
        patch.setattr(JobQueue, "counts", Mock(side_effect=IntegrityError("x", {}, ValueError("x"))))
        assert ask(app, "GET", "/v1/ready").status_code == 500, "not the database's fault"

    def fail(queue: JobQueue) -> None:
        raise RuntimeError("/home/somebody/secret")

    monkeypatch.setattr(JobQueue, "counts", fail)
    answer = ask(app, "GET", "/v1/ready")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:impasto:problem:error")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_name_of_the_client_is_printable_and_short_in_an_error(app: Guard) -> None:
    answer = ask(app, "POST", "/v1/paint", json={"\x1b[31m" + "x" * 5000: 1})
    assert answer.status_code == 422
    assert "\x1b" not in answer.json()["detail"]
    assert len(answer.json()["detail"]) <= 300


def test_a_name_that_cannot_be_one_is_explained_without_its_pattern(app: Guard) -> None:
    answer = ask(app, "POST", "/v1/styles/pull", json={"repository": "someone/x", "name": 'm"<b>'})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("name: a name has up to 100 letters, digits, dots, hyphens")


def test_all_documented_errors_have_a_title_and_unknown_statuses_a_type() -> None:
    assert all(describe(int(status), "x").title in TITLES.values() for status in RESPONSES)
    assert describe(418, "x").type == "urn:impasto:problem:bad-request"
    assert describe(502, "x").type == "urn:impasto:problem:error"
