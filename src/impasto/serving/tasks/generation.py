"""Generate paintings from noise: single images, neighbours, mixtures, nearest training images, and films."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from impasto.api.generate import NEAREST, RATE, REACH
from impasto.config.types import Pixels
from impasto.inference.latents import around, truncated, walk
from impasto.inference.output import encode
from impasto.inference.sampler import Sampler
from impasto.inference.settings_metadata import settings_xmp
from impasto.inference.video.writer import write_video
from impasto.serving.tasks.base import Identifier, StyleName, TaskContext, TaskRequest, task

#: Neighbours per side of their square.
SIDE = 5
#: Frames of the longest film.
MAX_FRAMES = 100_000
#: Largest seed and number of an image.
MAX_NUMBER = 2**31 - 1
#: A seed, or the number of an image.
Number = Annotated[int, Field(ge=0, le=MAX_NUMBER)]


class GenerateRequest(TaskRequest):
    """Images numbered ``start``, ``start`` + 1, … of a seed, or what ``show`` says."""

    style: StyleName
    show: Literal["images", "neighbours", "mixtures", "film", "nearest"] = "images"
    count: int = Field(16, ge=1, le=1_000)
    seed: Number = 0
    start: Number = 0
    images: list[Number] | None = Field(
        None, min_length=2, max_length=200, description="Of a film: numbers of its images in order, instead of start."
    )
    second: Number | None = Field(None, description="Of mixtures: the image that gives appearance.")
    truncation: float | None = Field(None, gt=0, le=100)
    seconds: float = Field(2.0, ge=0.1, le=60, description="Of a film, from one image to the next.")
    against: list[Identifier] = Field([], max_length=10_000, description="Training images, to show the nearest ones.")

    def files_read(self) -> list[str]:
        return self.against

    @model_validator(mode="after")
    def _complete(self) -> "GenerateRequest":
        if self.show == "mixtures" and self.second is None:
            raise ValueError("a mixture needs a second image: give its number")
        if self.show != "film" and self.images is not None:
            raise ValueError("only a film goes through chosen images")
        if self.show == "nearest" and not self.against:
            raise ValueError("give the training images to find the nearest ones among")
        if self.show == "film" and (frames := self.frames()) > MAX_FRAMES:
            raise ValueError(f"a film of {frames:,} frames is too long: choose fewer images or seconds")
        return self

    def numbers(self) -> Sequence[int]:
        """Numbers of the images of a film, in order."""
        return self.images or range(self.start, self.start + self.count)

    def steps(self) -> int:
        """Frames of a film from one image to the next."""
        return max(round(self.seconds * RATE), 1)

    def frames(self) -> int:
        """Frames of a film."""
        return len(self.numbers()) * self.steps()


@task("generate", GenerateRequest, summary="Generate paintings from noise")
def generate(request: GenerateRequest, context: TaskContext) -> dict[str, Any] | None:
    """Store each image with the settings that repeat it."""
    sampler = context.models.sampler(request.style)
    match request.show:
        case "images":
            _store(_images(sampler, request), request.count, request, context)
        case "neighbours":
            latent = truncated(sampler.latent(request.seed, request.start), request.truncation)
            near = around(latent, REACH, SIDE, np.random.default_rng(request.seed))
            _store(sampler.from_latents(near), SIDE**2, request, context)
        case "mixtures":
            _store(_mixtures(sampler, request), 3, request, context)
        case "film":
            _film(sampler, request, context)
        case "nearest":
            return {"nearest": _with_nearest(sampler, request, context)}
    return None


def _images(sampler: Sampler, request: GenerateRequest) -> Iterator[Pixels]:
    return sampler.stream(request.count, request.seed, request.start, request.truncation)


def _mixtures(sampler: Sampler, request: GenerateRequest) -> Iterator[Pixels]:
    """Yield the structure of the first image with the appearance of the second, the reverse, and the image between."""
    numbers = (request.start, request.second or 0)
    one, other = (truncated(sampler.latent(request.seed, n), request.truncation) for n in numbers)
    yield from sampler.mix([one, other], [other, one])
    yield from sampler.from_latents([list(walk([one, other], 2, closed=False))[1]])


def _store(images: Iterable[Pixels], total: int, request: GenerateRequest, context: TaskContext) -> list[str]:
    """Store images as PNG; return their identifiers."""
    made = {"style": request.style, "seed": request.seed} | request.model_dump(
        include={"truncation", "second"}, exclude_none=True
    )
    if request.show != "images":
        made["show"] = request.show
    stored = []
    for index, image in enumerate(images):
        number = request.start + index if request.show in ("images", "nearest") else request.start
        settings = made | {"number": number}
        name = f"{request.style}-{request.seed}-{number:05d}.png"
        if request.show not in ("images", "nearest"):
            name = f"{request.style}-{request.seed}-{number:05d}-{request.show}-{index + 1:02d}.png"
        data, size = encode(name, image, settings_xmp(settings)), (image.shape[1], image.shape[0])
        stored.append(context.result(name, data, settings=settings, size=size, image=Image.fromarray(image)).id)
        context.progress(index + 1, total, "images")
    return stored


def _film(sampler: Sampler, request: GenerateRequest, context: TaskContext) -> None:
    numbers, steps, total = request.numbers(), request.steps(), request.frames()
    latents = [truncated(sampler.latent(request.seed, number), request.truncation) for number in numbers]

    def frames() -> Iterator[tuple[Pixels, int]]:
        for done, image in enumerate(sampler.from_latents(walk(latents, steps, closed=True)), 1):
            context.progress(done, total, "frames")
            yield image, 1

    path = context.folder / "film.mp4"
    path.unlink(missing_ok=True)
    write_video(path, frames(), RATE)
    first = next(sampler.from_latents(latents[:1]))
    name = f"{request.style}-{request.seed}-{numbers[0]:05d}-film.mp4"
    unused = {"against", "second", *(("start", "count") if request.images else ())}
    settings = request.model_dump(exclude=unused, exclude_none=True)
    context.result(name, path, settings=settings, size=(first.shape[1], first.shape[0]), image=Image.fromarray(first))


def _with_nearest(sampler: Sampler, request: GenerateRequest, context: TaskContext) -> list[dict[str, Any]]:
    """Store images and, for each, the nearest of the given ones."""
    from impasto.data.pixel_store import load_images
    from impasto.metrics.feature_extractors import DEFAULT, open_feature_extractor
    from impasto.metrics.features import extract
    from impasto.metrics.memorisation import nearest_neighbours

    images = np.stack([*_images(sampler, request)])
    training = load_images(context.folder_of("against", request.against), sampler.size).pixels
    network = open_feature_extractor(DEFAULT, sampler.device)
    _, indices = nearest_neighbours(extract(network, images), extract(network, training), min(NEAREST, len(training)))
    stored, found = _store(images, len(images), request, context), list[dict[str, Any]]()
    for identifier, row in zip(stored, indices, strict=True):
        neighbours = []
        for number in row:
            name = f"training-{int(number):05d}.png"
            image = training[int(number)]
            made = context.result(name, encode(name, image), size=(image.shape[1], image.shape[0]), shown=False)
            neighbours.append(made.id)
        found.append({"image": identifier, "neighbours": neighbours})
    return found
