"""Answers with the bytes of a stored file: whole or one range of them, or nothing if the client has them."""

import asyncio
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import HTTPException, Response
from starlette.datastructures import Headers

from impasto.serving.exchange import Receive, Scope, Send
from impasto.serving.guard import FILE_POLICY
from impasto.serving.library import NotFoundError
from impasto.serving.problems import MEDIA_TYPE

#: Bytes that are read at once.
CHUNK = 1 << 18
_BYTES = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
#: Of a call that answers with a file, for the OpenAPI document.
FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes", **_BYTES},
    206: {"description": "The range that was asked for", **_BYTES},
    304: {"description": "The client has it"},
    416: {
        "description": "There is no such range",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}


class Download(Response):
    """The bytes of a file, which may be deleted meanwhile.

    Args:
        path: of the file. If it is not there, NotFoundError becomes the answer.
        media: media type.
        name: under which it is saved or shown.
        attachment: whether it is saved rather than shown.
        cache: of the header Cache-Control.
        policy: of the header Content-Security-Policy; by default nothing in the file runs.
    """

    def __init__(
        self,
        path: Path,
        media: str,
        *,
        name: str | None = None,
        attachment: bool = False,
        cache: str = "no-cache",
        policy: str = FILE_POLICY,
    ) -> None:
        headers = {"accept-ranges": "bytes", "cache-control": cache, "content-security-policy": policy}
        if name is not None:
            kind = "attachment" if attachment else "inline"
            headers["content-disposition"] = f"{kind}; filename*=utf-8''{quote(name, safe='')}"
        super().__init__(None, 200, headers, media)
        del self.headers["content-length"]
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            file = await asyncio.to_thread(self._path.open, "rb")
        except OSError as error:
            raise NotFoundError("This file is gone.") from error
        gone = asyncio.create_task(_disconnected(receive))
        with file:
            try:
                found = os.fstat(file.fileno())
                self.headers["etag"] = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
                first, end = self._asked(Headers(scope=scope), found.st_size)
                start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                await send(start)
                file.seek(first)
                while first < end and not gone.done():
                    data = await asyncio.to_thread(file.read, min(CHUNK, end - first))
                    if not data:  # it was cut short; the server closes the connection
                        return
                    first += len(data)
                    await send({"type": "http.response.body", "body": data, "more_body": first < end})
                if self.headers.get("content-length", "0") == "0":
                    await send({"type": "http.response.body", "body": b""})
            finally:
                gone.cancel()

    def _asked(self, asked: Headers, size: int) -> tuple[int, int]:
        """Return the first byte to send and the end; set status and headers for them. Raises HTTPException."""
        if self.headers["etag"] in (each.strip() for each in asked.get("if-none-match", "").split(",")):
            self.status_code = 304
            return 0, 0
        first, end = 0, size
        if asked.get("if-range", self.headers["etag"]) == self.headers["etag"]:
            wanted = asked_range(asked.get("range", ""), size)
            if wanted is not None:
                first, end = wanted
                self.status_code = 206
                self.headers["content-range"] = f"bytes {first}-{end - 1}/{size}"
        self.headers["content-length"] = str(end - first)
        return first, end


def asked_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the end of a Range header; None for all bytes.

    Several ranges, and what is no range, are ignored as RFC 9110 permits. Raises HTTPException if the file ends before.
    """
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header.replace(" ", "").lower(), re.ASCII)
    if found is None or not (found[1] or found[2]):
        return None
    first = int(found[1]) if found[1] else max(size - int(found[2]), 0)
    end = min(int(found[2]) + 1, size) if found[1] and found[2] else size
    if found[1] and found[2] and int(found[2]) < first:
        return None
    if first >= size:
        raise HTTPException(416, f"The file has {size:,} bytes.", {"Content-Range": f"bytes */{size}"})
    return first, end


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
