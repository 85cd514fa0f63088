"""Paintings out of nothing: as files, as one sheet, or as a film that walks from one to the next."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from impasto.config.types import Pixels
from impasto.data.image_grid import tile
from impasto.errors import ImpastoError
from impasto.files import atomic_write
from impasto.inference.latents import Latent, around, truncated, walk
from impasto.inference.output import encode, open_output, reserve
from impasto.inference.translator import Painter, load
from impasto.inference.video.writer import FILMS, write_film

#: Frames a second of a film.
RATE = 30
#: Endings of pictures that a sheet can be.
SHEETS = (".png", ".jpg", ".jpeg")
#: Endings of films and pictures that are not written: whoever gives one does not want a folder of that name.
OTHERS = (".gif", ".webm", ".mov", ".avi", ".mkv", ".bmp", ".tif", ".tiff", ".avif", ".safetensors")
#: Neighbours to a side of their sheet, and how far in radians the outermost are turned away.
SIDE, REACH = 7, 0.8
#: Pictures that were learned from, shown beside each painting.
NEAREST = 3

Shown = Literal["paintings", "neighbours", "mixtures"]
Way = Literal["loop", "walk"]
Progress = Callable[[int], object]


def generate(
    style: str | Path,
    out: str | Path,
    *,
    count: int = 16,
    seed: int = 0,
    start: int = 0,
    show: Shown = "paintings",
    nearest: str | Path | None = None,
    truncation: float | None = None,
    interpolate: Way | None = None,
    seconds: float = 2.0,
    kind: Literal["png", "jpg"] = "png",
    overwrite: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> str:
    """Makes the paintings numbered ``start``, ``start`` + 1, … of ``seed``, and says in a line what it made.

    Args:
        style: the name of one that comes along, a style file or a run folder.
        out: a folder or a zip for single pictures; a .png or .jpg for all on one sheet; an .mp4 or .webp for a film
            that goes from each to the next.
        count: how many.
        show: on a sheet, ``neighbours``: pictures around that numbered ``start``; ``mixtures``: the forms of each
            (down) in the manner of each (across), where the network can mix.
        nearest: the pictures that the style was learned from, to show on the sheet those most like each painting.
        truncation: how calm they are, as :func:`impasto.inference.latents.truncated` has it.
        interpolate: of a film: a ``loop``, as if not given, back to the first; or a ``walk``, which ends with the last.
        seconds: of a film, from one painting to the next.
        kind: of single pictures.
        overwrite: replace what is there.
        progress: is told how many are done.

    Raises :class:`impasto.errors.ImpastoError` for what a person can mend.
    """
    place = Path(out)
    ending = place.suffix.lower()
    if (show != "paintings" or nearest is not None) and ending not in SHEETS:
        raise ImpastoError(f"{place}: neighbours, mixtures and nearest pictures are one sheet: give it a name in .png.")
    if ending in OTHERS:
        raise ImpastoError(
            f"{place}: a film ends in .mp4 or .webp, a sheet in .png or .jpg, all else is a folder or a zip."
        )
    if show != "paintings" and nearest is not None:
        raise ImpastoError("The nearest pictures are shown beside paintings, not beside neighbours or mixtures.")
    if truncation is not None and truncation <= 0:
        raise ImpastoError(f"truncation = {truncation}: it is above 0; 1.5 is calm, 3 hardly cuts anything off.")
    if interpolate is not None and ending not in FILMS:
        raise ImpastoError(f"{place}: a {interpolate} from painting to painting is a film: give it a name in .mp4.")
    if interpolate == "walk" and count < 2:
        raise ImpastoError("A walk goes from one painting to another: ask for two at least.")
    if seconds * RATE < 1:
        raise ImpastoError(f"seconds = {seconds}: a film needs a thirtieth of one from painting to painting at least.")
    painter = load(style, device)
    numbers = range(start, start + count) if ending in (*FILMS, *SHEETS) else ()
    latents = [truncated(painter.latent(seed, number), truncation) for number in numbers]
    size = f"{painter.size}×{painter.size}"
    if ending in FILMS:
        reserve(place, file=True, overwrite=overwrite)
        way = interpolate or "loop"
        pictures = _told(painter.develop(walk(latents, round(seconds * RATE), closed=way == "loop")), progress)
        write_film(place, ((picture, 1) for picture in pictures), RATE)
        length = frames(count, out, show, interpolate, seconds) / RATE
        return f"A {way} of {count:,} {_paintings(count)} of {size}, {length:.1f} s long, in {place}"
    if ending in SHEETS:
        reserve(place, file=True, overwrite=overwrite)
        sheet, what = _sheet(painter, latents, show, nearest, seed, progress)
        with atomic_write(place) as part:
            part.write_bytes(encode(place.name, sheet))
        return f"{what} of {size} on {place}"
    with open_output(place, overwrite=overwrite) as writer:
        for number, picture in enumerate(_told(painter.stream(count, seed, start, truncation), progress), start):
            writer.write(f"{number:05d}.{kind}", picture)
    return f"{count:,} {_paintings(count)} of {size} in {place}"


def _paintings(count: int) -> str:
    return "painting" if count == 1 else "paintings"


def frames(count: int, out: str | Path, show: Shown, interpolate: Way | None, seconds: float) -> int:
    """How many pictures :func:`generate` will make."""
    if Path(out).suffix.lower() in FILMS:
        steps = round(seconds * RATE)
        return (count - 1) * steps + 1 if interpolate == "walk" else count * steps
    return {"paintings": count, "neighbours": SIDE**2, "mixtures": (count + 1) ** 2 - 1}[show]


def _told(pictures: Iterable[Pixels], progress: Progress | None) -> Iterator[Pixels]:
    for done, picture in enumerate(pictures, 1):
        yield picture
        if progress is not None:
            progress(done)


def _sheet(
    painter: Painter,
    latents: list[Latent],
    show: Shown,
    nearest: str | Path | None,
    seed: int,
    progress: Progress | None,
) -> tuple[Image.Image, str]:
    """One picture of many, and what it shows."""
    match show:
        case "neighbours":
            near = around(latents[0], REACH, SIDE, np.random.default_rng(seed))
            return tile(np.stack([*_told(painter.develop(near), progress)]), SIDE), f"{SIDE**2} neighbours"
        case "mixtures":
            return tile(_mixtures(painter, latents, progress), len(latents) + 1), f"{len(latents) ** 2:,} mixtures"
    paintings = np.stack([*_told(painter.develop(latents), progress)])
    if nearest is None:
        return tile(paintings), f"{len(paintings):,} {_paintings(len(paintings))}"
    beside = _with_nearest(paintings, nearest, painter)
    return tile(beside, 1 + NEAREST), f"{len(paintings):,} paintings, each beside the {NEAREST} nearest pictures,"


def _mixtures(painter: Painter, latents: list[Latent], progress: Progress | None) -> Pixels:
    """Row by row: the manners in the first, the forms in the first column, their mixtures elsewhere."""
    shown = [(latents[0], latents[0]), *zip(latents, latents, strict=True)]  # in its own manner each is what it was
    for form in latents:
        shown += [(form, form), *((form, manner) for manner in latents)]
    forms, manners = zip(*shown, strict=True)
    pictures = np.stack([*_told(painter.mix(forms, manners), progress)])
    pictures[0] = 255  # the corner
    return pictures


def _with_nearest(paintings: Pixels, source: str | Path, painter: Painter) -> Pixels:
    """Each painting, and behind it the pictures of ``source`` that a network finds most like it, nearest first."""
    from impasto.data.pixel_store import gather
    from impasto.metrics.feature_extractors import DEFAULT, open_feature_extractor
    from impasto.metrics.features import extract
    from impasto.metrics.memorisation import nearest

    network, learned = open_feature_extractor(DEFAULT, painter.device), gather(source, painter.size).pixels
    _, places = nearest(extract(network, paintings), extract(network, learned), NEAREST)
    rows = np.full((len(paintings), 1 + NEAREST, *paintings.shape[1:]), 255, np.uint8)
    rows[:, 0] = paintings
    for row, found in zip(rows, places, strict=True):
        for column, number in enumerate(found, 1):
            row[column] = Image.fromarray(learned[number]).resize((painter.size,) * 2, Image.Resampling.LANCZOS)
    return rows.reshape(-1, *paintings.shape[1:])
