"""Batch translation on a Ray cluster, between any locations that fsspec supports."""

import posixpath
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

from impasto.data.entry import Entry, File, UnreadableError
from impasto.data.inventory import LeftOut
from impasto.data.places import Place, open_place
from impasto.errors import ImpastoError, require
from impasto.files import path_errors
from impasto.inference.batch import Outcome, digest_of, named_settings, paint_one
from impasto.inference.manifest import describe_job
from impasto.inference.options import PaintOptions
from impasto.inference.output import MAX_SIDE
from impasto.inference.output_names import NOT_WRITTEN, VIDEOS, Format, output_suffix
from impasto.inference.remote_manifest import UNFINISHED, RemoteManifest, open_remote_manifest
from impasto.inference.remote_photos import RemotePhoto, find_photos
from impasto.inference.share_done import PhotoProgress
from impasto.ray_pool import DEATHS, PoolWorker, compute
from impasto.style import Style

if TYPE_CHECKING:
    from impasto.inference.video.translate import VideoOutcome, VideoResult

#: Most photos that a worker gets at a time; a worker that dies loses these at most.
CHUNK = 16


@dataclass(frozen=True)
class Task:
    """What each worker receives; ``style`` holds the bytes of the style file, as no disk is shared."""

    style: bytes
    out: str
    job: dict[str, Any]
    options: PaintOptions
    compare: bool = False
    keep_metadata: bool = False
    settings: dict[str, Any] | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Row:
    """A photo, or a film, to paint.

    Attributes:
        photo: where it is.
        label: the name in messages and in the manifest, unique.
        painting: name of its painting.
        wanted: the name it would have if that were free.
        digest: of the photo that an earlier run painted under that name; empty if none did.
        deaths: number of workers that died while they had it.
    """

    photo: RemotePhoto
    label: str
    painting: str
    wanted: str
    digest: str = ""
    deaths: int = 0


@dataclass(frozen=True)
class Result:
    """The digest of a photo that is painted, now or ``before``; or the reason why it is not."""

    digest: str = ""
    before: bool = False
    reason: str = ""
    film: "VideoOutcome | None" = None


def paint_on_cluster(
    style: Style,
    photos: Sequence[str],
    out: str,
    *,
    options: PaintOptions,
    compare: bool = False,
    format: Format = "keep",
    keep_metadata: bool = False,
    settings: dict[str, Any] | None = None,
    overwrite: bool = False,
    progress: PhotoProgress | None = None,
) -> "tuple[Outcome, list[VideoResult]]":
    """Paint photos and films on the cluster at ``RAY_ADDRESS``, or else on a local one.

    Photos that are unchanged since an earlier run of the same job are not painted again. A worker that dies is replaced
    and its photos are painted by others; a painting appears when it is complete. A film is painted by one worker.
    The driver's memory depends on the longest folder or zip, not on the number of photos.

    Args:
        style: a translation style.
        photos: folders, files, zips and glob patterns, as paths or addresses such as ``s3://bucket/photos``.
        out: the output folder, likewise.
        options: how the photos are painted.
        compare: put each photo on the left of its painting.
        format: of the paintings.
        keep_metadata: copy the photos' EXIF data.
        settings: what is written into each painting, with the name of its photo.
        overwrite: replace existing files, and start again.
        progress: called with the number of photos and films done.

    Returns:
        The outcome of the photos, and the result of each film.

    Raises ImpastoError if ``impasto[ray]`` is not installed, there is no photo, none can be painted, or ``out`` holds
    other files, paintings of another style or with other options.
    """
    for package in ("fsspec", "ray"):
        require(package, "ray")
    from impasto.inference.video.translate import VideoResult

    target = _open_out(out)
    found = find_photos(photos, target)
    first = next(found, None)
    if first is None:
        raise ImpastoError(f"{photos[0]} contains no photo: give a folder, or an address that fsspec supports.")
    job = describe_job(style, options, compare=compare, format=format, keep_metadata=keep_metadata or None)
    task = Task(style.to_bytes(), target.address, job, options, compare, keep_metadata, settings, overwrite)
    outcome, films = Outcome(), list[VideoResult]()
    with open_remote_manifest(target, job, overwrite=overwrite) as manifest:
        rows = _rows(chain([first], found), manifest, format)
        for done, (row, result) in enumerate(_results(task, rows), 1):
            if result.digest and not result.before:
                manifest.add(row.label, result.digest, row.painting)
            if row.photo.film:
                films.append(VideoResult(row.label, f"{out}/{row.painting}", result.film, result.reason or None))
            elif result.reason:
                outcome.left_out.append(LeftOut(name=row.label, reason=result.reason))
            elif result.before:
                outcome.before += 1
            else:
                outcome.paintings += 1
                if row.painting != row.wanted:
                    outcome.renamed.append((row.label, row.painting))
            if progress is not None:
                progress(done, None)
    if outcome.left_out:
        outcome.require_any()
    return outcome, films


def _open_out(out: str) -> Place:
    suffix = PurePosixPath(out).suffix.lower()
    target = open_place(out)
    with path_errors(Path(out)):
        if suffix in (".zip", *MAX_SIDE, *VIDEOS, *NOT_WRITTEN) and not target.files.isdir(target.path):
            raise ImpastoError(f"--engine ray paints into a folder, and {out} is the name of a file: choose another.")
    return target


def _rows(photos: Iterable[RemotePhoto], manifest: RemoteManifest, format: Format) -> Iterator[Row]:
    """Yield each photo with its names; a file that is named twice is painted once."""
    for photo in photos:
        if photo.member is None and not manifest.is_new(f"file {photo.address}"):
            continue
        labels = chain([photo.label], (f"{photo.label} ({number})" for number in count(2)))
        label = next(label for label in labels if manifest.is_new(f"photo {label}"))
        digest, before = manifest.known(label)
        if photo.film:
            painting, wanted = manifest.names.assign(PurePosixPath(photo.name).stem, VIDEOS[0], before)
        else:
            painting, wanted = manifest.names.assign(photo.name, _suffix(photo, format), before)
        yield Row(photo, label, painting, wanted, digest if painting == before else "")


def _suffix(photo: RemotePhoto, format: Format) -> str:
    """Return the suffix of a painting. Where it depends on the content of the photo, its begin is read."""
    if output_suffix(photo.name, "", format) == output_suffix(photo.name, "JPEG", format):
        return output_suffix(photo.name, "", format)
    head = photo.head()
    decoded = "JPEG" if head[:3] == b"\xff\xd8\xff" else "WEBP" if head[:4] + head[8:12] == b"RIFFWEBP" else ""
    return output_suffix(photo.name, decoded, format)


def _results(task: Task, rows: Iterator[Row]) -> Iterator[tuple[Row, Result]]:
    """Yield the result of every row, in the order in which they are done."""
    for row, result in compute(Worker, task, partial(_chunks, rows)):
        yield row, result or Result(reason=f"{DEATHS} workers died while they painted it")


def _chunks(rows: Iterator[Row], workers: int) -> Iterator[list[Row]]:
    """Yield rows in chunks: a film alone, and the first photos alone, so that each worker gets some of a few."""
    done = 0
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if row.photo.film or len(chunk) >= min(CHUNK, 1 + done // (8 * workers)):
            yield chunk
            done += len(chunk)
            chunk = []
    if chunk:
        yield chunk


class Worker(PoolWorker):
    """Holds the style and paints one photo at a time."""

    def __init__(self, task: Task) -> None:
        import torch

        from impasto.device import choose_device
        from impasto.inference.translator import Translator

        torch.set_num_threads(1)
        self._task = task
        self._translator = Translator(Style.from_bytes(task.style), choose_device("auto"))
        self._out = open_place(task.out)

    def work(self, items: list[Row]) -> list[Result]:
        """Paint photos and films into the output folder, and return their results."""
        return [self._film(row) if row.photo.film else self._photo(row) for row in items]

    def _photo(self, row: Row) -> Result:
        entry = Entry(row.photo.name, File(row.photo.name, row.photo.open).read)
        try:
            if row.photo.reason:
                return Result(reason=row.photo.reason)
            there = self._is_there(row)
            if there and self._is_of_dead_worker(row):
                return Result(digest_of(entry.read()))
            suffix = cast(Format, PurePosixPath(row.painting).suffix[1:])  # which the format of its name has
            painted = paint_one(
                self._translator,
                entry,
                options=self._task.options,
                compare=self._task.compare,
                format=suffix,
                keep_metadata=self._task.keep_metadata,
                known_digest=row.digest if there else "",
                settings=named_settings(self._task.settings, row.photo.name),
            )
            if painted.reason:
                return Result(reason=painted.reason)
            if painted.data is None:
                return Result(painted.digest, before=True)
            if there and not self._may_replace(row):
                if self._out.files.cat_file(self._path(row)) == painted.data:  # of a killed run, not listed
                    return Result(painted.digest)
                return Result(reason=f"{row.painting} is another file, which is not overwritten")
            self._write(row, painted.data)
        except (UnreadableError, ImpastoError) as error:
            return Result(reason=str(error).removesuffix("."))
        except OSError as error:
            return Result(reason=f"its painting cannot be written ({error.strerror or error})")
        return Result(painted.digest)

    def _film(self, row: Row) -> Result:
        """Paint a film through files on the disk of this worker."""
        from impasto.inference.video.translate import paint_video

        try:
            source = open_place(row.photo.address)
            digest, there = str(source.files.ukey(source.path)), self._is_there(row)
            if there and (digest == row.digest or self._is_of_dead_worker(row)):
                return Result(digest, before=digest == row.digest)
            if there and not self._may_replace(row):
                return Result(reason=f"{row.painting} is another file, which is not overwritten")
            with tempfile.TemporaryDirectory() as folder:
                video = Path(folder, f"film{PurePosixPath(row.photo.name).suffix}")
                painting = Path(folder, f"painting{VIDEOS[0]}")
                source.files.get_file(source.path, str(video))
                try:
                    outcome = paint_video(
                        self._translator,
                        video,
                        painting,
                        job=self._task.job,
                        options=self._task.options,
                        compare=self._task.compare,
                    )
                except ImpastoError as error:
                    return Result(reason=str(error).replace(str(video), row.label))
                self._write(row, painting)
        except MemoryError:
            return Result(reason=f"{row.label} takes more memory than there is")
        except ImpastoError as error:
            return Result(reason=str(error))
        except OSError as error:
            return Result(reason=f"{row.label} cannot be read, or its painting written ({error.strerror or error})")
        return Result(digest, film=outcome)

    def _path(self, row: Row) -> str:
        return posixpath.join(self._out.path, row.painting)

    def _is_there(self, row: Row) -> bool:
        """Return whether there is a file of that name that is not empty, as it can be after a power failure."""
        try:
            return bool(self._out.files.info(self._path(row))["size"])
        except FileNotFoundError:
            return False

    def _may_replace(self, row: Row) -> bool:
        return self._task.overwrite or bool(row.digest)

    def _is_of_dead_worker(self, row: Row) -> bool:
        """Return whether a worker that died has painted it: nothing else can be there."""
        return row.deaths > 0 and not self._may_replace(row)

    def _write(self, row: Row, painting: bytes | Path) -> None:
        """Write a painting, elsewhere until it is complete; two workers may write the same."""
        files, path = self._out.files, self._path(row)
        part = posixpath.join(self._out.path, UNFINISHED, uuid.uuid4().hex)
        try:
            files.makedirs(posixpath.dirname(path), exist_ok=True)
            if isinstance(painting, bytes):
                files.pipe_file(part, painting)
            else:
                files.put_file(str(painting), part)
            files.mv(part, path)
        except OSError:
            with suppress(OSError):  # it may not exist
                files.rm_file(part)
            raise
