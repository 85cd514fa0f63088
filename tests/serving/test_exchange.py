"""Bodies that are too large or too slow, and HEAD."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from fixtures.http_studio import UNHURRIED, HttpStudio, serving
from impasto.serving import exchange
from impasto.serving.limits import Limits

LIMITS = Limits(**UNHURRIED, idle_seconds=1, upload_bytes=300_000, json_bytes=2_000)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpStudio]:
    with serving(tmp_path_factory.mktemp("studio"), LIMITS) as found:
        yield found


def problem_of(answer: bytes) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    found: dict[str, object] = json.loads(body)
    assert head.split()[1] == str(found["status"]).encode()
    return found


def upload(headers: str, path: str = "/v1/files?name=a.jpg") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n".encode()


@pytest.mark.parametrize("path", ["/v1/files?name=a.jpg", "/v1/paint/photo?style=negative", "/v1/paint"])
def test_a_body_that_stops_arriving_is_ended_and_leaves_nothing(studio: HttpStudio, path: str) -> None:
    found = studio.raw(upload("Content-Type: application/json\r\nContent-Length: 1000", path) + b"{")
    assert problem_of(found)["type"] == "urn:impasto:problem:timeout"
    assert list(studio.library.work.iterdir()) == []


def test_a_body_that_drips_is_ended(studio: HttpStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "SLOWEST", 10_000)
    found = b""
    with studio.connect() as connection:
        connection.sendall(upload("Content-Length: 100000"))
        connection.settimeout(0.2)
        for _ in range(300):  # each within the time of a pause
            with suppress(TimeoutError):
                found += connection.recv(65536)
                break
            with suppress(OSError):
                connection.sendall(b"x")
        else:
            pytest.fail("the body is never ended")
    # What is sent after the end makes the system discard what was not read of the answer: all of it, or its end.
    assert not found or found.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("path", ["/v1/files?name=a.jpg", "/v1/paint"])
def test_a_body_that_is_too_large_is_refused_however_its_size_is_told(studio: HttpStudio, path: str) -> None:
    body = b'{"files": ["' + b"0" * 400_000

    def chunks() -> Iterator[bytes]:
        for first in range(0, len(body), 50_000):
            yield body[first : first + 50_000]

    json_type = {"content-type": "application/json"}
    with studio.client() as client:
        for content in (body, chunks()):
            answer = client.post(path, content=content, headers=json_type)
            assert answer.status_code == 413
            assert answer.json()["type"] == "urn:impasto:problem:too-large"
    assert list(studio.library.work.iterdir()) == []


@pytest.mark.parametrize("length", ["9" * 19, "9" * 400, "9" * 5000, "-1", "1e3", "\xb2"])
def test_an_odd_length_is_refused_without_reading(studio: HttpStudio, length: str) -> None:
    sent = upload(f"Content-Length: {length}\r\nExpect: 100-continue").decode().encode("latin-1")
    found = studio.raw(sent)
    assert problem_of(found)["status"] in (400, 413)
    assert b"100 Continue" not in found


def test_a_client_that_goes_away_within_an_upload_leaves_nothing(studio: HttpStudio) -> None:
    for _ in range(20):
        with studio.connect() as connection:
            connection.sendall(upload("Content-Length: 200000") + b"x" * 70_000)
    end = time.monotonic() + 30
    while list(studio.library.work.iterdir()) and time.monotonic() < end:
        time.sleep(0.05)
    assert list(studio.library.work.iterdir()) == []
    with studio.client() as client:
        assert client.get("/v1/files").json()["files"] == []


def test_head_is_get_without_a_body_also_of_streams(studio: HttpStudio) -> None:
    with studio.client() as client:
        for path in ("/v1/about", "/v1/styles/negative/file", "/v1/events", "/nothing", "/v1/health"):
            head = client.head(path)
            assert head.content == b""
            if path != "/v1/events":
                whole = client.get(path)
                assert head.status_code == whole.status_code
                assert head.headers["content-length"] == str(len(whole.content))
    assert studio.changes.listeners == 0


def test_a_connection_goes_on_after_a_complete_request_that_was_refused(studio: HttpStudio) -> None:
    with httpx.Client(base_url=studio.address, limits=httpx.Limits(max_connections=1)) as client:
        for _ in range(3):
            assert client.post("/v1/paint", json={}).status_code == 422
            assert client.get("/v1/health").status_code == 200
