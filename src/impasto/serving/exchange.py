"""One request and its answer: the body limited in size and time, headers added, and no body after HEAD."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import HTTPException

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]

#: Bytes per second of a body, on average, below which a client is too slow.
SLOWEST = 1_000
#: Seconds for which the rest of a body that nobody needs is read, since clients read the answer only afterwards.
LINGER = 2.0


class AnsweredError(Exception):
    """The answer is complete, although the application has not ended."""


class Exchange:
    """The two callables of ASGI, with limits.

    Args:
        scope: of the request.
        receive: that of the server.
        send: that of the server.
        limit: bytes of the body.
        idle: seconds within which more of the body has to arrive.
        headers: of the answer, unless the application gives them.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, limit: int, idle: float, headers: dict[str, str]
    ) -> None:
        given = {name.lower(): value for name, value in scope["headers"]}
        length = given.get(b"content-length", b"0")
        self.length = int(length) if length.isdigit() and len(length) < 20 else limit + 1
        self._receive, self._send, self._limit, self._idle = receive, send, limit, idle
        self._headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        self._ended = not self.length and b"transfer-encoding" not in given
        self._waits = b"expect" in given  # the client sends nothing, here until it is asked to
        self._head, self._started = scope["method"] == "HEAD", False
        self._read, self._begun = 0, time.monotonic()

    async def receive(self) -> Message:
        """Return the next part of the body. Raises HTTPException if that is too late or too much."""
        if self._ended:
            return await self._receive()
        left = self._begun + self._idle + self._read / SLOWEST - time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), min(self._idle, max(left, 0)))
        except TimeoutError as error:
            if self._started:
                return {"type": "http.disconnect"}
            self._waits = True
            raise HTTPException(408, "The body did not arrive in time.") from error
        if message["type"] == "http.request":
            self._waits = False
            self._read += len(message.get("body", b""))
            self._ended = not message.get("more_body", False)
            if self._read > self._limit and not self._started:
                raise HTTPException(413, f"The body has more than {self._limit:,} bytes.")
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer. Raises AnsweredError once that to HEAD is complete."""
        if message["type"] == "http.response.start":
            self._started = True
            given = {name.lower() for name, _ in message["headers"]}
            more = [(name, value) for name, value in self._headers if name not in given]
            if not self._ended:
                more.append((b"connection", b"close"))
            await self._send({**message, "headers": [*message["headers"], *more]})
            if self._head:
                await self._finish(b"")
                raise AnsweredError
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._finish(message.get("body", b""))

    async def _finish(self, body: bytes) -> None:
        if not self._ended and not self._waits:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            body = b""
            try:
                async with asyncio.timeout(LINGER):
                    while not self._ended:
                        message = await self._receive()
                        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
            except TimeoutError:
                pass
        await self._send({"type": "http.response.body", "body": body})
