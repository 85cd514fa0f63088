"""A film in, its painting out: every frame at its moment, with the sound, and gone on with after a stop."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer

from impasto.errors import ImpastoError
from impasto.files import make_folder, whole
from impasto.paint.manner import Manner
from impasto.paint.output import claim
from impasto.paint.painter import Painter
from impasto.paint.photo import Pixels, beside
from impasto.paint.steady import Steady
from impasto.remux import Coded, encode_frames, join, open_film, to_rgb

#: Frames that are kept at a time while a film is painted: a stop costs no more of them.
SEGMENT = 48

Progress = Callable[[int, int | None], object]


@dataclass
class Filmed:
    """What became of a film: its frames, how many of them were painted before a stop, and why it ends before its end,
    if it does."""

    frames: int = 0
    before: int = 0
    cut_short: str = ""


def paint_film(
    painter: Painter,
    film: Path,
    out: Path,
    work: dict[str, Any],
    *,
    manner: Manner,
    compare: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Filmed:
    """Paint a film into ``out``, an MP4: of its size, with its frames at their moments, and its sound.

    What is painted is kept in a folder beside ``out`` until all is: the same ``work`` goes on there, and comes to the
    same frames. (x264 does not code them alike to the last bit each time.)

    Args:
        painter: has a style that paints photos.
        film: what PyAV reads.
        out: ends in .mp4.
        work: what decides how it is painted (:func:`impasto.paint.journal.job`).
        manner: how it is painted.
        compare: put the film on the left of its painting.
        overwrite: replace ``out``, and begin anew.
        progress: is told how many frames are done, and of how many if that is known.

    Raises:
        ImpastoError: it is no film, or one of high dynamic range; ``out`` is taken; the disk is full.
    """
    painter.require_photos()
    claim(out, file=True, overwrite=overwrite)
    filmed, steady, segments = Filmed(), Steady(), list[Path]()
    with open_film(film) as source:
        parts = _begin(out, work | {"film": _identity(film)}, overwrite)
        stream = source.streams.video[0]
        frames = _frames(source, filmed)
        while True:
            segment, key = parts / f"{len(segments):05d}.npz", parts / f"{len(segments):05d}-key.npz"
            if segment.exists():
                packets = _read(segment)
                filmed.before += len(list(islice(frames, len(packets))))
                steady = _recall(key) if key.exists() else steady  # the last has one
            else:
                painted = _paint(painter, islice(frames, SEGMENT), steady, manner, compare)
                packets = encode_frames(_counted(painted, filmed.frames, stream.frames or None, progress), stream)
                _keep(key, steady)
                _write(segment, packets)
                for old in set(parts.glob("*-key.npz")) - {key}:
                    old.unlink()
            segments.append(segment)
            filmed.frames += len(packets)
            if len(packets) < SEGMENT:
                break
    if steady.photo is None:
        shutil.rmtree(parts)
        raise ImpastoError(f"{film} cannot be painted: there is not one frame in it.")
    height, width, _ = steady.photo.shape
    with whole(out) as part:
        everything = (packet for segment in segments for packet in _read(segment))
        join(part, film, everything, 2 * width if compare else width, height)
    shutil.rmtree(parts)
    return filmed


def painted_name(film: Path, out: Path) -> Path:
    """Where the painting of a film goes: ``out``, if that is an MP4, or into that folder.

    Raises ImpastoError if it would take the place of the film, or ``out`` is of another kind.
    """
    place = out if out.suffix.lower() == ".mp4" else out / f"{film.stem}.mp4"
    if place != out and out.suffix.lower() in (".zip", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif"):
        raise ImpastoError(f"{out} is no place for a film: choose a folder, or a name ending in .mp4.")
    if place.resolve() == film.resolve():
        raise ImpastoError(f"{film} is not to be painted over: choose another place.")
    return place


def _identity(film: Path) -> list[Any]:
    about = film.stat()
    return [str(film.absolute()), about.st_size, about.st_mtime_ns]


def _begin(out: Path, work: dict[str, Any], overwrite: bool) -> Path:
    """The folder of what is painted already, if that is of the same work; else an empty one."""
    parts = out.with_name(f"{out.name}.parts")
    note, text = parts / "work.json", json.dumps(work)
    if overwrite or not note.is_file() or note.read_text(encoding="utf-8") != text:
        shutil.rmtree(parts, ignore_errors=True)
        make_folder(parts)
        with whole(note) as part:
            part.write_text(text, encoding="utf-8")
    return parts


def _frames(source: InputContainer, filmed: Filmed) -> Iterator[av.VideoFrame]:
    """The frames of a film, up to where it is damaged."""
    try:
        yield from source.decode(video=0)
    except av.FFmpegError as error:
        filmed.cut_short = str(error.strerror)
        yield from source.streams.video[0].codec_context.decode(None)  # those that it has decoded, but not yet given


def _paint(
    painter: Painter, frames: Iterable[av.VideoFrame], steady: Steady, manner: Manner, compare: bool
) -> Iterator[tuple[Pixels, int]]:
    """The paintings of frames, and their moments."""
    for frame in frames:
        photo = to_rgb(frame)
        painting = steady.follow(photo, painter.paint_pixels(photo[None], manner)[0])
        yield beside(photo, painting) if compare else painting, int(frame.pts or 0)


def _counted(
    painted: Iterable[tuple[Pixels, int]], before: int, total: int | None, progress: Progress | None
) -> Iterator[tuple[Pixels, int]]:
    for done, each in enumerate(painted, before + 1):
        yield each
        if progress is not None:
            progress(done, total)


def _write(segment: Path, packets: list[Coded]) -> None:
    """Keeps coded frames."""
    data = np.frombuffer(b"".join(packet.data for packet in packets), np.uint8)
    moments = np.array([(len(packet.data), packet.pts, packet.key) for packet in packets], np.int64).reshape(-1, 3)
    with whole(segment) as part, part.open("wb") as file:
        np.savez(file, data=data, moments=moments)


def _read(segment: Path) -> list[Coded]:
    with np.load(segment, allow_pickle=False) as kept:
        data, moments = kept["data"].tobytes(), kept["moments"].tolist()
    ends = accumulate(size for size, _, _ in moments)
    return [Coded(data[end - size : end], pts, bool(key)) for end, (size, pts, key) in zip(ends, moments, strict=True)]


def _keep(key: Path, steady: Steady) -> None:
    """Keeps what the next frames are to follow."""
    nothing = np.zeros((0, 0, 3), np.uint8)
    photo, painting = (nothing if each is None else each for each in (steady.photo, steady.painting))
    with whole(key) as part, part.open("wb") as file:
        np.savez(file, photo=photo, painting=painting, age=np.array(steady.age))


def _recall(key: Path) -> Steady:
    with np.load(key, allow_pickle=False) as kept:
        return Steady(kept["photo"], kept["painting"], int(kept["age"])) if kept["photo"].size else Steady()
