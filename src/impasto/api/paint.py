"""The verb that paints photos and films: here it is found out what is what, and where it goes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from impasto.config.types import Progress
from impasto.data.sources import find_files
from impasto.errors import ImpastoError
from impasto.files import atomic_write, make_folder, path_errors
from impasto.inference.batch import Format, Outcome, open_gallery, open_photos, paint_file, paint_photos, summarise
from impasto.inference.manifest import job
from impasto.inference.options import PaintOptions
from impasto.inference.output import LONGEST, encode, reserve
from impasto.inference.photo import open_photo
from impasto.inference.translator import load

#: Endings of films; the first is that of those which are written.
FILMS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
#: Endings of films and pictures that are not written: whoever gives one does not want a folder of that name.
NOT_WRITTEN = (*FILMS[1:], ".gif", ".tif", ".tiff", ".bmp", ".heic", ".avif")


def paint_all(
    photos: Sequence[str | Path],
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
    engine: Literal["here", "ray"] = "here",
    overwrite: bool = False,
    device: str = "auto",
    say: Callable[[str], object] = print,
    progress: Progress | None = None,
) -> bool:
    """Paint photos and films, each at its own size and under its own name; the same again goes on after a stop.

    Args:
        photos: films, or patterns of them, and all that :func:`impasto.data.sources.open_source` opens.
        out: a folder or a zip; for one photo a file that ends in .jpg, .png or .webp, for one film one in .mp4.
        style: the name of one that comes along, a style file or a run folder.
        strength: from 0, the photo, to 1, the painting.
        brush: the size of the strokes against the picture, from 0.5 to 4.
        keep_colour: paint in the photo's colours.
        mood: numbers of training paintings, in whose light and palette to paint; several are mixed. Without ``mood``
            and ``like``, each photo is painted in those of the painting nearest to it.
        like: the same of any pictures.
        reverse: make photos of paintings instead, with a style that has both directions (CycleGAN).
        compare: put each photo on the left of its painting.
        kind: of pictures in a folder or zip; ``keep`` writes JPEG, PNG and WebP as they were, all others as PNG.
        engine: ``ray`` paints one folder into another on a Ray cluster (:mod:`impasto.inference.ray_backend`).
        overwrite: replace what is there, and begin anew.
        device: see :func:`impasto.device.choose_device`.
        say: is told what became of all, line by line.
        progress: is told how many photos or frames are done, and of how many if that is known.

    Returns whether everything is painted; what is not was said, with the reason. Raises
    :class:`impasto.errors.ImpastoError` for what a person can mend.
    """
    manner, given = PaintOptions(strength, brush, keep_colour), [str(photo) for photo in photos]
    if engine == "ray":
        if len(given) > 1 or overwrite:
            raise ImpastoError("On a cluster, photos are painted from one folder into another; what is there stays.")
        from impasto.inference.ray_backend import paint_on_cluster

        painter = load(style, "cpu", reverse=reverse)
        manner = replace(manner, mood=painter.mood(mood, like))
        outcome = paint_on_cluster(painter.style, given[0], str(out), manner=manner, compare=compare, kind=kind)
        return _told(outcome, out, say, painter.makes)

    place = Path(out)
    films = [film for photo in given if _is_film(photo) for film in find_files(photo)]
    pictures = [photo for photo in given if not _is_film(photo)]
    ending = _ending(place, films, pictures, kind)
    painter = load(style, device, reverse=reverse)
    painter.require_photos()
    manner = replace(manner, mood=painter.mood(mood, like))
    if ending in LONGEST:
        photo = Path(pictures[0]).expanduser()
        paint_file(painter, photo, place, manner=manner, compare=compare, overwrite=overwrite)
        say(f"The {painter.makes} is {place}")
        return True

    work, complete = job(painter.style, manner, compare=compare, format=kind), True
    if films:
        from impasto.inference.video.translate import Reel, paint_film, paint_films

        film = partial(paint_film, painter, work=work, manner=manner, compare=compare, progress=progress)
    if ending == FILMS[0]:
        reel = Reel(films[0], place, film(films[0], place, overwrite=overwrite))
        say(reel.summary())
        return not reel.is_lost
    with (
        open_photos(pictures, place) as sources,
        open_gallery(place, work, sources, overwrite=overwrite) as (writer, journal),
    ):
        for reel in paint_films(film, films, place, journal, overwrite=overwrite) if films else ():
            if reel.reason is not None and len(films) == 1 and not pictures:
                raise ImpastoError(reel.reason)
            say(reel.summary())
            complete = complete and not reel.is_lost
        if pictures:
            outcome = paint_photos(
                painter,
                sources,
                writer,
                manner=manner,
                compare=compare,
                kind=kind,
                journal=journal,
                progress=progress,
            )
    return (_told(outcome, place, say, painter.makes) if pictures else True) and complete


def show_moods(
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
    """Paint a photo in every mood of a style, small and numbered, on one sheet: a .jpg, .png or .webp file, or
    ``moods.jpg`` in a folder. Returns where it is.

    Raises :class:`impasto.errors.ImpastoError` for what a person can mend.
    """
    from impasto.inference.mood_sheet import mood_sheet

    place, painter, pixels = Path(out), load(style, device), open_photo(photo)
    painter.require_moods()
    if place.suffix.lower() not in LONGEST:
        make_folder(place)
        place = place / "moods.jpg"
    reserve(place, file=True, overwrite=overwrite)
    sheet = mood_sheet(painter, pixels, PaintOptions(strength, brush, keep_colour), progress)
    with atomic_write(place) as part:
        part.write_bytes(encode(place.name, sheet))
    return place


def _told(outcome: Outcome, place: str | Path, say: Callable[[str], object], made: str) -> bool:
    """Says what became of photos, and whether that is all of them."""
    say("\n".join(summarise(outcome, place, made)))
    return not outcome.left_out


def _is_film(photo: str) -> bool:
    return Path(photo).suffix.lower() in FILMS


def _ending(place: Path, films: list[Path], pictures: list[str], kind: Format) -> str:
    """What the paintings go into: the ending of a file, or nothing, which is a folder.

    Raises ImpastoError where what is given does not go into that.
    """
    with path_errors(place):
        ending = "" if place.is_dir() else place.suffix.lower()
    if ending in LONGEST:
        kinds = {"keep": tuple(LONGEST), "jpg": (".jpg", ".jpeg"), "png": (".png",)}
        if films or len(pictures) > 1 or ending not in kinds[kind]:
            raise ImpastoError(f"{place} would be one painting, of that kind: give one photo, or choose a folder.")
    elif ending == FILMS[0]:
        if pictures or len(films) > 1:
            raise ImpastoError(f"{place} would be one film: give one, or choose a folder.")
    elif ending in NOT_WRITTEN or (ending == ".zip" and films):
        fit = "a name ending in .mp4" if films else "a name ending in .zip, .jpg, .png or .webp"
        raise ImpastoError(f"{place} is no place for {'a film' if films else 'paintings'}: choose a folder, or {fit}.")
    return ending
