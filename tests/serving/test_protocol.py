"""What is no HTTP, and connections that only wait."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from fixtures.http_studio import UNHURRIED, HttpStudio, serving
from impasto.serving.limits import Limits

CONNECTIONS = 6
LIMITS = Limits(**UNHURRIED, idle_seconds=1, connections=CONNECTIONS)
ASK = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpStudio]:
    with serving(tmp_path_factory.mktemp("studio"), LIMITS) as found:
        yield found


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /v1/jobs HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000,
        b"POST /v1/paint HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/files?name=a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
    ids=["TLS", "no host", "two hosts", "large head", "two lengths", "bad chunk"],
)
def test_what_is_no_http_is_one_problem(studio: HttpStudio, sent: bytes) -> None:
    head, _, body = studio.raw(sent).partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert b"application/problem+json" in head
    assert json.loads(body)["type"] == "urn:impasto:problem:bad-request"
    assert studio.raw(ASK).split()[1] == b"200"


@pytest.mark.parametrize("before", [b"", ASK.replace(b"Connection: close\r\n", b"")], ids=["first", "second"])
def test_a_head_that_does_not_end_is_ended(studio: HttpStudio, before: bytes) -> None:
    answer = studio.raw(before + b"GET /v1/health HTTP/1.1\r\nX: ")
    assert b"408" in answer
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["type"] == "urn:impasto:problem:timeout"


def test_a_connection_that_says_nothing_is_closed(studio: HttpStudio) -> None:
    assert studio.raw(b"") == b""


def test_an_upgrade_is_a_plain_request(studio: HttpStudio) -> None:
    upgrade = (
        b"Upgrade: websocket\r\nConnection: upgrade, close\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"
    )
    answer = studio.raw(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"\r\n")
    assert answer.split()[1] == b"200"


def test_connections_beyond_the_limit_are_told_so_and_places_become_free_again(studio: HttpStudio) -> None:
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(studio.connect()).sendall(b"GET")
        head, _, body = studio.raw(ASK).partition(b"\r\n\r\n")
        assert head.split()[1] == b"503"
        assert b"retry-after" in head.lower()
        assert json.loads(body)["type"] == "urn:impasto:problem:unavailable"
        for _ in range(CONNECTIONS):
            stack.enter_context(studio.connect())
        assert studio.raw(b"") == b"", "and beyond twice the limit are closed at once"
    for _ in range(100):
        if studio.raw(ASK).split()[1:2] == [b"200"]:
            return
    raise AssertionError("no place became free")
