"""A client of the studio for Python programs. It needs neither the extra ``studio`` nor torch.

>>> studio = impasto.Client("http://127.0.0.1:7860")
>>> studio.paint("photo.jpg", out="painting.jpg", style="monet")
>>> studio.paint(["holiday.zip", "film.mp4"], out="painted", progress=lambda job: print(job.done, job.total))
>>> job = studio.train(["monets.zip"], recipe="dcgan-64", budget="30m")
>>> studio.wait(job, progress=lambda job: print(job.message))
"""

import mimetypes
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path, PureWindowsPath
from typing import Any, Literal
from urllib.parse import quote

from impasto.errors import ImpastoError
from impasto.files import make_folder, user_path
from impasto.inference.output_names import VIDEOS, Format
from impasto.serving.answers import File, Job, Run, Style, read, read_list
from impasto.serving.transport import StudioError, Transport, UnreachableError, parsed, write

#: States that a job does not leave by itself.
STILL = ("done", "failed", "cancelled", "paused")
#: Seconds between two looks at a job where events do not arrive, and after which an event stream is given up: the
#: studio sends a sign of life every 15 s.
LOOK_EVERY, SILENCE = 1.0, 40.0
#: Times in a row that the studio may not answer while a job is waited for, with a pause that doubles: two minutes.
PATIENCE = 6
#: Files that are listed at once.
PAGE = 500

#: A file or folder of this machine, or a file that is in the studio already.
Source = str | Path | File
Progress = Callable[[Job], None]


class Client:
    """Calls one studio and waits for the answers. Threads may share it.

    Every method raises StudioError, an ImpastoError with the detail of the problem, for what the studio refuses and
    for jobs that fail or are cancelled, and UnreachableError if it does not answer. Requests are repeated while the
    studio has no room (429; 503 if they begin nothing). Outputs that exist are not replaced.
    """

    def __init__(self, url: str = "http://127.0.0.1:7860", token: str | None = None, *, timeout: float = 90.0) -> None:
        """``url`` may be the address that the studio printed, with its token; ``timeout`` is in seconds of silence."""
        self._http = Transport(url, token, timeout)

    def paint(
        self,
        photos: Source | Sequence[Source],
        out: str | Path,
        *,
        style: str = "monet",
        strength: float = 1.0,
        brush: float = 1.0,
        keep_colour: bool = False,
        mood: Sequence[int] = (),
        like: Sequence[Source] = (),
        reverse: bool = False,
        format: Format = "keep",
        progress: Progress | None = None,
    ) -> list[Path]:
        """Paint photos, zips of photos and films, and return the paths of the paintings.

        Args:
            photos: one or several files; of a folder all files in it.
            out: a .jpg or .png for one photo, a .zip for all paintings in one file, or else a folder.
            style, strength, brush, keep_colour, mood, like, reverse, format: as ``impasto paint``.
            progress: called with the job whenever it changes; not if one photo is painted within seconds.
        """
        target, given = user_path(out), _listed(photos)
        image = target.suffix.lower() in (".jpg", ".jpeg", ".png")
        if image or target.suffix == ".zip":
            _new(target)
        if image:
            format = "png" if target.suffix.lower() == ".png" else "jpg"
        settings = {
            "style": style, "strength": strength, "brush": brush, "keep_colour": keep_colour, "mood": list(mood),
            "reverse": reverse, "format": format,
        }  # fmt: skip
        single = given[0] if len(given) == 1 and isinstance(given[0], Path) else None
        if single is not None and not like and single.suffix.lower() not in (".zip", *VIDEOS):
            return [self._paint_photo(single, target, image, settings, progress)]
        if image and len(given) > 1:
            raise ImpastoError(f"{target} is one image, and there are {len(given)} inputs: give a folder or a .zip.")
        files, references = self._uploaded(given), self._uploaded(like)
        job = self.wait(self._begin("paint", settings | {"files": files, "like": references}), progress)
        if image:
            return [self.download(job.results[0], target)]
        return self.download_all(job, target)

    def generate(
        self,
        style: str,
        out: str | Path,
        *,
        count: int = 16,
        seed: int = 0,
        start: int = 0,
        images: Sequence[int] | None = None,
        show: Literal["images", "neighbours", "mixtures", "film", "nearest"] = "images",
        second: int | None = None,
        truncation: float | None = None,
        seconds: float = 2.0,
        against: Source | Sequence[Source] = (),
        progress: Progress | None = None,
    ) -> list[Path]:
        """Generate images ``start``, ``start`` + 1, … of a seed, or what ``show`` says; return the paths in ``out``, a
        folder or a .zip. A film goes through the numbers ``images``, if they are given, and ``against`` are the images
        among which ``nearest`` looks."""
        settings = {
            "style": style, "count": count, "seed": seed, "start": start, "show": show,
            "images": None if images is None else list(images), "second": second, "truncation": truncation,
            "seconds": seconds, "against": self._uploaded(against),
        }  # fmt: skip
        return self.download_all(self.wait(self._begin("generate", settings), progress), user_path(out))

    def explore(
        self,
        paintings: Source | Sequence[Source],
        photos: Source | Sequence[Source] = (),
        *,
        out: str | Path | None = None,
        recipe: str | None = None,
        crop_frames: bool = False,
        progress: Progress | None = None,
    ) -> Job:
        """Inspect a data set. ``outcome`` of the job holds the recommendations; the report is saved as ``out``."""
        settings: dict[str, Any] = {"recipe": recipe, "crop_frames": crop_frames}
        settings |= {"paintings": self._uploaded(paintings), "photos": self._uploaded(photos)}
        return self._reported("explore", settings, out, progress)

    def train(
        self,
        paintings: Source | Sequence[Source],
        photos: Source | Sequence[Source] = (),
        *,
        recipe: str | None = None,
        start: str | None = None,
        budget: str = "30m",
        settings: Sequence[str] = (),
        seed: int = 0,
        crop_frames: bool = False,
        name: str = "",
    ) -> Job:
        """Queue a training and return its job at once: :meth:`wait` for it, or :meth:`pause`, :meth:`resume` or
        :meth:`cancel` it. ``recipe``, ``budget`` and ``settings`` are as of ``impasto train``, ``start`` is a style."""
        request: dict[str, Any] = {"recipe": recipe, "start": start, "budget": budget, "settings": list(settings)}
        request |= {"seed": seed, "crop_frames": crop_frames, "name": name}
        request |= {"paintings": self._uploaded(paintings), "photos": self._uploaded(photos)}
        return self._begin("train", request)

    def evaluate(
        self,
        images: Source | Sequence[Source] = (),
        *,
        against: Source | Sequence[Source],
        style: str | None = None,
        photos: Source | Sequence[Source] = (),
        count: int | None = None,
        out: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Job:
        """Score images, or a style, against real paintings. ``outcome`` of the job holds the scores; the report is
        saved as ``out``."""
        settings: dict[str, Any] = {"style": style, "count": count, "files": self._uploaded(images)}
        settings |= {"against": self._uploaded(against), "photos": self._uploaded(photos)}
        return self._reported("evaluate", settings, out, progress)

    def styles(self) -> list[Style]:
        """Return the styles of the studio."""
        return read_list(Style, self._http.call("GET", "/v1/styles"), "styles")

    def runs(self) -> list[Run]:
        """Return the training runs, newest first; their curves are in :meth:`run`."""
        return read_list(Run, self._http.call("GET", "/v1/runs"), "runs")

    def run(self, run: str) -> Run:
        """Return a run with its curves."""
        return read(Run, self._http.call("GET", f"/v1/runs/{quote(run, safe='')}"))

    def jobs(self, *, state: Sequence[str] = (), kind: str | None = None, limit: int = 50) -> list[Job]:
        """Return jobs, newest first."""
        query = {"state": ",".join(state) or None, "kind": kind, "limit": limit}
        return read_list(Job, self._http.call("GET", "/v1/jobs", query=query), "jobs")

    def job(self, job: str | Job) -> Job:
        """Return a job as it is now."""
        return read(Job, self._http.call("GET", _path(job)))

    def cancel(self, job: str | Job) -> Job:
        """Cancel a job that has not ended."""
        return read(Job, self._http.call("POST", _path(job, "/cancel")))

    def pause(self, job: str | Job) -> Job:
        """Pause a training."""
        return read(Job, self._http.call("POST", _path(job, "/pause")))

    def resume(self, job: str | Job) -> Job:
        """Queue a training again that is paused, failed or cancelled."""
        return read(Job, self._http.call("POST", _path(job, "/resume")))

    def wait(self, job: str | Job, progress: Progress | None = None) -> Job:
        """Return a job once it is done, or paused. Raises StudioError if it fails or is cancelled."""
        for found in self.follow(job):
            if progress is not None:
                progress(found)
        if found.state == "failed":
            status, detail = (found.error.status, found.error.detail) if found.error else (500, "The job failed.")
            raise StudioError(detail, status)
        if found.state == "cancelled":
            raise StudioError("The job was cancelled.", 409)
        return found

    def follow(self, job: str | Job) -> Iterator[Job]:
        """Yield a job now and whenever it changes, until it has ended or is paused. A studio that is restarted
        meanwhile is waited for; where event streams do not pass, the job is looked at every second."""
        path, events, missed, last = _path(job), True, 0, None
        while True:
            heard = False
            try:
                for data in (
                    self._http.events(f"{path}/events", silence=SILENCE) if events else [self._http.call("GET", path)]
                ):
                    heard, missed, found = True, 0, read(Job, data)
                    if found != last:
                        last = found
                        yield found
                    if found.state in STILL:
                        return
            except UnreachableError:
                missed += 1
                if missed > PATIENCE:
                    raise
            events = events and heard
            self._http.sleep(LOOK_EVERY * 2**missed)

    def upload(self, path: str | Path, name: str | None = None) -> File:
        """Stream a file into the studio."""
        file = _existing(path)
        with self._http.send("POST", "/v1/files", query={"name": name or file.name}, file=file) as response:
            return read(File, parsed(response))

    def download(self, file: str | File, out: str | Path) -> Path:
        """Stream a file of the studio to a path; return it."""
        identifier = file.id if isinstance(file, File) else file
        return self._http.save(f"/v1/files/{quote(identifier, safe='')}/content", _new(out))

    def download_all(self, job: Job, out: str | Path) -> list[Path]:
        """Save all results of a job into a folder, or as one .zip; return the paths."""
        target = user_path(out)
        if target.suffix == ".zip":
            return [self._http.save(_path(job, "/archive"), _new(target))]
        make_folder(target)
        return [self.download(file, _free(target, file.name)) for file in self._results(job)]

    def _results(self, job: Job) -> list[File]:
        """Return all results of a job, of which it shows the last ones only."""
        if len(job.results) == job.result_count:
            return job.results
        found, query = list[File](), dict[str, Any](job=job.id, limit=PAGE)
        while True:
            page = self._http.call("GET", "/v1/files", query=query)
            found += read_list(File, page, "files")
            if not (following := page.get("next")):
                return found[::-1]
            query["before"] = following

    def _paint_photo(
        self, photo: Path, target: Path, image: bool, settings: dict[str, Any], progress: Progress | None
    ) -> Path:
        """Send one photo and save the painting that is answered, or that of the job if it takes longer."""
        query = settings | {"name": photo.name}
        if not image:
            make_folder(target)
        with self._http.send("POST", "/v1/paint/photo", query=query, file=photo) as response:
            if response.status == 200:
                suffix = mimetypes.guess_extension(response.headers.get_content_type()) or ".png"
                return write(response, target if image else _free(target, f"{photo.stem}{suffix}"))
            begun = read(Job, parsed(response))
        painting = self.wait(begun, progress).results[0]
        return self.download(painting, target if image else _free(target, painting.name))

    def _begin(self, task: str, settings: dict[str, Any]) -> Job:
        return read(Job, self._http.call("POST", f"/v1/{task}", body=settings))

    def _reported(self, task: str, settings: dict[str, Any], out: str | Path | None, progress: Progress | None) -> Job:
        """Run a job whose result is a report."""
        job = self.wait(self._begin(task, settings), progress)
        if out is not None:
            self.download(job.results[0], out)
        return job

    def _uploaded(self, sources: Source | Sequence[Source]) -> list[str]:
        """Return the identifiers of files, uploaded if they are not in the studio."""
        return [each.id if isinstance(each, File) else self.upload(each).id for each in _listed(sources)]


def _listed(sources: Source | Sequence[Source]) -> list[Path | File]:
    """Return single files, those in folders included. Raises ImpastoError for a file that does not exist."""
    found = list[Path | File]()
    for source in [sources] if isinstance(sources, str | Path | File) else sources:
        if isinstance(source, File):
            found.append(source)
        elif user_path(source).is_dir():
            inside = sorted(path for path in user_path(source).rglob("*") if path.is_file() and path.name[0] != ".")
            if not inside:
                raise ImpastoError(f"{source} holds no files.")
            found += inside
        else:
            found.append(_existing(source))
    return found


def _existing(source: str | Path) -> Path:
    path = user_path(source)
    if not path.is_file():
        raise ImpastoError(f"{path} is no file: check the path.")
    return path


def _new(out: str | Path) -> Path:
    path = user_path(out)
    if path.exists():
        raise ImpastoError(f"{path} exists: choose another name.")
    return path


def _free(folder: Path, name: str) -> Path:
    """Return a path in a folder that does not exist yet. A name from the studio is never a path."""
    last = Path(PureWindowsPath(Path(name).name).name.strip(". ") or "file")
    names = (f"{last.stem}-{number}{last.suffix}" for number in count(2))
    return next(path for path in (folder / each for each in chain([last.name], names)) if not path.exists())


def _path(job: str | Job, rest: str = "") -> str:
    identifier = job.id if isinstance(job, Job) else job
    return f"/v1/jobs/{quote(identifier, safe='')}{rest}"
