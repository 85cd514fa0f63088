"""The contract of tasks: a request that the server validates, and a function that a worker runs."""

import html
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import OperationalError

from impasto.errors import ImpastoError, printable
from impasto.files import full_disk_errors, make_folder
from impasto.serving.jobs import JobQueue
from impasto.serving.library import Library, LostError
from impasto.serving.shelf import style_file
from impasto.serving.tables import Job, StoredFile
from impasto.serving.tasks.models import Models

#: Which workers take a job: ``paint`` for everything short, ``train`` for what runs for hours.
Lane = Literal["paint", "train"]
#: Identifiers of files and jobs, and names of styles and recipes; neither can be a path.
IDENTIFIER, STYLE_NAME = r"^[0-9a-f]{32}$", r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$"
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
StyleName = Annotated[str, Field(pattern=STYLE_NAME)]
#: Longest side of a thumbnail in pixels.
THUMBNAIL = 480
#: Seconds between two reports of the progress.
REPORT_EVERY = 0.25
#: Results between two looks whether there is space.
SPACE_EVERY = 20
#: Absolute paths in a message; the last part is kept.
_PATH = re.compile(r"(?<![\w:/.])/(?:[^\s/:'\",]+/)+(?=[^\s/:'\",])")

_log = logging.getLogger(__name__)


class Stopped(BaseException):  # not an Exception, which decoders and callbacks may catch
    """The job is to end.

    Attributes:
        wish: ``cancel`` or ``pause``; ``requeue`` if this worker ends and another is to resume; ``lost`` if this worker
            does not hold the job any more.
    """

    def __init__(self, wish: str) -> None:
        super().__init__(wish)
        self.wish = wish


class TaskRequest(BaseModel):
    """Base class of requests: settings of one job, without unknown names."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    def files_read(self) -> list[str]:
        """Identifiers of all files that the job reads."""
        return []

    def kind(self, name: str) -> str:
        """Name of the task that does what the call of that name asks for."""
        return name

    def priority(self, light: bool) -> int:
        """Jobs of higher priority are taken first; ``light`` as of :class:`Task`."""
        return 0

    def require(self, library: Library) -> None:
        """Raise ImpastoError for settings that name something that does not exist, before the job is queued."""
        name = getattr(self, "style", None)
        if name is not None:
            style_file(library, name)


@dataclass(frozen=True)
class Task:
    """A kind of job.

    Attributes:
        name: of the job, and of its path in the API unless that is given.
        request: the model of its settings.
        run: does the work in a worker; returns the outcome, if there is more to tell than the results.
        lane: of the workers that take it.
        summary: of the call in the API.
        light: whether a request is small enough to run beside others; given the request and its files.
        resumes: whether it continues what an earlier worker began; otherwise the results of that one are deleted.
        path: of the call below ``/v1``; empty if there is none.
    """

    name: str
    request: type[TaskRequest]
    run: "Callable[[Any, TaskContext], dict[str, Any] | None]"
    lane: Lane
    summary: str
    light: Callable[[Any, list[StoredFile]], bool]
    resumes: bool
    path: str


#: All tasks, by name.
TASKS: dict[str, Task] = {}

Run = TypeVar("Run", bound="Callable[[Any, TaskContext], dict[str, Any] | None]")


def task(
    name: str,
    request: type[TaskRequest],
    *,
    summary: str,
    lane: Lane = "paint",
    light: Callable[[Any, list[StoredFile]], bool] = lambda request, files: False,
    resumes: bool = False,
    path: str | None = None,
) -> Callable[[Run], Run]:
    """Register a function as a task."""

    def register(run: Run) -> Run:
        TASKS[name] = Task(name, request, run, lane, summary, light, resumes, f"/{name}" if path is None else path)
        return run

    return register


@dataclass
class TaskContext:
    """What a task sees of its job: its files, where results go, and how it reports progress."""

    job: Job
    library: Library
    queue: JobQueue
    models: Models
    device: str
    stop: threading.Event = field(default_factory=threading.Event)
    wish: str = "requeue"
    _reported: float = 0.0
    _results: int = 0

    @property
    def folder(self) -> Path:
        """The working folder of the job, which stays until it has ended, also if its worker is killed."""
        folder = self.library.work / self.job.id
        make_folder(folder)
        return folder

    def files(self, identifiers: Iterable[str]) -> list[StoredFile]:
        """Return the entries of files."""
        return self.library.all(list(identifiers))

    def folder_of(self, name: str, identifiers: list[str]) -> Path:
        """Return a data set as one path: the only zip, or a folder in which the images lie under their names.

        Raises ImpastoError for a zip among others, or a file that is gone.
        """
        files = self.files(identifiers)
        if len(files) == 1 and files[0].suffix == ".zip":
            return self.library.path(files[0])
        if zips := [file.name for file in files if file.suffix == ".zip"]:
            raise ImpastoError(f"{zips[0]} is a zip among other files: give one zip, or images.")
        folder = self.folder / name
        if not folder.exists():
            part = folder.with_name(f"{name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            for number, file in enumerate(files):
                stem = Path(file.name).stem.encode()[:100].decode(errors="ignore")
                _link(self.library.path(file), part / f"{number:05d}-{stem}{file.suffix}", file.name)
            part.rename(folder)
        return folder

    def progress(
        self, done: int, total: int | None = None, unit: str = "", message: str = "", *, part: float = 0.0
    ) -> None:
        """Report how far the job is, at most a few times a second; ``part`` is the done share of the item in progress.
        Raises Stopped if it is to end."""
        self.check()
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY or (total is not None and done >= total):
            self._reported = now
            values: dict[str, Any] = {"done": done, "part": part, "total": total, "unit": unit}
            if message:
                values["message"] = printable(message)[:500]
            if self.job.attempts and done > self.job.done:  # further than the workers that ended
                values["attempts"] = self.job.attempts = 0
            self.report(**values)

    def report(self, **values: Any) -> None:
        """Write values of the job. Raises Stopped if this worker does not hold it any more."""
        try:
            self.queue.report(self.job, **values)
        except LostError as error:
            raise self.lost() from error
        except OperationalError as error:  # the next report may get through
            _log.warning("The progress of job %s is not written: %s", self.job.id, error)

    def check(self) -> None:
        """Raise Stopped if the job is to end."""
        if self.stop.is_set():
            raise Stopped(self.wish)

    def end(self, wish: str) -> None:
        """Let the job end at its next report; the first wish counts, unless the job is lost."""
        if not self.stop.is_set() or wish == "lost":
            self.wish = wish
            self.stop.set()

    def lost(self) -> Stopped:
        """Return what to raise if this worker does not hold the job any more."""
        self.end("lost")
        return Stopped("lost")

    def result(
        self,
        name: str,
        data: bytes | Path,
        *,
        source: str | None = None,
        settings: Mapping[str, Any] | None = None,
        size: tuple[int, int] | None = None,
        shown: bool = True,
        image: Image.Image | None = None,
    ) -> StoredFile:
        """Store a result: bytes, or a file that is moved away. A thumbnail is made of ``image``, which is used up.

        Raises Stopped if the job is to end, ImpastoError if the disk or the quota is full.
        """
        self.check()
        if self._results % SPACE_EVERY == 0:
            self.library.require_space(len(data) if isinstance(data, bytes) else data.stat().st_size)
        self._results += 1
        path = data if isinstance(data, Path) else self.folder / f"{self.job.claim}-{self._results}.part"
        small = None
        with full_disk_errors(Path(name)):
            if isinstance(data, bytes):
                path.write_bytes(data)
            if image is not None and max(image.size) > THUMBNAIL:
                small = path.with_name(f"{path.name}.thumbnail")
                image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=2.0)
                image.convert("RGB").save(small, "JPEG", quality=85)
        made = dict(settings) if settings is not None else None
        try:
            return self.library.add(
                name, path, kind="result", job=self.job, source=source, settings=made, size=size, shown=shown,
                thumbnail=small,
            )  # fmt: skip
        except LostError as error:
            raise self.lost() from error

    def report_of(self, path: Path) -> StoredFile:
        """Store a report in HTML as a result, with the names of zips instead of those in the library."""
        text = path.read_text(encoding="utf-8")
        for file in self.queue.files(self.job.id)[0]:
            if file.suffix == ".zip":
                text = text.replace(f"{file.id}{file.suffix}", html.escape(file.name))
        return self.result(path.name, self.library.hide_paths(text).encode(), shown=False)

    def explain(self, error: BaseException) -> str:
        """Return the message of an error without paths of this machine."""
        inputs, results = self.queue.files(self.job.id)
        text = str(error).replace(f"{self.library.work / self.job.id}/", "")
        return _PATH.sub("", self.library.hide_paths(text, [*inputs, *results]))


def _link(file: Path, target: Path, name: str) -> None:
    """Let a file of the library appear at another path. Raises ImpastoError if it is gone."""
    try:
        target.hardlink_to(file)
    except FileNotFoundError as error:
        raise ImpastoError(f"The file {name} is gone.") from error
    except OSError:  # a file system without links
        shutil.copyfile(file, target)
