"""The application as a whole: its OpenAPI document is true, and requests are counted."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fixtures.http_studio import UNHURRIED, HttpStudio, parts, serving
from fixtures.store import wait_for
from impasto.serving.app import create_app
from impasto.serving.limits import Limits
from impasto.serving.shelf import example_file

CHECKS = [
    not_a_server_error, content_type_conformance, negative_data_rejection, response_headers_conformance,
    response_schema_conformance, status_code_conformance,
]  # fmt: skip
#: Cases of each call, with data that fits the document and with data that does not.
CASES = 8


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpStudio]:
    with serving(tmp_path_factory.mktemp("studio"), Limits(**UNHURRIED)) as found:
        yield found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", GenerationMode)
def test_every_call_answers_as_its_document_says(studio: HttpStudio, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{studio.address}/v1/openapi.json")
    with studio.client() as client:
        file = client.post("/v1/files?name=a.png", content=b"x").json()["id"]
        job = client.post("/v1/paint", json={"files": [file], "style": "negative"}).json()["id"]
    run = studio.queue.submit("train", "train", {"recipe": "dcgan-64"}, []).id
    known = {"file": file, "job": job, "run": run, "style": "negative"}
    called = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path.endswith("/events"):
            continue  # it does not end
        called.add(operation.path)

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=CASES, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)
        def call(case: "schemathesis.Case[Any]") -> None:
            if case.path == "/v1/paint/photo" and mode == GenerationMode.POSITIVE:
                case.query = {**(case.query or {}), "wait": 0}  # nobody paints
            if case.method != "DELETE" and mode == GenerationMode.POSITIVE:
                case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
            case.call_and_validate(checks=CHECKS, timeout=60)

        with suppress(Unsatisfiable):  # nothing can be wrong in a call without parameters
            call()
    assert len(called) > 30


def test_a_studio_whose_queue_is_full_starts(tmp_path: Path) -> None:
    with parts(tmp_path, Limits(queued=0)) as (library, queue, _):
        example_file(library, "negative").unlink()
        app = create_app(library, queue).app

        async def start() -> None:
            async with app.router.lifespan_context(app):  # type: ignore[attr-defined]
                assert queue.jobs() == []

        asyncio.run(start())


def test_a_deletion_of_old_files_that_fails_is_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*arguments: object) -> int:
        raise OSError("no such disk")

    monkeypatch.setattr("impasto.serving.app.clean", fails)
    with parts(tmp_path, Limits()) as (library, queue, _):
        app = create_app(library, queue).app

        async def start() -> None:
            async with app.router.lifespan_context(app):  # type: ignore[attr-defined]
                await asyncio.to_thread(wait_for, lambda: "no such disk" in caplog.text)

        asyncio.run(start())


def test_the_document_names_each_call_and_its_errors_once(studio: HttpStudio) -> None:
    with studio.client() as client:
        document = client.get("/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    calls = [call for path in document["paths"].values() for call in path.values()]
    assert len({call["operationId"] for call in calls}) == len(calls)
    for call in calls:
        assert call["summary"]
        for status, answer in call["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"]
    assert "/v1/example" not in document["paths"], "the studio's own"


def test_requests_are_counted_by_route_and_not_by_what_clients_invent(studio: HttpStudio) -> None:
    with studio.client() as client:
        client.get(f"/v1/files/{'a' * 32}")
        for number in range(20):
            client.request(f"FOO{number}", f"/v1/files/{number:032x}")
            client.get(f"/nothing/{number}")
        lines = client.get("/metrics").text.splitlines()
    counted = [line for line in lines if line.startswith("impasto_requests_total")]
    assert any('method="GET",route="/v1/files/{file}",status="404"' in line for line in counted), counted
    assert not any("FOO" in line or "nothing" in line for line in counted)
    assert any(line.startswith("impasto_request_seconds_count") for line in lines)
