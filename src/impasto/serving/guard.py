"""What every request has to pass: host, origin, token, rate and size; and the headers of every answer.

A page of another site can send requests to a server on this machine, also under a name that it lets point here (DNS
rebinding). So the Host header must be one of ours, requests that change something must come from our own page or from
no page at all, and cookies are SameSite=Strict.
"""

import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import cookie_parser

from impasto.serving.exchange import AnsweredError, Exchange, Receive, Scope, Send
from impasto.serving.limits import Limits
from impasto.serving.problems import MEDIA_TYPE, encoded

App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "impasto_token"
#: Names of this machine for itself.
LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: Clients whose rates are remembered.
CLIENTS = 10_000
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
    "cache-control": "no-store",
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        limit = self.limits.upload_bytes if scope["path"] in UPLOADS else self.limits.json_bytes
        exchange = Exchange(scope, receive, send, limit=limit, idle=self.limits.idle_seconds, headers=HEADERS)
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        with suppress(AnsweredError):
            await self._answer(asked, exchange, limit)

    async def _answer(self, scope: Scope, exchange: Exchange, limit: int) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        send = exchange.send
        if self.hosts and _host(headers.get("host", "")) not in self.hosts:
            await _refuse(send, 403, "This name of the host is not one of the studio's.")
        elif not _is_own_page(headers, scope["method"]):
            await _refuse(send, 403, "Pages of other sites may not use the studio.")
        elif not self._may_go_on(scope):
            await _refuse(send, 429, "This client sends too many requests.", {"retry-after": "1"})
        elif scope["path"] == "/" and scope["method"] == "GET" and self._is_right(_asked_token(scope)):
            await self._log_in(send, scope)
        elif scope["path"] not in OPEN and not self._has_token(headers):
            challenge = {"www-authenticate": "Bearer"}
            await _refuse(send, 401, "Open the studio by the address that it printed.", challenge)
        elif exchange.length > limit:
            await _refuse(send, 413, f"The body has more than {limit:,} bytes.")
        else:
            await self.app(scope, exchange.receive, send)

    def _may_go_on(self, scope: Scope) -> bool:
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

    def _has_token(self, headers: dict[str, str]) -> bool:
        if self.token is None:
            return True
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_right(bearer.strip()):
            return True
        return self._is_right(cookie_parser(headers.get("cookie", "")).get(COOKIE))

    async def _log_in(self, send: Send, scope: Scope) -> None:
        """Answer the printed address: set the cookie, and remove the token from the address.

        By a refresh and not a redirect: with that, browsers would not send the new cookie where the address was a link
        in another site, such as a mail.
        """
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000{secure}"
        rest = {name: values for name, values in _query(scope).items() if name != "token"}
        target = "/" + (f"?{urlencode(rest, doseq=True)}" if rest else "")
        await _send(send, 200, {"content-type": "text/html", "refresh": f"0; url={target}", "set-cookie": cookie})


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope.get("query_string", b"").decode("latin-1"))


def _asked_token(scope: Scope) -> str | None:
    return next(iter(_query(scope).get("token", [])), None)


def _host(header: str) -> str:
    """Return the name in a Host header, without the port."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_own_page(headers: dict[str, str], method: str) -> bool:
    """Whether a request comes from our own page, or from a program that is no browser, or opens a page of ours.

    Browsers send Sec-Fetch-Site and, with what is not GET, Origin. Other ports of this machine are "same-site".
    """
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        opens = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return method == "GET" and opens
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host", "")
    except ValueError:
        return False


async def _refuse(send: Send, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
    await _send(send, status, {"content-type": MEDIA_TYPE} | (headers or {}), encoded(status, detail))


async def _send(send: Send, status: int, headers: dict[str, str], body: bytes = b"") -> None:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*pairs, length]})
    await send({"type": "http.response.body", "body": body})
