"""Generate images from noise: as files, as one sheet, or as an interpolation video."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from impasto.config.types import Pixels, Progress
from impasto.data.image_grid import tile
from impasto.errors import ImpastoError, printable
from impasto.files import atomic_write, user_path
from impasto.inference.latents import Latent, around, truncated, walk
from impasto.inference.load import load_sampler
from impasto.inference.output import encode, open_output, require_other, require_present, reserve
from impasto.inference.output_names import NOT_WRITTEN
from impasto.inference.sampler import Sampler
from impasto.inference.settings_metadata import settings_xmp
from impasto.inference.video.writer import VIDEO_SUFFIXES, write_video
from impasto.progress_bar import bar_in_notebooks

#: Frames per second of videos, and most seconds from one image to the next.
RATE, MAX_SECONDS = 30, 600
#: Suffixes of sheets.
SHEET_SUFFIXES = (".png", ".jpg", ".jpeg")
#: Neighbours per side of their sheet, and the angle in radians of the outermost.
SIDE, REACH = 7, 0.8
#: Nearest training images shown per painting.
NEAREST = 3

Show = Literal["paintings", "neighbours", "mixtures"]
Interpolation = Literal["loop", "walk"]


@bar_in_notebooks("generating")
def generate(
    style: str | Path,
    out: str | Path,
    *,
    count: int = 16,
    seed: int = 0,
    start: int = 0,
    show: Show = "paintings",
    nearest: str | Path | None = None,
    truncation: float | None = None,
    interpolate: Interpolation | None = None,
    seconds: float = 2.0,
    kind: Literal["png", "jpg"] = "png",
    overwrite: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> str:
    """Generate the images numbered ``start``, ``start`` + 1, … of ``seed``, and return a one-line summary. Images and
    sheets hold the settings that repeat them.

    Args:
        style: name of a bundled style, a style file or a run folder.
        out: a folder or zip for single images; a .png or .jpg for one sheet; an .mp4 or .webp for a video that
            interpolates from each image to the next.
        count: number of images.
        seed: of the latents.
        start: number of the first image.
        show: on a sheet, ``neighbours``: images around number ``start`` in latent space; ``mixtures``: style mixing,
            the structure of each row with the appearance of each column, if the network supports it.
        nearest: the training images; on a sheet, show those nearest to each painting.
        truncation: threshold of the latents (:func:`impasto.inference.latents.truncated`).
        interpolate: of a video: ``loop`` (default) returns to the first image, ``walk`` ends with the last.
        seconds: of a video, from one image to the next.
        kind: format of single images.
        overwrite: replace existing files.
        device: see :func:`impasto.device.choose_device`.
        progress: called with the number of images done, and the total.

    Raises :class:`impasto.errors.ImpastoError` for invalid arguments, or if the style translates photos.
    """
    place = user_path(out)
    suffix = place.suffix.lower()
    _require_consistent(place, count, show, nearest, truncation, interpolate, seconds)
    if nearest is not None:
        require_other(place, user_path(nearest))
    sampler = load_sampler(style, device)
    numbers = range(start, start + count) if suffix in (*VIDEO_SUFFIXES, *SHEET_SUFFIXES) else ()
    latents = [truncated(sampler.latent(seed, number), truncation) for number in numbers]
    size = f"{sampler.size}×{sampler.size}"
    settings: dict[str, Any] = {"style": printable(Path(style).name), "seed": seed}
    settings |= {} if truncation is None else {"truncation": truncation}
    shown = settings | {"show": show, "number": start, "count": count}
    if suffix in VIDEO_SUFFIXES:
        reserve(place, file=True, overwrite=overwrite)
        path_kind, steps = interpolate or "loop", round(seconds * RATE)
        total = (count - 1) * steps + 1 if path_kind == "walk" else count * steps
        images = sampler.from_latents(walk(latents, steps, closed=path_kind == "loop"))
        write_video(place, ((image, 1) for image in _counted(images, total, progress)), RATE)
        return f"A {path_kind} of {count:,} {_paintings(count)} of {size}, {total / RATE:.1f} s long, in {place}"
    if suffix in SHEET_SUFFIXES:
        reserve(place, file=True, overwrite=overwrite)
        sheet, content = _sheet(sampler, latents, show, nearest, seed, progress)
        with atomic_write(place) as part:
            part.write_bytes(encode(place.name, sheet, settings_xmp(shown)))
        return f"{content} of {size} on {place}"
    with open_output(place, overwrite=overwrite) as writer:
        images = _counted(sampler.stream(count, seed, start, truncation), count, progress)
        for number, image in enumerate(images, start):
            name = f"{number:05d}.{kind}"
            writer.put(name, encode(name, image, settings_xmp(settings | {"number": number})))
    if suffix != ".zip":
        require_present(place, writer.names)
    return f"{count:,} {_paintings(count)} of {size} in {place}"


def _require_consistent(
    place: Path,
    count: int,
    show: Show,
    nearest: str | Path | None,
    truncation: float | None,
    interpolate: Interpolation | None,
    seconds: float,
) -> None:
    suffix = place.suffix.lower()
    if (show != "paintings" or nearest is not None) and suffix not in SHEET_SUFFIXES:
        raise ImpastoError(f"{place}: --show and --nearest make one sheet: choose an output ending in .png or .jpg.")
    if suffix in NOT_WRITTEN:
        raise ImpastoError(f"{place}: choose .mp4 or .webp for a video, .png or .jpg for a sheet, or a folder or .zip.")
    if show != "paintings" and nearest is not None:
        raise ImpastoError("--nearest applies to --show paintings only: remove one of them.")
    if truncation is not None and not 0 < truncation < math.inf:
        raise ImpastoError(
            f"truncation = {truncation}: choose a value above 0 (1.5 is typical, 3 has hardly any effect)."
        )
    if interpolate is not None and suffix not in VIDEO_SUFFIXES:
        raise ImpastoError(f"{place}: --interpolate makes a video: choose an output ending in .mp4 or .webp.")
    if interpolate == "walk" and count < 2:
        raise ImpastoError("--interpolate walk needs a --count of at least 2.")
    if not 1 <= seconds * RATE <= MAX_SECONDS * RATE:
        raise ImpastoError(
            f"seconds = {seconds}: a video needs at least one frame (1/{RATE} s) per image, and at most "
            f"{MAX_SECONDS} s."
        )


def _paintings(count: int) -> str:
    return "painting" if count == 1 else "paintings"


def _counted(images: Iterable[Pixels], total: int, progress: Progress | None) -> Iterator[Pixels]:
    for done, image in enumerate(images, 1):
        yield image
        if progress is not None:
            progress(done, total)


def _sheet(
    sampler: Sampler,
    latents: list[Latent],
    show: Show,
    nearest: str | Path | None,
    seed: int,
    progress: Progress | None,
) -> tuple[Image.Image, str]:
    """Return a sheet, and what it shows."""
    match show:
        case "neighbours":
            near = around(latents[0], REACH, SIDE, np.random.default_rng(seed))
            images = _counted(sampler.from_latents(near), SIDE**2, progress)
            return tile(np.stack([*images]), SIDE), f"{SIDE**2} neighbours"
        case "mixtures":
            return tile(_mixtures(sampler, latents, progress), len(latents) + 1), f"{len(latents) ** 2:,} mixtures"
    paintings = np.stack([*_counted(sampler.from_latents(latents), len(latents), progress)])
    if nearest is None:
        return tile(paintings), f"{len(paintings):,} {_paintings(len(paintings))}"
    rows = _with_nearest(paintings, nearest, sampler)
    return tile(rows, 1 + NEAREST), f"{len(paintings):,} paintings, each with its {NEAREST} nearest training images,"


def _mixtures(sampler: Sampler, latents: list[Latent], progress: Progress | None) -> Pixels:
    """Return a table row by row: appearances in the first row, structures in the first column, mixtures elsewhere."""
    pairs = [(latents[0], latents[0]), *zip(latents, latents, strict=True)]  # mixed with itself, an image is unchanged
    for structure in latents:
        pairs += [(structure, structure), *((structure, appearance) for appearance in latents)]
    structures, appearances = zip(*pairs, strict=True)
    images = np.stack([*_counted(sampler.mix(structures, appearances), len(pairs), progress)])
    images[0] = 255  # the empty corner
    return images


def _with_nearest(paintings: Pixels, source: str | Path, sampler: Sampler) -> Pixels:
    """Return each painting, followed by the images of ``source`` nearest in feature space, nearest first."""
    from impasto.data.pixel_store import load_images
    from impasto.metrics.feature_extractors import DEFAULT, open_feature_extractor
    from impasto.metrics.features import extract
    from impasto.metrics.memorisation import nearest_neighbours

    network, training = open_feature_extractor(DEFAULT, sampler.device), load_images(source, sampler.size).pixels
    _, indices = nearest_neighbours(extract(network, paintings), extract(network, training), NEAREST)
    rows = np.full((len(paintings), 1 + NEAREST, *paintings.shape[1:]), 255, np.uint8)
    rows[:, 0] = paintings
    for row, found in zip(rows, indices, strict=True):
        for column, number in enumerate(found, 1):
            row[column] = Image.fromarray(training[number]).resize((sampler.size,) * 2, Image.Resampling.LANCZOS)
    return rows.reshape(-1, *paintings.shape[1:])
