"""HTTP/1.1 connections: limited in number, the head of a request limited in time, and refusals as problem details.

Requests that are understood are answered by the application (:mod:`impasto.serving.guard`).
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from impasto.serving.exchange import LINGER
from impasto.serving.problems import MEDIA_TYPE, encoded


class Protocol(H11Protocol):
    """One connection.

    Of uvicorn's configuration, ``timeout_keep_alive`` limits the pause before a request together with its head, and
    ``limit_concurrency`` the connections: those beyond it are told to come again, those beyond twice as many closed.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._most, self.limit_concurrency = self.limit_concurrency or 0, None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._most and len(self.connections) > self._most:
            self.app = _unavailable
        if self._most and len(self.connections) > 2 * self._most:
            transport.abort()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)

    def _unset_keepalive_if_required(self) -> None:
        if self.conn.their_state is not h11.IDLE:  # else what arrives is a part of a head, whose time runs on
            super()._unset_keepalive_if_required()

    def timeout_keep_alive_handler(self) -> None:
        if self.conn.trailing_data[0] and not self.transport.is_closing():
            self._refuse(408, "The request did not arrive.")
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "This is no request of HTTP/1.1, or its head is too large.")

    def _refuse(self, status: int, detail: str) -> None:
        body = encoded(status, detail)
        try:
            for event in (h11.Response(status_code=status, headers=_headers(body)), h11.Data(data=body)):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            pass  # an answer has begun, which ends here
        self._refused = True
        self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)  # what is still sent would reset the connection


def _headers(body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]


async def _unavailable(scope: Any, receive: Any, send: Any) -> None:
    body = encoded(503, "Too many clients are connected: try again later.")
    headers = [*_headers(body), (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
