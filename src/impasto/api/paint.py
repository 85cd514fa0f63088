"""Paint photos and videos with a translation style."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

from impasto.config.types import Progress
from impasto.data.sources import find_files, open_source
from impasto.errors import ImpastoError, printable
from impasto.files import atomic_write, path_errors, user_path
from impasto.inference.batch import Outcome, paint_file, paint_photos, summarise
from impasto.inference.load import load_translator
from impasto.inference.manifest import describe_job
from impasto.inference.options import DEFAULT, PaintOptions
from impasto.inference.output import MAX_SIDE, encode, require_other, reserve
from impasto.inference.output_names import NOT_WRITTEN, VIDEOS, Format
from impasto.inference.photo import is_animated, open_photo
from impasto.inference.photo_sources import open_photos, open_resumable_output, working_folder
from impasto.inference.share_done import PhotoProgress
from impasto.progress_bar import bar_in_notebooks

if TYPE_CHECKING:
    from impasto.inference.video.translate import VideoResult

_log = logging.getLogger(__name__)


@dataclass
class PaintSummary:
    """What was painted. It is true if that is everything.

    Attributes:
        out: the output.
        photos: the outcome of the photos.
        videos: the result of each video.
    """

    out: str
    photos: Outcome = field(default_factory=Outcome)
    videos: "list[VideoResult]" = field(default_factory=list)

    def __bool__(self) -> bool:
        return not self.photos.left_out and not any(video.is_incomplete for video in self.videos)


@bar_in_notebooks("painting")
def paint(
    photos: str | Path | Sequence[str | Path],
    out: str | Path = "painted",
    *,
    style: str | Path = "monet",
    strength: float = 1.0,
    brush: float = 1.0,
    keep_colour: bool = False,
    mood: int | Sequence[int] = (),
    like: str | Path | Sequence[str | Path] = (),
    reverse: bool = False,
    compare: bool = False,
    kind: Format = "keep",
    keep_metadata: bool = False,
    films: bool = False,
    engine: Literal["here", "ray"] = "here",
    overwrite: bool = False,
    device: str = "auto",
    progress: PhotoProgress | None = None,
) -> PaintSummary:
    """Paint photos and videos, each at its own size and under its own name; the same call resumes after a stop.

    Results are logged. PNG and WebP keep the photo's transparency, and every image holds the settings that repeat it.

    Args:
        photos: one or several: videos, glob patterns of videos, and everything that
            :func:`impasto.data.sources.open_source` opens. An animated GIF that is named is a video, unless ``out`` is
            a zip or an image.
        out: a folder or zip; for one photo a file ending in .jpg, .png or .webp, for one video one in .mp4.
        style: name of a bundled style, a style file or a run folder.
        strength: blend from 0 (the photo) to 1 (the painting).
        brush: relative size of the strokes, 0.5 to 4.
        keep_colour: transfer the photo's colours to the painting.
        mood: numbers of training paintings whose light and palette to use; several are averaged. Without ``mood`` and
            ``like``, each photo gets those of the nearest training painting.
        like: reference images for the same.
        reverse: translate paintings to photos, with a style that has both directions (CycleGAN).
        compare: put each photo on the left of its painting.
        kind: format of images in a folder or zip; ``keep`` writes JPEG, PNG and WebP as they are, HEIC as JPEG,
            others as PNG.
        keep_metadata: copy EXIF data of photos: date, author, camera, and the place where they were taken (GPS).
        films: paint the videos in folders too. A cluster always does.
        engine: ``ray`` paints on a Ray cluster, from and into paths and fsspec addresses
            (:mod:`impasto.inference.ray_backend`).
        overwrite: replace existing files, and start again.
        device: see :func:`impasto.device.choose_device`.
        progress: called with the number of photos or frames done, the done part of a large photo included, and the
            total if known.

    Returns:
        What was painted; true if that is everything.

    Raises :class:`impasto.errors.ImpastoError` for invalid arguments, or if nothing can be painted.
    """
    options, summary = PaintOptions(strength, brush, keep_colour), PaintSummary(str(out))
    settings = _settings(style, options, mood, like, reverse=reverse, compare=compare)
    inputs = [str(photo) for photo in ([photos] if isinstance(photos, str | Path) else photos)]
    if not inputs:
        raise ImpastoError("There are no photos to paint: give files or folders.")
    if engine == "ray":
        from impasto.inference.ray_backend import paint_on_cluster

        translator = load_translator(style, "cpu", reverse=reverse)
        options = replace(options, mood=translator.mood(mood, like))
        summary.photos, summary.videos = paint_on_cluster(
            translator.style,
            inputs,
            str(out),
            options=options,
            compare=compare,
            format=kind,
            keep_metadata=keep_metadata,
            settings=settings,
            overwrite=overwrite,
            progress=progress,
        )
        outcome, results = summary.photos, summary.videos
        has_photos = outcome.paintings or outcome.before or outcome.left_out
        for result in results:
            if result.reason is not None and len(results) == 1 and not has_photos:
                raise ImpastoError(result.reason)
            _log.info(result.summary())
        if has_photos:
            _report(outcome, out, translator.output_name)
        return summary

    place = user_path(out)
    videos, images = _sorted(inputs, place, films)
    suffix = _output_suffix(place, videos, images, kind)
    require_other(place, *map(user_path, [like] if isinstance(like, str | Path) else like))
    translator = load_translator(style, device, reverse=reverse)
    options = replace(options, mood=translator.mood(mood, like))
    if suffix in MAX_SIDE:
        photo = user_path(images[0])
        paint_file(
            translator,
            photo,
            place,
            options=options,
            compare=compare,
            keep_metadata=keep_metadata,
            settings=settings,
            overwrite=overwrite,
            progress=progress,
        )
        _log.info("The %s is %s", translator.output_name, place)
        summary.photos.paintings = 1
        return summary

    job = describe_job(translator.style, options, compare=compare, format=kind, keep_metadata=keep_metadata or None)
    if videos:
        from impasto.inference.video.translate import VideoResult, paint_video, paint_videos

        run = partial(paint_video, translator, job=job, options=options, compare=compare, progress=progress)
    if suffix == VIDEOS[0]:
        (video,) = videos
        summary.videos = [VideoResult(video, place, run(video, place, overwrite=overwrite))]
        _log.info(summary.videos[0].summary())
        return summary
    with (
        open_photos(images, place, videos) as sources,
        open_resumable_output(place, job, sources, overwrite=overwrite) as (writer, manifest),
    ):
        for result in paint_videos(run, videos, place, manifest, overwrite=overwrite) if videos else ():
            if result.reason is not None and len(videos) == 1 and not images:
                raise ImpastoError(result.reason)
            _log.info(result.summary())
            summary.videos.append(result)
        if has_photos := any(source.total != 0 for source in sources):  # a folder may hold videos alone
            summary.photos = paint_photos(
                translator,
                sources,
                writer,
                options=options,
                compare=compare,
                format=kind,
                keep_metadata=keep_metadata,
                settings=settings,
                manifest=manifest,
                progress=progress,
            )
    if has_photos:
        _report(summary.photos, place, translator.output_name)
    return summary


#: The earlier name of :func:`paint`.
paint_all = paint


def paint_moods(
    photo: str | Path,
    out: str | Path = "moods.jpg",
    *,
    style: str | Path = "monet",
    strength: float = 1.0,
    brush: float = 1.0,
    keep_colour: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> Path:
    """Paint a photo in every mood of a style, small and numbered, on a contact sheet: a .jpg, .png or .webp file, or
    ``moods.jpg`` in a folder. Returns its path.

    Raises :class:`impasto.errors.ImpastoError` if the style has no moods, or as :func:`paint`.
    """
    from impasto.inference.mood_sheet import mood_sheet

    place = user_path(out)
    suffix = "" if place.is_dir() else place.suffix.lower()
    if suffix in (*NOT_WRITTEN, VIDEOS[0], ".zip"):
        raise ImpastoError(
            f"{place} is no contact sheet: choose a folder, or a name ending in .jpg, .png or .webp (--out)."
        )
    if suffix not in MAX_SIDE:
        place = place / "moods.jpg"
    require_other(place, user_path(photo))
    translator, pixels = load_translator(style, device), open_photo(photo)
    translator.require_moods()
    reserve(place, file=True, overwrite=overwrite)
    sheet = mood_sheet(translator, pixels, PaintOptions(strength, brush, keep_colour), progress)
    with atomic_write(place) as part:
        part.write_bytes(encode(place.name, sheet))
    return place


def _settings(
    style: str | Path,
    options: PaintOptions,
    mood: int | Sequence[int],
    like: str | Path | Sequence[str | Path],
    **choices: bool,
) -> dict[str, Any]:
    """Return what is written into a painting: the settings that are no defaults, and of files only the names, since a
    painting may be published."""
    values = {name: getattr(options, name) for name in ("strength", "brush", "keep_colour")}
    settings: dict[str, Any] = {name: value for name, value in values.items() if value != getattr(DEFAULT, name)}
    settings |= {name: value for name, value in choices.items() if value}
    if moods := [int(mood)] if isinstance(mood, SupportsIndex) else [int(number) for number in mood]:
        settings["mood"] = moods
    if references := [like] if isinstance(like, str | Path) else like:
        settings["like"] = [printable(Path(each).name) for each in references]
    return {"style": printable(Path(style).name), **settings}


def _report(outcome: Outcome, place: str | Path, output_name: str) -> None:
    """Log the outcome."""
    _log.log(logging.WARNING if outcome.left_out else logging.INFO, "\n".join(summarise(outcome, place, output_name)))


def _sorted(inputs: list[str], out: Path, films: bool) -> tuple[dict[Path, str], list[str]]:
    """Return the videos with the names of their paintings, and all other inputs. An animated GIF is a video where the
    output can be one; with ``films``, so are the videos in folders."""
    named, images, inside = list[Path](), list[str](), dict[Path, str]()
    for each in inputs:
        suffix = Path(each).suffix.lower()
        if suffix in VIDEOS:
            named += find_files(each)
        elif films and user_path(each).is_dir():
            inside |= _films(user_path(each), out)
            images.append(each)
        elif suffix == ".gif" and out.suffix.lower() not in (*MAX_SIDE, ".zip"):
            files = find_files(each)
            animated = [path for path in files if is_animated(path)]
            named += animated
            images += [str(path) for path in files if path not in animated] if animated else [each]
        else:
            images.append(each)
    return inside | {path: path.stem for path in named}, images


def _films(folder: Path, out: Path) -> dict[Path, str]:
    """Return the videos below a folder, but not those in the output, with their paths inside without suffix."""
    with open_source(folder) as source:
        source.leave_out(working_folder(out))
        return {
            file.path: str(PurePosixPath(file.name).with_suffix(""))
            for file in source.files()
            if file.path is not None and file.path.suffix.lower() in VIDEOS
        }


def _output_suffix(place: Path, videos: Collection[Path], images: list[str], kind: Format) -> str:
    """Return the suffix of the output in lower case, "" for a folder that exists. Any but .zip, .mp4 and those of
    images belongs to the name of a new folder. Raises ImpastoError if the input does not fit."""
    with path_errors(place):
        suffix = "" if place.is_dir() else place.suffix.lower()
    if suffix in MAX_SIDE:
        formats = {"keep": tuple(MAX_SIDE), "jpg": (".jpg", ".jpeg"), "png": (".png",)}
        if videos or len(images) > 1 or suffix not in formats[kind]:
            raise ImpastoError(f"{place} is one image of that format: give one photo, or an output folder.")
    elif suffix == VIDEOS[0]:
        if images or len(videos) > 1:
            raise ImpastoError(f"{place} is one video: give one video, or an output folder.")
    elif suffix in NOT_WRITTEN or (suffix == ".zip" and videos):
        fit = "a name ending in .mp4" if videos else "a name ending in .zip, .jpg, .png or .webp"
        raise ImpastoError(
            f"{place} cannot hold {'videos' if videos else 'paintings'}: choose a folder, or {fit} (--out)."
        )
    return suffix
