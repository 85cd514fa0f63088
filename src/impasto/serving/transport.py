"""HTTP calls of the client, on the standard library: retries, streamed bodies, problem details, server-sent events."""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from impasto.errors import ImpastoError
from impasto.files import atomic_write

#: Statuses after which a request is sent again, and a POST, of which nothing may have been done: 503 does not tell.
RETRIED, RETRIED_POST = (429, 503), (429,)
#: Attempts of a request, and seconds to wait where the server names none, and at most.
ATTEMPTS, RETRY_AFTER, LONGEST_RETRY = 6, 2.0, 60.0
#: Bytes read or written at once.
CHUNK = 1 << 20
#: Longest answer that is held in memory, and longest line of an event, in bytes.
MAX_ANSWER = 100_000_000


class StudioError(ImpastoError):
    """The studio refused a request, or a job failed. The message is the problem's detail.

    Attributes:
        status: of the HTTP response, such as 404.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(ImpastoError):
    """The studio does not answer."""


@dataclass
class Transport:
    """Sends requests to one studio, each by a connection of its own, so that threads may share it.

    Attributes:
        url: of the studio; its path comes before the paths of the calls, and its ``?token=…`` is used.
        token: required by the studio on all addresses but loopback ones.
        timeout: seconds without a byte from the server.
        sleep: waits between attempts.
    """

    url: str
    token: str | None = None
    timeout: float = 90.0
    sleep: Callable[[float], None] = time.sleep
    _headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url if "://" in self.url else f"http://{self.url}")
            self._host, self._port = parts.hostname, parts.port
        except ValueError as error:
            raise ImpastoError(f"{self.url} is no address of a studio: {error}.") from error
        if parts.scheme not in ("http", "https") or not self._host:
            raise ImpastoError(f"{self.url} is no address of a studio: give one such as http://127.0.0.1:7860.")
        https = parts.scheme == "https"
        self._connection = http.client.HTTPSConnection if https else http.client.HTTPConnection
        self._base = parts.path.rstrip("/")
        token = self.token or next(iter(parse_qs(parts.query).get("token", [])), None)
        if token is not None and not (token.isascii() and token.isprintable()):
            raise ImpastoError("The token holds characters that no token of a studio has.")
        self._headers = {"accept": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})

    def call(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the JSON that a call answers. Raises StudioError, UnreachableError."""
        with self.send(method, path, query=query, body=body) as response:
            return parsed(response)

    def save(self, path: str, out: Path) -> Path:
        """Stream the answer of a GET into a file, which is whole or not there. Raises StudioError, UnreachableError."""
        with self.send("GET", path) as response:
            return write(response, out)

    @contextmanager
    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        file: Path | None = None,
        timeout: float | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """Open the response of a request, sent again while the studio has no room for it.

        Args:
            method: of HTTP.
            path: with its leading slash.
            query: parameters; lists are repeated, None is left out.
            body: sent as JSON.
            file: streamed as the body instead.
            timeout: instead of :attr:`timeout`.

        Raises:
            StudioError: any status that is no success.
            UnreachableError: no connection, or it broke.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = f"{self._base}{path}" + (f"?{urlencode(_plain(given), doseq=True)}" if given else "")
        connection = self._connection(self._host or "", self._port, timeout=timeout or self.timeout)
        with closing(connection), self._explained():
            for attempt in range(1, ATTEMPTS + 1):
                with self._once(connection, method, target, body, file) as response:
                    if response.status < 300:
                        yield response
                        return
                    refusal, after = _refusal(response), response.getheader("retry-after", "")
                connection.close()
                if response.status not in (RETRIED_POST if method == "POST" else RETRIED) or attempt == ATTEMPTS:
                    raise refusal
                self.sleep(min(float(after) if after.isdecimal() else RETRY_AFTER * attempt, LONGEST_RETRY))

    def events(self, path: str, *, silence: float) -> Iterator[Any]:
        """Yield the data of the events named ``job`` until the stream ends; one silent for so many seconds is broken.

        Raises StudioError, UnreachableError.
        """
        with self.send("GET", path, timeout=silence) as response:
            name, data = "", list[bytes]()
            while line := response.readline(MAX_ANSWER):
                key, _, value = line.rstrip(b"\r\n").partition(b":")
                if key == b"event":
                    name = value.strip().decode()
                elif key == b"data":
                    data.append(value.removeprefix(b" "))
                elif not line.strip():
                    if name == "job" and data:
                        yield _decoded(b"\n".join(data))
                    name, data = "", []

    def _once(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        body: Mapping[str, Any] | None,
        file: Path | None,
    ) -> http.client.HTTPResponse:
        """Send a request once and return the response, also one that comes before the whole body was sent."""
        if connection.sock is None:
            try:
                connection.connect()
            except OSError as error:  # a name that is not known, no route, a certificate
                raise ConnectionError(error.strerror or str(error)) from error
        if file is None:
            data = None if body is None else json.dumps(body).encode()
            kind = {} if body is None else {"content-type": "application/json"}
            connection.request(method, target, data, self._headers | kind)
            return connection.getresponse()
        with file.open("rb") as source:
            length = {"content-length": str(file.stat().st_size), "content-type": "application/octet-stream"}
            connection.blocksize = CHUNK
            with suppress(BrokenPipeError, ConnectionResetError):  # it may refuse the first bytes, and says why
                connection.request(method, target, source, self._headers | length)
            return connection.getresponse()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error or type(error).__name__
            raise UnreachableError(f"The studio at {self._host} does not answer: {reason}.") from error


def parsed(response: http.client.HTTPResponse) -> Any:
    """Return the JSON of a response. Raises ImpastoError."""
    return _decoded(response.read(MAX_ANSWER))


def write(response: http.client.HTTPResponse, out: Path) -> Path:
    """Stream a response into a file, which is whole or not there."""
    with atomic_write(out) as part, part.open("wb") as target:
        while chunk := response.read(CHUNK):
            target.write(chunk)
        if response.length:  # read() of a given size does not notice
            raise http.client.IncompleteRead(b"", response.length)
    return out


def _plain(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as they are written in a query: true and false in small letters."""
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ImpastoError("This address does not answer like a studio: it sent no JSON.") from error


def _refusal(response: http.client.HTTPResponse) -> StudioError:
    """Return the error of a response: the detail of its problem, or its status line."""
    found: object = None
    with suppress(ValueError, RecursionError):
        found = json.loads(response.read(MAX_ANSWER))
    detail = found.get("detail") if isinstance(found, dict) else None
    return StudioError(str(detail or f"The studio answered {response.status} {response.reason}."), response.status)
