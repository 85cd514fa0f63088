"""What every request has to pass: host, origin, token, rate and size; and the headers of every answer.

A page of another site can send requests to a server on this machine, also under a name that it lets point here (DNS
rebinding). So the Host header must be one of ours, requests that change something must come from our own page or from
no page at all, and cookies are SameSite=Strict.
"""

import asyncio
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from impasto.serving.limits import Limits
from impasto.serving.problems import MEDIA_TYPE, RETRY_AFTER, TITLES

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

COOKIE = "impasto_token"
#: Names of this machine for itself.
LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: Clients whose rates are remembered.
CLIENTS = 10_000
#: Methods that change nothing.
SAFE = ("GET", "HEAD", "OPTIONS")
#: Calls that need no token: what tells whether the server lives.
OPEN = ("/v1/health",)
#: Uploads, whose size has a limit of its own.
UPLOADS = ("/v1/files", "/v1/paint/photo")
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
#: Of files: nothing in them runs. Reports hold their own style sheets and images, and are shown in a frame of ours.
FILE_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; font-src data:; "
    "frame-ancestors 'self'"
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "content-security-policy": PAGE_POLICY,
}


@dataclass
class _Bucket:
    """Requests that a client may still send now."""

    left: float
    at: float


@dataclass
class Guard:
    """ASGI middleware.

    Attributes:
        app: what it guards.
        limits: of rate and size.
        token: required of every request; None on a loopback address.
        hosts: names and addresses by which clients may call this server; empty for any, which needs a token.
        clock: seconds, for the rates.
    """

    app: App
    limits: Limits
    token: str | None = None
    hosts: Collection[str] = LOOPBACK
    clock: Callable[[], float] = time.monotonic
    _buckets: "OrderedDict[str, _Bucket]" = field(default_factory=OrderedDict)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        method, path = scope["method"], scope["path"]
        if self.hosts and _host(headers.get("host", "")) not in self.hosts:
            await _refuse(send, 403, "forbidden", "This name of the host is not one of the studio's.")
        elif method not in SAFE and not _is_own_page(headers):
            await _refuse(send, 403, "forbidden", "Pages of other sites may not use the studio.")
        elif not self._may_go_on(scope, headers):
            after = {"retry-after": str(RETRY_AFTER)}
            await _refuse(send, 429, "too-many-requests", "This client sends too many requests.", after)
        elif path == "/" and self._is_right(self._asked_token(scope)):
            await self._log_in(send, scope)
        elif path not in OPEN and not self._has_token(headers):
            challenge = {"www-authenticate": "Bearer"}
            await _refuse(send, 401, "unauthorized", "Open the studio by the address that it printed.", challenge)
        else:
            await self._limited(scope, receive, send, headers)

    def _may_go_on(self, scope: MutableMapping[str, Any], headers: dict[str, str]) -> bool:
        """Take one request from the client's bucket, which fills up again at the sustained rate."""
        client = (scope.get("client") or ("",))[0]
        now = self.clock()
        bucket = self._buckets.pop(client, None) or _Bucket(self.limits.requests, now)
        refilled = bucket.left + (now - bucket.at) * self.limits.requests_per_second
        bucket.left, bucket.at = min(refilled, self.limits.requests), now
        self._buckets[client] = bucket
        while len(self._buckets) > CLIENTS:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True

    def _is_right(self, given: str | None) -> bool:
        return self.token is not None and given is not None and hmac.compare_digest(given.encode(), self.token.encode())

    def _asked_token(self, scope: MutableMapping[str, Any]) -> str | None:
        return next(iter(parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])), None)

    def _has_token(self, headers: dict[str, str]) -> bool:
        if self.token is None:
            return True
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_right(bearer.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self._is_right(cookie.value)

    async def _log_in(self, send: Send, scope: MutableMapping[str, Any]) -> None:
        """Answer the printed address: set the cookie, and remove the token from the address."""
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000{secure}"
        rest = {k: v for k, v in parse_qs(scope["query_string"].decode("latin-1")).items() if k != "token"}
        target = "/" + (f"?{urlencode(rest, doseq=True)}" if rest else "")
        found = HEADERS | {"location": target, "set-cookie": cookie, "content-length": "0"}
        await send({"type": "http.response.start", "status": 303, "headers": _encoded(found)})
        await send({"type": "http.response.body", "body": b""})

    async def _limited(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, headers: dict[str, str]
    ) -> None:
        """Pass a request on, with a limited and not too slow body, and add headers to its answer."""
        limit = self.limits.upload_bytes if scope["path"] in UPLOADS else self.limits.json_bytes
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            await _refuse(send, 413, "too-large", f"The body has more than {limit:,} bytes.")
            return
        read, ended, started = 0, False, False

        async def receive_limited() -> Message:
            nonlocal read, ended
            if ended:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self.limits.idle_seconds)
            except TimeoutError as error:
                raise _BodyError(408, "timeout", "Nothing more of the body arrived.") from error
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                ended = not message.get("more_body", False)
                if read > limit:
                    raise _BodyError(413, "too-large", f"The body has more than {limit:,} bytes.")
            return message

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = {name.lower() for name, _ in message["headers"]}
                more = [(name, value) for name, value in _encoded(HEADERS) if name not in given]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        try:
            await self.app(scope, receive_limited, send_with_headers)
        except _BodyError as error:
            if not started:
                await _refuse(send, error.status, error.kind, error.detail, {"connection": "close"})


class _BodyError(Exception):
    """A body that is too large or too slow."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail


def _host(header: str) -> str:
    """Return the name in a Host header, without the port."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_own_page(headers: dict[str, str]) -> bool:
    """Whether a request comes from our own page, or from a program that is no browser."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def _refuse(send: Send, status: int, kind: str, detail: str, headers: dict[str, str] | None = None) -> None:
    body = {"type": f"urn:impasto:problem:{kind}", "title": TITLES[kind], "status": status, "detail": detail}
    data = json.dumps(body).encode()
    found = HEADERS | {"content-type": MEDIA_TYPE, "content-length": str(len(data))} | (headers or {})
    await send({"type": "http.response.start", "status": status, "headers": _encoded(found)})
    await send({"type": "http.response.body", "body": data})
