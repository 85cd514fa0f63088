"""The files of the studio: uploads and results, in one folder under random names, with a quota and a retention time."""

import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from sqlalchemy import String, cast, delete, exists, func, or_, select, update

from impasto.errors import ImpastoError, printable, shorten
from impasto.files import make_folder
from impasto.serving.database import Database
from impasto.serving.limits import Limits
from impasto.serving.tables import Job, JobInput, StoredFile

#: Media types of the files that are accepted or made, by suffix. Anything else is kept as bytes without a type.
MEDIA = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif",
    ".avif": "image/avif", ".heic": "image/heic", ".heif": "image/heif", ".bmp": "image/bmp", ".tif": "image/tiff",
    ".tiff": "image/tiff", ".mp4": "video/mp4", ".mov": "video/quicktime", ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo", ".webm": "video/webm", ".m4v": "video/x-m4v", ".zip": "application/zip",
    ".safetensors": "application/octet-stream", ".pth": "application/octet-stream",
    ".pt": "application/octet-stream", ".ckpt": "application/octet-stream", ".onnx": "application/octet-stream",
    ".html": "text/html", ".json": "application/json",
}  # fmt: skip
UNKNOWN = "application/octet-stream"
#: Longest name of a file, in characters.
MAX_NAME = 200


class NotFoundError(ImpastoError):
    """There is no such file, job, style or run."""


class FullError(ImpastoError):
    """The quota is used up."""


def display_name(name: str) -> str:
    """Return the last part of a name as people wrote it, printable and of bounded length; it is never a path."""
    last = PureWindowsPath(PurePosixPath(name.replace("\0", "")).name).name
    return shorten(printable(last), MAX_NAME).strip(". ") or "file"


@dataclass
class Library:
    """The files below ``folder``: ``files/`` for bytes, ``work/`` for jobs in progress, ``runs/`` and ``styles/``."""

    folder: Path
    database: Database
    limits: Limits

    def __post_init__(self) -> None:
        self.files, self.work = self.folder / "files", self.folder / "work"
        self.runs, self.styles = self.folder / "runs", self.folder / "styles"
        for folder in (self.files, self.work, self.runs, self.styles):
            make_folder(folder)

    def new_id(self) -> str:
        """Return an identifier that cannot be guessed."""
        return secrets.token_hex(16)

    def path(self, file: StoredFile) -> Path:
        """Where the bytes of a file lie."""
        return self.files / f"{file.id}{file.suffix}"

    def thumbnail(self, file: StoredFile) -> Path:
        """Where the thumbnail of a file lies, if it has one."""
        return self.files / f"{file.id}.thumbnail.jpg"

    def require_space(self, extra: int = 0) -> None:
        """Raise FullError if so many more bytes, or another file, exceed the quota."""
        with self.database.read() as session:
            count, used = session.execute(select(func.count(), func.coalesce(func.sum(StoredFile.bytes), 0))).one()
        if count >= self.limits.stored_files or used + extra > self.limits.stored_bytes:
            raise FullError("The studio is full: delete files or jobs that are no longer needed.")

    def add(
        self,
        name: str,
        path: Path,
        *,
        kind: str,
        job: str | None = None,
        source: str | None = None,
        settings: dict[str, Any] | None = None,
        size: tuple[int, int] | None = None,
        shown: bool = True,
        thumbnail: Path | None = None,
    ) -> StoredFile:
        """Move a file into the library and return its entry."""
        shown_name = display_name(name)
        suffix = PurePosixPath(shown_name).suffix.lower()
        suffix = suffix if suffix in MEDIA else ""
        media = MEDIA.get(suffix, UNKNOWN)
        if kind == "upload" and media == "text/html":
            suffix, media = "", UNKNOWN
        file = StoredFile(
            id=self.new_id(), name=shown_name, media=media, suffix=suffix, bytes=path.stat().st_size, kind=kind,
            job=job, source=source, settings=settings, shown=shown, created=time.time(), favourite=False,
            thumbnail=thumbnail is not None, width=size and size[0], height=size and size[1],
        )  # fmt: skip
        path.replace(self.path(file))
        if thumbnail is not None:
            thumbnail.replace(self.thumbnail(file))
        with self.database.write() as session:
            session.add(file)
        return file

    def file(self, identifier: str) -> StoredFile:
        """Return the entry of a file. Raises NotFoundError."""
        with self.database.read() as session:
            found = session.get(StoredFile, identifier)
        if found is None:
            raise NotFoundError(f"There is no file {identifier}.")
        return found

    def all(self, identifiers: Sequence[str]) -> list[StoredFile]:
        """Return the entries of several files, in that order. Raises NotFoundError."""
        found: dict[str, StoredFile] = {}
        with self.database.read() as session:
            for first in range(0, len(identifiers), 500):
                rows = session.scalars(select(StoredFile).where(StoredFile.id.in_(identifiers[first : first + 500])))
                found |= {file.id: file for file in rows}
        for identifier in identifiers:
            if identifier not in found:
                raise NotFoundError(f"There is no file {identifier}.")
        return [found[identifier] for identifier in identifiers]

    def browse(
        self,
        *,
        kind: str | None = None,
        query: str = "",
        favourite: bool = False,
        job: str | None = None,
        before: tuple[float, str] | None = None,
        limit: int = 60,
    ) -> list[StoredFile]:
        """Return files that are shown, newest first: those whose name or settings contain ``query``."""
        found = select(StoredFile).where(StoredFile.shown)
        if kind is not None:
            found = found.where(StoredFile.kind == kind)
        if favourite:
            found = found.where(StoredFile.favourite)
        if job is not None:
            found = found.where(StoredFile.job == job)
        if query:
            settings = func.lower(cast(StoredFile.settings, String))
            words = (func.lower(StoredFile.name), settings)
            found = found.where(or_(*(text.contains(query.lower(), autoescape=True) for text in words)))
        if before is not None:
            created, identifier = before
            found = found.where(
                or_(StoredFile.created < created, (StoredFile.created == created) & (StoredFile.id < identifier))
            )
        with self.database.read() as session:
            return list(session.scalars(found.order_by(StoredFile.created.desc(), StoredFile.id.desc()).limit(limit)))

    def mark(self, identifier: str, *, favourite: bool) -> StoredFile:
        """Set or remove the mark of a favourite. Raises NotFoundError."""
        with self.database.write() as session:
            session.execute(update(StoredFile).where(StoredFile.id == identifier).values(favourite=favourite))
        return self.file(identifier)

    def delete(self, identifier: str) -> None:
        """Delete a file. Raises NotFoundError, and ImpastoError if an unfinished job reads it."""
        file = self.file(identifier)
        unfinished = select(Job.id).join(JobInput, JobInput.job == Job.id).where(JobInput.file == identifier)
        with self.database.write() as session:
            if session.scalar(unfinished.where(Job.state.in_(("queued", "running", "paused"))).limit(1)):
                raise ImpastoError(f"{file.name} is read by a job: cancel that first.")
            session.execute(delete(JobInput).where(JobInput.file == identifier))
            session.execute(delete(StoredFile).where(StoredFile.id == identifier))
        self._unlink([file])

    def delete_job(self, job: str) -> None:
        """Delete a job with its results, its working folder, and the uploads that no other job reads."""
        others = exists().where(JobInput.file == StoredFile.id, JobInput.job != job)
        with self.database.write() as session:
            inputs = select(JobInput.file).where(JobInput.job == job)
            uploads = session.scalars(
                select(StoredFile).where(StoredFile.id.in_(inputs), StoredFile.kind == "upload", ~others)
            ).all()
            results = session.scalars(select(StoredFile).where(StoredFile.job == job)).all()
            gone = [*uploads, *results]
            session.execute(delete(JobInput).where(JobInput.job == job))
            session.execute(delete(JobInput).where(JobInput.file.in_([file.id for file in gone])))
            session.execute(delete(StoredFile).where(StoredFile.id.in_([file.id for file in gone])))
            session.execute(delete(Job).where(Job.id == job))
        self._unlink(gone)
        shutil.rmtree(self.work / job, ignore_errors=True)

    def clean(self, now: float) -> int:
        """Delete files older than the retention time, except favourites and what unfinished jobs read; return how
        many."""
        if self.limits.keep_days is None:
            return 0
        read = exists().where(
            JobInput.file == StoredFile.id, JobInput.job == Job.id, Job.state.in_(("queued", "running", "paused"))
        )
        old = (StoredFile.created < now - 86400 * self.limits.keep_days, ~StoredFile.favourite, ~read)
        with self.database.write() as session:
            gone = session.scalars(select(StoredFile).where(*old)).all()
            for first in range(0, len(gone), 500):
                identifiers = [file.id for file in gone[first : first + 500]]
                session.execute(delete(JobInput).where(JobInput.file.in_(identifiers)))
                session.execute(delete(StoredFile).where(StoredFile.id.in_(identifiers)))
        self._unlink(gone)
        return len(gone)

    def hide_paths(self, text: str, files: Iterable[StoredFile] = ()) -> str:
        """Return a text with the names of files instead of their paths, and without the path of the folder."""
        for file in files:
            text = text.replace(str(self.path(file)), file.name).replace(f"{file.id}{file.suffix}", file.name)
        resolved = str(self.folder.resolve())
        return text.replace(f"{resolved}/", "").replace(f"{self.folder}/", "").replace(resolved, "the studio's folder")

    def _unlink(self, files: Iterable[StoredFile]) -> None:
        for file in files:
            self.path(file).unlink(missing_ok=True)
            self.thumbnail(file).unlink(missing_ok=True)
