"""The contract of tasks: a request that the server validates, and a function that a worker runs."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from impasto.device import choose_device
from impasto.errors import ImpastoError, printable
from impasto.files import make_folder
from impasto.inference.load import for_task
from impasto.inference.sampler import Sampler
from impasto.inference.translator import Translator
from impasto.serving.jobs import JobQueue
from impasto.serving.library import Library
from impasto.serving.shelf import style_file
from impasto.serving.tables import Job, StoredFile
from impasto.style import Style

#: Which workers take a job: ``paint`` for everything short, ``train`` for what runs for hours.
Lane = Literal["paint", "train"]
#: Identifiers of files, and names of styles and runs; neither can be a path.
FileId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
StyleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
#: Longest side of a thumbnail in pixels.
THUMBNAIL = 480
#: Seconds between two reports of the progress.
REPORT_EVERY = 0.25
#: Styles in memory at once.
MODELS = 2


class Stopped(BaseException):  # not an Exception, which decoders and callbacks may catch
    """The job is to be cancelled or paused, or this worker does not hold it any more."""

    def __init__(self, wish: str) -> None:
        super().__init__(wish)
        self.wish = wish


class TaskRequest(BaseModel):
    """Base class of requests: settings of one job, without unknown names."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    def files_read(self) -> list[str]:
        """Identifiers of all files that the job reads."""
        return []

    def priority(self) -> int:
        """Jobs of higher priority are taken first."""
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
        path: of the call below ``/v1``; empty if there is none.
    """

    name: str
    request: type[TaskRequest]
    run: "Callable[[Any, TaskContext], dict[str, Any] | None]"
    lane: Lane
    summary: str
    light: Callable[[Any, list[StoredFile]], bool]
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
    path: str | None = None,
) -> Callable[[Run], Run]:
    """Register a function as a task."""

    def register(run: Run) -> Run:
        TASKS[name] = Task(name, request, run, lane, summary, light, f"/{name}" if path is None else path)
        return run

    return register


class Models:
    """Styles that are loaded once and kept in memory, the last few of them. Thread-safe."""

    def __init__(self, library: Library, device: str) -> None:
        self._library, self._device = library, device
        self._lock = threading.Lock()
        self._loaded: dict[tuple[Path, float, bool], Sampler | Translator] = {}
        self.workers: dict[int, int] = {}

    def load(self, name: str, *, reverse: bool = False) -> Sampler | Translator:
        """Return the pipeline of a style. Raises ImpastoError as :func:`impasto.load`."""
        path = style_file(self._library, name)
        key = path, path.stat().st_mtime, reverse
        with self._lock:
            pipeline = self._loaded.pop(key, None)
            if pipeline is None:
                while len(self._loaded) >= MODELS:
                    self._loaded.pop(next(iter(self._loaded)))
                style = Style.load(path)
                pipeline = for_task(style.reversed() if reverse else style, choose_device(self._device))
            self._loaded[key] = pipeline  # as the last used
            return pipeline

    def translator(self, name: str, *, reverse: bool = False) -> Translator:
        """Return the pipeline of a translation style."""
        pipeline = self.load(name, reverse=reverse)
        if not isinstance(pipeline, Translator):
            raise ImpastoError(f"{name} generates from noise and cannot paint photos: choose a translation style.")
        return pipeline

    def sampler(self, name: str) -> Sampler:
        """Return the pipeline of an unconditional style."""
        pipeline = self.load(name)
        if not isinstance(pipeline, Sampler):
            raise ImpastoError(f"{name} paints photos and cannot generate from noise: choose an unconditional style.")
        return pipeline


@dataclass
class TaskContext:
    """What a task sees of its job: its files, where results go, and how it reports progress."""

    job: Job
    library: Library
    queue: JobQueue
    models: Models
    device: str
    stop: threading.Event = field(default_factory=threading.Event)
    wish: str = "cancel"
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
        """Return a data set as one path: the only zip, or a folder in which the files lie under their names."""
        files = self.files(identifiers)
        if len(files) == 1 and files[0].suffix == ".zip":
            return self.library.path(files[0])
        folder = self.folder / name
        if not folder.exists():
            part = folder.with_name(f"{name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            for number, file in enumerate(files):
                (part / f"{number:05d}-{Path(file.name).stem[:80]}{file.suffix}").hardlink_to(self.library.path(file))
            part.rename(folder)
        return folder

    def progress(self, done: int, total: int | None = None, unit: str = "", message: str = "") -> None:
        """Report how far the job is, at most a few times a second. Raises Stopped if it is to end."""
        self.check()
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY or (total is not None and done >= total):
            self._reported = now
            text = {"message": printable(message)[:500]} if message else {}
            self.queue.report(self.job, done=done, total=total, unit=unit, **text)

    def check(self) -> None:
        """Raise Stopped if the job is to end."""
        if self.stop.is_set():
            raise Stopped(self.wish)

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
        """Store a result: bytes, or a file that is moved away. ``image`` is what its thumbnail shows."""
        self.check()
        self._results += 1
        path = data if isinstance(data, Path) else self.folder / f"{threading.get_ident()}-{self._results}.part"
        if isinstance(data, bytes):
            path.write_bytes(data)
        small = None
        if image is not None and max(image.size) > THUMBNAIL:
            small = path.with_name(f"{path.name}.thumbnail")
            reduced = image.copy()
            reduced.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=2.0)
            reduced.convert("RGB").save(small, "JPEG", quality=85)
        made = dict(settings) if settings is not None else None
        return self.library.add(
            name, path, kind="result", job=self.job.id, source=source, settings=made, size=size, shown=shown,
            thumbnail=small,
        )  # fmt: skip

    def explain(self, error: BaseException) -> str:
        """Return the message of an error without paths of this machine."""
        inputs, results = self.queue.files(self.job.id)
        return self.library.hide_paths(str(error), [*inputs, *results])


def as_json(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    return json.loads(json.dumps(value, default=str))
