"""Requests against small servers of the standard library that refuse, break off and stream."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from impasto.errors import ImpastoError
from impasto.serving import transport
from impasto.serving.transport import StudioError, Transport, UnreachableError

Answer = Callable[[BaseHTTPRequestHandler], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with the next of the server's answers, and keeps the request."""

    protocol_version = "HTTP/1.1"
    answers: list[Answer]
    requests: list[tuple[str, str, dict[str, str]]]

    def do_GET(self) -> None:
        self.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.answers.pop(0)(self)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def answer(status: int, body: bytes = b"{}", **headers: str) -> Answer:
    """An answer with that body, after the request's was read."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers.get("content-length", 0)))
        handler.send_response(status)
        for name, value in ({"content-length": str(len(body))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return write


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Handler.answers, Handler.requests = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def http(server: ThreadingHTTPServer, slept: list[float]) -> Transport:
    return Transport(f"http://127.0.0.1:{server.server_port}/base/?token=secret", sleep=slept.append)


def test_the_token_prefix_and_parameters_of_a_request(http: Transport) -> None:
    Handler.answers = [answer(200, b'{"a": 1}')]
    query = {"mood": [1, 2], "keep": True, "name": "a b&c", "absent": None}
    assert http.call("GET", "/v1/x", query=query) == {"a": 1}
    (method, path, headers), *_ = Handler.requests
    assert (method, path) == ("GET", "/base/v1/x?mood=1&mood=2&keep=true&name=a+b%26c")
    assert headers["authorization"] == "Bearer secret"


def test_a_full_studio_is_asked_again_when_it_says(http: Transport, slept: list[float], tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc")
    Handler.answers = [answer(429, Retry_After="7"), answer(429), answer(429, Retry_After="9999"), answer(201)]
    with http.send("POST", "/v1/files", file=tmp_path / "a.bin") as response:
        assert response.status == 201
    assert slept == [7.0, 2 * transport.RETRY_AFTER, transport.LONGEST_RETRY]
    assert [headers["content-length"] for _, _, headers in Handler.requests] == ["3"] * 4, "the file is sent each time"
    Handler.answers = [answer(429, b'{"detail": "9 jobs are waiting."}')] * transport.ATTEMPTS
    with pytest.raises(StudioError, match=r"^9 jobs are waiting\.$"):
        http.call("POST", "/v1/paint", body={})
    assert not Handler.answers


def test_what_may_have_begun_a_job_is_not_sent_twice(http: Transport) -> None:
    Handler.answers = [answer(503), answer(200), answer(503)]
    http.call("GET", "/v1/jobs")
    with pytest.raises(StudioError) as refused:
        http.call("POST", "/v1/paint", body={})
    assert refused.value.status == 503 and not Handler.answers


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"detail": "There is no file."}', "There is no file."),
        (b"<html>", "The studio answered 404 Not Found."),
        (b"[1]", "The studio answered 404 Not Found."),
    ],
)
def test_a_refusal_is_the_detail_or_the_status(http: Transport, body: bytes, message: str) -> None:
    Handler.answers = [answer(404, body)]
    with pytest.raises(StudioError) as refused:
        http.call("GET", "/v1/x")
    assert (str(refused.value), refused.value.status) == (message, 404)


def test_an_upload_that_is_refused_early_says_why(http: Transport, tmp_path: Path) -> None:
    def early(handler: BaseHTTPRequestHandler) -> None:
        body = b'{"detail": "The body is too large."}'
        handler.wfile.write(b"HTTP/1.1 413 Too large\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        handler.wfile.flush()
        handler.close_connection = True

    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(30_000_000)
    Handler.answers = [early]
    with (
        pytest.raises(StudioError, match=r"^The body is too large\.$"),
        http.send("POST", "/v1/files", file=tmp_path / "large.bin"),
    ):
        pass


def test_a_download_is_whole_or_not_there(http: Transport, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    Handler.answers = [answer(200, data)]
    assert http.save("/v1/files/a/content", tmp_path / "a.bin").read_bytes() == data

    def broken(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        handler.close_connection = True

    def cut_chunk(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf")
        handler.close_connection = True

    for each in (broken, cut_chunk):
        Handler.answers = [each]
        with pytest.raises(UnreachableError):
            http.save("/v1/jobs/a/archive", tmp_path / "b.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_events_are_read_one_by_one(http: Transport) -> None:
    stream = b'event: job\ndata: {"done": 1}\n\nevent: ping\ndata: {}\n\n: note\n\n'
    stream += b'event: job\r\ndata: {"done":\r\ndata: 2}\r\n\r\n'
    Handler.answers = [answer(200, stream, content_type="text/event-stream")]
    assert list(http.events("/v1/jobs/a/events", silence=5)) == [{"done": 1}, {"done": 2}]


def test_a_silent_stream_and_a_studio_that_is_away_are_unreachable(http: Transport) -> None:
    done = threading.Event()

    def silent(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        done.wait(30)

    Handler.answers = [silent]
    with pytest.raises(UnreachableError, match="timed out"):
        next(http.events("/v1/events", silence=0.1))
    done.set()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(UnreachableError, match="refused"):
        Transport(f"localhost:{port}").call("GET", "/v1/health")
    with pytest.raises(UnreachableError):
        Transport("http://nowhere.invalid").call("GET", "/v1/health")


def test_what_is_no_studio_is_said_in_one_line(http: Transport) -> None:
    Handler.answers = [answer(200, b"<html>")]
    with pytest.raises(ImpastoError, match="does not answer like a studio"):
        http.call("GET", "/v1/styles")
    for url in ("ftp://host", "http://", "http://host:port", "http://[::1"):
        with pytest.raises(ImpastoError, match="no address of a studio"):
            Transport(url)
    with pytest.raises(ImpastoError, match="token"):
        Transport("http://host", token="a\r\nb: c")
