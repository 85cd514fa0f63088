"""What every request has to pass."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from fixtures.clock import FakeClock
from fixtures.http_studio import UNHURRIED, HttpStudio, serving
from impasto.serving.exchange import Receive, Scope, Send
from impasto.serving.guard import COOKIE, FILE_POLICY, PAGE_POLICY, Guard
from impasto.serving.limits import Limits

TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpStudio]:
    with serving(tmp_path_factory.mktemp("studio"), Limits(**UNHURRIED)) as found:
        yield found


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpStudio]:
    with serving(tmp_path_factory.mktemp("studio"), Limits(**UNHURRIED), token=TOKEN, hosts=()) as found:
        yield found


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:7860", "localhost.", "127.0.0.1:80", "[::1]:7860"])
def test_names_of_this_machine_are_answered(studio: HttpStudio, host: str) -> None:
    with studio.client() as client:
        assert client.get("/v1/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "[::2]", "[", "", "0x7f000001", "a\xe9"]
)
def test_other_names_are_refused_since_a_site_may_let_them_point_here(studio: HttpStudio, host: str) -> None:
    answer = studio.raw(f"GET /v1/jobs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1"))
    assert answer.split()[1] in (b"403", b"400")
    assert b"application/problem+json" in answer
    assert b'"jobs"' not in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://localhost.evil.example:7860"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    ],
)
def test_pages_of_other_sites_change_nothing(studio: HttpStudio, headers: dict[str, str]) -> None:
    with studio.client() as client:
        answer = client.post("/v1/files?name=a.jpg", content=b"x", headers=headers)
        assert answer.status_code == 403
        assert client.get("/v1/files?kind=upload").json()["files"] == []
        assert "access-control-allow-origin" not in answer.headers


def test_pages_of_other_sites_may_link_to_ours_but_embed_and_read_nothing(studio: HttpStudio) -> None:
    foreign = {"sec-fetch-site": "cross-site"}
    opened = foreign | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    framed = foreign | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
    image = foreign | {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    with studio.client() as client:
        assert client.get("/v1/about", headers=opened).status_code == 200
        assert client.get("/v1/about", headers=framed).status_code == 403
        assert client.get("/v1/events", headers=image).status_code == 403
        preflight = {"origin": "http://evil.example", "access-control-request-method": "POST"}
        assert client.options("/v1/paint", headers=preflight).status_code in (403, 405)


def test_our_own_page_is_answered(studio: HttpStudio) -> None:
    with studio.client() as client:
        own = {"origin": studio.address, "sec-fetch-site": "same-origin"}
        assert client.post("/v1/files?name=own.jpg", content=b"x", headers=own).status_code == 201
        client.delete(f"/v1/files/{client.get('/v1/files').json()['files'][0]['id']}")


def test_headers_of_every_answer(studio: HttpStudio) -> None:
    with studio.client() as client:
        for answer in (client.get("/v1/about"), client.get("/nothing"), client.post("/v1/paint", json={})):
            assert answer.headers["content-security-policy"] == PAGE_POLICY
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert answer.headers["cache-control"] == "no-store"
            assert "server" not in answer.headers
    for policy in (PAGE_POLICY, FILE_POLICY):
        assert policy.count("default-src 'none'") == 1
        assert "script-src 'unsafe" not in policy
    assert FILE_POLICY.startswith("sandbox;"), "without any permission"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"authorization": "Bearer"},
        {"authorization": "Bearer " + "x" * 50_000},
        {"authorization": "Bearer tök€n".encode()},
        {"authorization": b"Bearer \xff\xfe\x80"},
        {"cookie": f"{COOKIE}=wrong"},
        {"cookie": f'{COOKIE}="\\377"; other'},
        {"cookie": "=;;;=\x01".encode("latin-1")},
    ],
)
def test_without_the_token_nothing_is_answered(locked: HttpStudio, headers: dict[str, str]) -> None:
    with locked.client() as client:
        for path in ("/", "/v1/jobs", "/metrics", "/v1/openapi.json", "/nothing", "/?token=wrong", "/?token=%ff%00"):
            answer = client.get(path, headers=headers)
            assert answer.status_code in (401, 400), path
            assert answer.json()["status"] == answer.status_code
            assert TOKEN not in answer.text
        assert client.get("/v1/health").status_code == 200, "so that it can be watched"


def test_the_token_is_a_header_or_a_cookie_that_the_printed_address_sets(locked: HttpStudio) -> None:
    with locked.client() as client:
        assert client.get("/v1/about", headers={"authorization": f"bearer {TOKEN}"}).status_code == 200
        answer = client.get(f"/?token={TOKEN}&view=paint")
        assert (answer.status_code, answer.headers["refresh"]) == (200, "0; url=/?view=paint")
        attributes = {each.strip() for each in answer.headers["set-cookie"].split(";")}
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= attributes
        assert client.get("/v1/about").status_code == 200, "by the cookie"
        assert client.post(f"/?token={TOKEN}").status_code == 405, "logs nobody in"


def test_a_foreign_malformed_cookie_locks_nobody_out(locked: HttpStudio) -> None:
    with locked.client() as client:
        for foreign in ("a[b]=1", '"', 'a={"x": 1}', "=;;"):
            cookie = f"{foreign}; {COOKIE}={TOKEN}"
            assert client.get("/v1/about", headers={"cookie": cookie}).status_code == 200, foreign


def test_any_name_of_the_host_is_answered_where_a_token_is_needed(locked: HttpStudio) -> None:
    with locked.client(headers={"authorization": f"Bearer {TOKEN}", "host": "studio.example"}) as client:
        assert client.get("/v1/about").status_code == 200


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _statuses(guard: Guard, client: str, count: int) -> list[int]:
    async def ask() -> list[int]:
        transport = httpx.ASGITransport(guard, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as session:
            return [(await session.get("/")).status_code for _ in range(count)]

    return asyncio.run(ask())


def test_a_client_that_sends_too_much_waits_and_others_do_not() -> None:
    clock = FakeClock()
    guard = Guard(_nothing, Limits(requests=5, requests_per_second=2), clock=clock)
    assert _statuses(guard, "10.0.0.1", 7) == [204] * 5 + [429] * 2
    assert _statuses(guard, "10.0.0.2", 1) == [204]
    clock.advance(1)
    assert _statuses(guard, "10.0.0.1", 3) == [204, 204, 429]
    clock.advance(1000)
    assert _statuses(guard, "10.0.0.1", 6) == [204] * 5 + [429], "no more than at first"


def test_clients_are_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.serving.guard.CLIENTS", 3)
    guard = Guard(_nothing, Limits())
    for number in range(9):
        _statuses(guard, f"10.0.0.{number}", 1)
    assert len(guard._buckets) == 3


def test_websockets_are_closed() -> None:
    sent = []

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    asyncio.run(Guard(_nothing, Limits())({"type": "websocket", "headers": []}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
