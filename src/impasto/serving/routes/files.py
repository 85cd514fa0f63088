"""Upload, browse and download files."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from impasto.files import FULL
from impasto.inference.settings_metadata import SEARCHED, read_settings
from impasto.serving.library import FullError, NotFoundError
from impasto.serving.routes import InStudio, Studio
from impasto.serving.routes.downloads import FILE, Download
from impasto.serving.tables import StoredFile
from impasto.serving.tasks.base import Identifier
from impasto.serving.views import FilesView, FileView

router = APIRouter(prefix="/v1/files", tags=["files"])

#: Suffix of uploads in progress, bytes that are written at once, and seconds after which nobody sends more.
UPLOAD, PART = ".upload", 1 << 20
#: Databases hold no text with NUL.
WITHOUT_NUL = r"^[^\x00]*$"
#: Files never change.
FOREVER = "private, max-age=31536000, immutable"
#: Of raw bodies, for the OpenAPI document.
BINARY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Marks(BaseModel):
    """What can be changed of a file."""

    model_config = ConfigDict(extra="forbid")

    favourite: bool


async def receive(request: Request, studio: Studio, name: str) -> StoredFile:
    """Stream the body of a request to disk, and add it to the library as an upload. Raises FullError."""
    library, arrived = studio.library, 0
    length = request.headers.get("content-length", "0")
    expected = int(length) if length.isdecimal() else 0
    await asyncio.to_thread(library.require_space, expected + studio.arriving)
    studio.arriving += expected
    handle, text = tempfile.mkstemp(dir=library.work, suffix=UPLOAD)
    path = Path(text)
    try:
        with os.fdopen(handle, "wb") as file:
            async for part in _parts(request.stream()):
                await asyncio.to_thread(file.write, part)
                arrived += len(part)
        if not arrived:
            raise HTTPException(422, "The body is empty: send the bytes of the file.")
        await asyncio.to_thread(library.require_space, arrived)
        return await asyncio.to_thread(library.add, name, path, kind="upload")
    except OSError as error:
        if error.errno in FULL:
            raise FullError("The disk of the studio is full.") from error
        raise
    finally:
        studio.arriving -= expected
        with suppress(FileNotFoundError):
            path.unlink()


async def _parts(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks of a stream put together, since each is written by another thread."""
    waiting = bytearray()
    async for chunk in stream:
        waiting += chunk
        if len(waiting) >= PART:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


@router.post("", status_code=201, openapi_extra=BINARY, summary="Upload a file")
async def upload(
    request: Request, studio: InStudio, response: Response, name: Annotated[str, Query(max_length=1000)]
) -> FileView:
    """Send the bytes as the body: a photo, a zip of images, a film, a style or a checkpoint."""
    file = await receive(request, studio, name)
    response.headers["location"] = f"/v1/files/{file.id}"
    return FileView.of(file)


@router.get("", summary="Browse files")
def browse(
    studio: InStudio,
    kind: Literal["upload", "result"] | None = None,
    query: Annotated[str, Query(max_length=200, pattern=WITHOUT_NUL)] = "",
    favourite: bool = False,
    job: Annotated[Identifier | None, Query(description="Its results, also those not shown.")] = None,
    before: Annotated[str | None, Query(pattern=r"^[0-9]{1,12}\.[0-9]{1,9}-[0-9a-f]{32}$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 60,
) -> FilesView:
    """Newest first; ``query`` is searched in names, styles and names of photos."""
    cursor = None
    if before is not None:
        moment, _, identifier = before.partition("-")
        cursor = float(moment), identifier
    found = studio.library.browse(kind=kind, query=query, favourite=favourite, job=job, before=cursor, limit=limit)
    following = f"{found[-1].created!r}-{found[-1].id}" if len(found) == limit else None
    return FilesView(files=[FileView.of(file) for file in found], next=following)


@router.get("/{file}", summary="Describe a file")
def describe(studio: InStudio, file: Identifier) -> FileView:
    return FileView.of(studio.library.file(file))


@router.patch("/{file}", summary="Mark a file as a favourite, or not")
def mark(studio: InStudio, file: Identifier, marks: Marks) -> FileView:
    return FileView.of(studio.library.mark(file, favourite=marks.favourite))


@router.delete("/{file}", status_code=204, summary="Delete a file")
def delete(studio: InStudio, file: Identifier) -> Response:
    studio.library.delete(file)
    return Response(status_code=204)


@router.get("/{file}/content", response_class=Response, responses=FILE, summary="Download a file")
def content(studio: InStudio, file: Identifier, download: bool = False) -> Download:
    """The bytes, whole or a range of them."""
    found = studio.library.file(file)
    return Download(studio.library.path(found), found.media, name=found.name, attachment=download, cache=FOREVER)


@router.get("/{file}/thumbnail", response_class=Response, responses=FILE, summary="A small image of a result")
def thumbnail(studio: InStudio, file: Identifier) -> Download:
    """A JPEG of at most 480 pixels; the image itself if it is no larger."""
    found = studio.library.file(file)
    if found.thumbnail:
        return Download(studio.library.thumbnail(found), "image/jpeg", cache=FOREVER)
    if found.kind != "result" or not found.media.startswith("image/"):
        raise NotFoundError(f"The file {found.name} has no thumbnail.")
    return Download(studio.library.path(found), found.media, cache=FOREVER)


@router.get("/{file}/settings", summary="How a painting was made")
def settings(studio: InStudio, file: Identifier) -> dict[str, Any]:
    """The settings that are written in a painting, also in one that was uploaded again."""
    found = studio.library.file(file)
    made = found.settings or _written(studio.library.path(found))
    if made is None:
        raise NotFoundError(f"The file {found.name} holds no settings of impasto.")
    return made


def _written(path: Path) -> dict[str, Any] | None:
    """Return the settings in a file, whose beginning and end are searched."""
    try:
        with path.open("rb") as file:
            found = read_settings(file.read(SEARCHED))
            if found is None and path.stat().st_size > SEARCHED:
                file.seek(-SEARCHED, os.SEEK_END)
                found = read_settings(file.read())
    except OSError:
        return None
    return found
