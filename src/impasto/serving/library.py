"""The files of the studio: uploads and results, in one folder under random names, with a quota and a retention time."""

import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

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
#: States that a job does not leave.
ENDED = ("done", "failed", "cancelled")
#: Where impasto is installed, whose bundled styles are read from there.
PACKAGE = Path(__file__).parents[1]
#: Files that are deleted in one transaction.
BATCH = 500


class NotFoundError(ImpastoError):
    """There is no such file, job, style or run."""


class SettingsError(ImpastoError):
    """The settings of a job name something that does not exist, or do not fit each other."""


class FullError(ImpastoError):
    """The quota is used up."""


class LostError(ImpastoError):
    """Another worker took the job over, or it was deleted."""

    def __init__(self) -> None:
        super().__init__("Another worker took this job over.")


def display_name(name: str) -> str:
    """Return the last part of a name as people wrote it, printable and of bounded length; it is never a path."""
    last = PureWindowsPath(PurePosixPath(name.replace("\0", "")).name).name
    return shorten(printable(last), MAX_NAME).strip(". ") or "file"


@dataclass
class Library:
    """The files below ``folder``: ``files/`` for bytes, ``work/`` for jobs in progress, ``runs/`` and ``styles/``.

    Bytes wait in ``incoming/`` until their entry is in the database, so that what a killed process leaves is told from
    files that belong to another database.
    """

    folder: Path
    database: Database
    limits: Limits

    def __post_init__(self) -> None:
        self.files, self.incoming = self.folder / "files", self.folder / "incoming"
        self.work, self.runs, self.styles = self.folder / "work", self.folder / "runs", self.folder / "styles"
        for folder in (self.files, self.incoming, self.work, self.runs, self.styles):
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
        """Raise FullError if so many more bytes, or another file, exceed the quota of uploads and results."""
        with self.database.read() as session:
            count, used = session.execute(select(func.count(), func.coalesce(func.sum(StoredFile.bytes), 0))).one()
        if count >= self.limits.stored_files or used + extra > self.limits.stored_bytes:
            raise FullError(
                "The space for uploads and results is used up: delete files or jobs that are no longer needed."
            )

    def add(
        self,
        name: str,
        path: Path,
        *,
        kind: str,
        job: Job | None = None,
        source: str | None = None,
        settings: dict[str, Any] | None = None,
        size: tuple[int, int] | None = None,
        shown: bool = True,
        thumbnail: Path | None = None,
    ) -> StoredFile:
        """Move a file into the library and return its entry. Raises LostError if it is a result of a job that is held
        by another claim."""
        shown_name = display_name(name)
        suffix = PurePosixPath(shown_name).suffix.lower()
        suffix = suffix if suffix in MEDIA else ""
        media = MEDIA.get(suffix, UNKNOWN)
        if kind == "upload" and media == "text/html":
            suffix, media = "", UNKNOWN
        file = StoredFile(
            id=self.new_id(), name=shown_name, media=media, suffix=suffix, bytes=path.stat().st_size, kind=kind,
            job=job and job.id, source=source, settings=settings, shown=shown, created=round(time.time(), 6),
            favourite=False, thumbnail=thumbnail is not None, width=size and size[0], height=size and size[1],
        )  # fmt: skip
        moved = [(path, self.path(file))] + ([(thumbnail, self.thumbnail(file))] if thumbnail is not None else [])
        for source_path, target in moved:
            source_path.replace(self.incoming / target.name)
        try:
            with self.database.write() as session:
                if job is not None:
                    require_held(session, job)
                session.add(file)
        except LostError:
            for _, target in moved:
                (self.incoming / target.name).unlink(missing_ok=True)
            raise
        for _, target in moved:
            self.settle(self.incoming / target.name)
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
        """Return files, newest first: those whose name, style or photo contains ``query``; of a job all results,
        otherwise what is shown."""
        found = select(StoredFile).where(StoredFile.shown if job is None else StoredFile.job == job)
        if kind is not None:
            found = found.where(StoredFile.kind == kind)
        if favourite:
            found = found.where(StoredFile.favourite)
        if query:
            texts = (StoredFile.name, *(StoredFile.settings[key].as_string() for key in ("style", "photo")))
            found = found.where(or_(*(func.lower(text).contains(query.lower(), autoescape=True) for text in texts)))
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
        with self.deleting() as session:
            self.remove(session, [file])

    def delete_job(self, job: str) -> None:
        """Delete an ended job with its results and its run. The uploads that it read stay.

        Raises NotFoundError, and ImpastoError if it has not ended, or an unfinished job reads a result of it.
        """
        with self.deleting() as session:
            found = session.get(Job, job, with_for_update=True)
            if found is None:
                raise NotFoundError(f"There is no job {job}.")
            if found.state not in ENDED:
                raise ImpastoError("This job has not ended: cancel it first.")
            session.execute(delete(JobInput).where(JobInput.job == job))
            self.remove(session, session.scalars(select(StoredFile).where(StoredFile.job == job)).all())
            session.execute(delete(Job).where(Job.id == job))
        for folder in (self.work, self.runs):  # afterwards, as in `set_aside`; nobody takes this job any more
            shutil.rmtree(folder / job, ignore_errors=True)

    def start_over(self, job: Job) -> None:
        """Delete what an earlier worker made of a job. Raises LostError if it is held by another claim."""
        with self.deleting() as session:
            require_held(session, job)
            self.remove(session, session.scalars(select(StoredFile).where(StoredFile.job == job.id)).all())
            aside = self.set_aside(job.id)
        shutil.rmtree(aside, ignore_errors=True)

    def set_aside(self, job: str) -> Path:
        """Rename the working folder of a job inside the transaction that ends its use, so that whoever takes the job
        next has a folder of its own. Return where it is, to delete it after the transaction: large folders take long,
        and the transaction keeps workers from renewing their leases."""
        aside = self.work / f"{job}.{self.new_id()}"
        with suppress(OSError):  # most jobs have none
            (self.work / job).rename(aside)
        return aside

    def settle(self, path: Path) -> None:
        """Move bytes whose entry is in the database from ``incoming/`` to their place."""
        with suppress(FileNotFoundError):  # another process was faster
            path.replace(self.files / path.name)

    @contextmanager
    def deleting(self) -> Iterator[Session]:
        """A transaction for :meth:`remove`. Raises ImpastoError if a job that began meanwhile reads a file."""
        try:
            with self.database.write() as session:
                yield session
        except IntegrityError as error:  # of PostgreSQL, where both may be in a transaction
            raise ImpastoError("A file is read by a job: cancel that first.") from error

    def remove(self, session: Session, files: Sequence[StoredFile]) -> None:
        """Delete entries and bytes. Raises ImpastoError if an unfinished job reads one.

        The bytes go before the transaction ends: a process that is killed between leaves an entry, which can be deleted
        again, and never bytes without one.
        """
        for first in range(0, len(files), BATCH):
            batch = [file.id for file in files[first : first + BATCH]]
            session.execute(select(StoredFile.id).where(StoredFile.id.in_(batch)).with_for_update())
            if name := session.scalar(select(StoredFile.name).where(StoredFile.id.in_(batch), exists(readers()))):
                raise ImpastoError(f"{name} is read by a job: cancel that first.")
            session.execute(delete(JobInput).where(JobInput.file.in_(batch)))
            session.execute(delete(StoredFile).where(StoredFile.id.in_(batch)))
        for file in files:
            self.path(file).unlink(missing_ok=True)
            self.thumbnail(file).unlink(missing_ok=True)

    def hide_paths(self, text: str, files: Iterable[StoredFile] = ()) -> str:
        """Return a text with the names of files instead of their paths, and without the folders of this machine."""
        for file in files:
            text = text.replace(str(self.path(file)), file.name).replace(f"{file.id}{file.suffix}", file.name)
        for folder in (self.folder.resolve(), self.folder.absolute(), PACKAGE, Path(tempfile.gettempdir())):
            text = text.replace(f"{folder}/", "").replace(str(folder), "the studio's folder")
        return text


def still_held(job: Job) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a job is still held by this claim."""
    return Job.id == job.id, Job.claim == job.claim, Job.state == "running"


def require_held(session: Session, job: Job) -> None:
    """Keep a job from being taken over until the transaction ends. Raises LostError if it is held by another claim."""
    if session.scalar(select(Job.id).where(*still_held(job)).with_for_update(read=True)) is None:
        raise LostError


def readers() -> Select[str]:
    """Return the unfinished jobs that read a file of the query around it."""
    reads = (JobInput.file == StoredFile.id, JobInput.job == Job.id, Job.state.not_in(ENDED))
    return select(Job.id).where(*reads).correlate(StoredFile)
