"""Paint photos, zips of photos and films; and previews at screen size."""

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from PIL import Image
from pydantic import Field

from impasto.data.decode import decode
from impasto.data.entry import Entry, File, UnreadableError, open_regular
from impasto.data.sources import ImageSource, open_source
from impasto.errors import ImpastoError, printable, shorten
from impasto.inference.batch import BENCHMARK_FROM, Painted, paint_one
from impasto.inference.manifest import describe_job
from impasto.inference.options import BROADEST, FINEST, PaintOptions
from impasto.inference.output import encode
from impasto.inference.output_names import VIDEOS
from impasto.inference.photo import pixels
from impasto.inference.translator import Translator
from impasto.inference.video.containers import media_errors
from impasto.ordered_map import ordered_map
from impasto.serving.library import MAX_NAME, Library
from impasto.serving.tables import StoredFile
from impasto.serving.tasks.base import Identifier, StyleName, TaskContext, TaskRequest, task

#: Longest side of a preview in pixels.
PREVIEW = 800
#: Largest photo in bytes that is painted beside others.
LIGHT_BYTES = 8_000_000
#: Photos that are named as left out.
MAX_LISTED = 200
#: Priority of previews, and of single photos, which do not wait behind films.
PREVIEW_PRIORITY, DIRECT_PRIORITY = 2, 1


class PaintSettings(TaskRequest):
    """How photos are painted."""

    style: StyleName = "monet"
    strength: float = Field(1.0, ge=0, le=1, description="Blend from the photo (0) to the painting (1).")
    brush: float = Field(1.0, ge=FINEST, le=BROADEST, description="Relative size of the brush strokes.")
    keep_colour: bool = Field(False, description="Keep the photo's colours.")
    mood: list[int] = Field([], max_length=20, description="Numbers of training paintings whose light to use.")
    reverse: bool = Field(False, description="Paintings to photos, with a style that has both directions.")
    format: Literal["keep", "jpg", "png"] = "keep"


class PaintRequest(PaintSettings):
    """Photos, zips of photos and films to paint."""

    files: list[Identifier] = Field(min_length=1, max_length=10_000)
    like: list[Identifier] = Field([], max_length=20, description="Images whose light and palette to use.")
    preview: bool = Field(False, description="Paint the first photo at screen size, before all other jobs.")

    def files_read(self) -> list[str]:
        return [*self.files, *self.like]

    def kind(self, name: str) -> str:
        return "preview" if self.preview else name

    def priority(self, light: bool) -> int:
        return PREVIEW_PRIORITY if self.preview else DIRECT_PRIORITY if light else 0


def _is_light(request: PaintRequest, files: list[StoredFile]) -> bool:
    return len(files) == 1 and files[0].suffix not in (".zip", *VIDEOS) and files[0].bytes <= LIGHT_BYTES


@task("paint", PaintRequest, summary="Paint photos and films", light=_is_light, resumes=True)
def paint(request: PaintRequest, context: TaskContext) -> dict[str, Any] | None:
    """Paint every photo and film; those that cannot be painted are listed in the outcome."""
    translator, options = _opened(request, context)
    files = context.files(request.files)
    films = [file for file in files if file.suffix in VIDEOS]
    photos = [file for file in files if file.suffix not in VIDEOS]
    before = context.queue.files(context.job.id)[1]
    left_out = _paint_photos(photos, request, translator, options, context, before)
    left_out += _paint_films(films, request, translator, options, context, before)
    if left_out and not context.queue.files(context.job.id)[1]:
        first = left_out[0]
        raise ImpastoError(f"Nothing could be painted ({first['name']}: {first['reason']}).")
    return {"left_out": left_out[:MAX_LISTED], "left_out_more": max(0, len(left_out) - MAX_LISTED)}


def _opened(request: PaintRequest, context: TaskContext) -> tuple[Translator, PaintOptions]:
    translator = context.models.translator(request.style, reverse=request.reverse)
    references = [context.library.path(file) for file in context.files(request.like)]
    mood = translator.mood(request.mood, references)
    return translator, PaintOptions(request.strength, request.brush, request.keep_colour, mood)


def settings_of(request: PaintSettings) -> dict[str, Any]:
    """Return what is written into a painting, and restores the controls of the page."""
    shown = {"style", "strength", "brush", "keep_colour", "mood", "reverse"}
    return request.model_dump(include=shown, exclude_defaults=True) | {"style": request.style}


def _paint_photos(
    files: list[StoredFile],
    request: PaintRequest,
    translator: Translator,
    options: PaintOptions,
    context: TaskContext,
    before: Sequence[StoredFile],
) -> list[dict[str, str]]:
    """Paint photos, those in zips too; return those that were left out, with the reason."""
    painted_before = {(file.source, (file.settings or {}).get("photo")) for file in before}
    made = settings_of(request)

    def work(item: tuple[StoredFile, Entry]) -> Painted | None:
        file, entry = item
        context.check()
        if (file.id, _shown(entry)) in painted_before:
            return None
        return paint_one(
            translator, entry, options=options, compare=False, format=request.format, settings=made, progress=part_done
        )

    def part_done(share: float) -> None:
        if workers == 1 and share < 1:
            context.progress(done, total, "photos", part=share)
        else:
            context.check()

    done = 0
    with ExitStack() as stack:
        sources, left_out = _open(files, stack, context)
        items, total = _entries(sources, context.library)
        if total is not None and total > context.library.limits.images:
            raise ImpastoError(f"{total:,} photos are too many for one job: give {context.library.limits.images:,}.")
        many = (total or 0) >= BENCHMARK_FROM
        workers = translator.workers() if many else 1
        for done, ((file, entry), painted) in enumerate(ordered_map(work, items, workers, torch_threads=1), 1):
            if painted is not None and painted.data is not None:
                name = f"{PurePosixPath(entry.name).stem}{painted.suffix}"
                with Image.open(io.BytesIO(painted.data)) as image:
                    context.result(
                        name, painted.data, source=file.id, settings=made | {"photo": _shown(entry)},
                        size=image.size, image=image,
                    )  # fmt: skip
            elif painted is not None:
                left_out.append({"name": _shown(entry), "reason": painted.reason or "unknown"})
            if done > context.library.limits.images:
                raise ImpastoError(f"One job paints {context.library.limits.images:,} photos at most.")
            context.progress(done, total, "photos")
    return left_out


def _shown(entry: Entry) -> str:
    """Return the name of an entry as it is shown and stored; those in archives are of any length."""
    return shorten(printable(entry.name), MAX_NAME)


#: An upload, with its source if it is an archive or of unknown kind.
_Sources = list[tuple[StoredFile, ImageSource | None]]


def _open(files: list[StoredFile], stack: ExitStack, context: TaskContext) -> tuple[_Sources, list[dict[str, str]]]:
    """Open archives; return the sources, and the files that cannot be opened with the reason."""
    sources, left_out = _Sources(), list[dict[str, str]]()
    for file in files:
        try:
            source = None
            if file.suffix in ("", ".zip"):
                source = stack.enter_context(open_source(context.library.path(file)))
        except ImpastoError as error:
            left_out.append({"name": file.name, "reason": context.explain(error).removesuffix(".")})
        else:
            sources.append((file, source))
    return sources, left_out


def _entries(sources: _Sources, library: Library) -> tuple[Iterator[tuple[StoredFile, Entry]], int | None]:
    """Return all images with the upload that holds each, and their number if it is known."""
    totals = [1 if source is None else source.total for _, source in sources]

    def each() -> Iterator[tuple[StoredFile, Entry]]:
        for file, source in sources:
            if source is None:
                yield file, File(file.name, partial(open_regular, library.path(file))).entry()
            else:
                for entry in source.entries():
                    yield file, replace(entry, name=file.name if file.suffix == "" else entry.name)

    known = [total for total in totals if total is not None]
    return each(), sum(known) if len(known) == len(totals) else None


def _paint_films(
    files: list[StoredFile],
    request: PaintRequest,
    translator: Translator,
    options: PaintOptions,
    context: TaskContext,
    before: Sequence[StoredFile],
) -> list[dict[str, str]]:
    """Paint films, each resumed where its last worker stopped; return those that were left out, with the reason."""
    if not files:
        return []
    from impasto.inference.video.translate import VideoResult, paint_video

    description, left_out = describe_job(translator.style, options, compare=False, format="keep"), []
    painted_before = {file.source for file in before}
    for file in files:
        if file.id in painted_before:
            continue
        path, out = context.library.path(file), context.folder / f"{file.id}.mp4"

        def progress(done: int, total: int | None) -> None:
            context.progress(done, total, "frames")

        try:
            outcome = paint_video(
                translator, path, out, job=description, options=options, overwrite=out.exists(), progress=progress
            )
        except ImpastoError as error:
            left_out.append({"name": file.name, "reason": context.explain(error).removesuffix(".")})
            continue
        result = VideoResult(path, out, outcome)
        if result.is_incomplete:
            left_out.append({"name": file.name, "reason": context.library.hide_paths(result.summary(), [file])})
        name, image = f"{PurePosixPath(file.name).stem}.mp4", _first_frame(out)
        context.result(name, out, source=file.id, settings=settings_of(request), size=image.size, image=image)
    return left_out


def _first_frame(path: Path) -> Image.Image:
    import av

    with media_errors(path, "painted"), av.open(str(path)) as film:
        return Image.fromarray(next(film.decode(video=0)).to_ndarray(format="rgb24"))


@task("preview", PaintRequest, summary="Paint a photo at screen size", light=lambda request, files: True, path="")
def preview(request: PaintRequest, context: TaskContext) -> dict[str, Any]:
    """Paint one photo, the first of a zip, or the first frame of a film at screen size."""
    translator, options = _opened(request, context)
    file = context.files(request.files[:1])[0]
    with ExitStack() as stack:
        if file.suffix in VIDEOS:
            image = _first_frame(context.library.path(file))
            whole = image.size
        else:
            sources, left_out = _open([file], stack, context)
            if left_out:
                raise ImpastoError(f"{file.name} cannot be painted: {left_out[0]['reason']}.")
            first = next(_entries(sources, context.library)[0], None)
            if first is None:
                raise ImpastoError(f"{file.name} holds no photo.")
            try:
                decoded = decode(first[1].read(), PREVIEW)
                image, whole = decoded.image, (decoded.width, decoded.height)
            except UnreadableError as reason:
                raise ImpastoError(f"{file.name} cannot be painted: {reason}.") from reason
    image.thumbnail((PREVIEW, PREVIEW), Image.Resampling.LANCZOS)
    context.check()
    reduced = translator.options_at(image.width / whole[0], options)
    painting = Image.fromarray(translator.paint_pixels(pixels(image)[None], reduced)[0])
    for name, shown in (("photo.jpg", image), ("preview.jpg", painting)):
        context.result(name, encode(name, shown), source=file.id, size=shown.size, shown=False)
    return {"width": whole[0], "height": whole[1]}
