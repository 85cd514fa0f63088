"""Films in, their paintings out: every frame at its moment, with the sound, and gone on with after a stop."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer

from impasto.config.types import Pixels, Progress
from impasto.errors import ImpastoError
from impasto.files import DiskFullError, atomic_write, exclusive, make_folder
from impasto.inference.batch import Names
from impasto.inference.manifest import Manifest
from impasto.inference.options import PaintOptions
from impasto.inference.output import reserve
from impasto.inference.photo import beside
from impasto.inference.stroke_translator import Mood
from impasto.inference.translator import Painter
from impasto.inference.video.reader import Coded, encode_frames, join, length, open_film, to_rgb, turned
from impasto.inference.video.temporal import TemporalConsistency

#: Frames that are kept at a time while a film is painted: a stop costs no more of them.
SEGMENT = 48
#: Seconds by which a film that is atomic_write may be shorter than it says.
EARLY = 1.0


@dataclass
class Filmed:
    """What became of a film: its frames, how many of them were painted before a stop, how many of its packets cannot be
    decoded, and whether it ends before its end."""

    frames: int = 0
    before: int = 0
    damaged: int = 0
    cut_short: bool = False


@dataclass(frozen=True)
class Reel:
    """One of many films and its place: what became of it, or why it cannot be painted, or neither, if it was there."""

    film: Path
    place: Path
    filmed: Filmed | None = None
    reason: str | None = None

    @property
    def is_lost(self) -> bool:
        """Whether some of it is not painted."""
        filmed = self.filmed or Filmed()
        return self.reason is not None or filmed.cut_short or filmed.damaged > 0

    def summary(self) -> str:
        """What became of it, as lines for a shell."""
        if self.reason is not None:
            return f"Left out: {self.reason.removesuffix('.')}."
        if self.filmed is None:
            return f"{self.place} was there before"
        filmed = self.filmed
        before = f", {filmed.before:,} of them before" if filmed.before else ""
        lines = [f"{filmed.frames:,} {'frame' if filmed.frames == 1 else 'frames'} in {self.place}{before}"]
        if filmed.damaged:
            lines.append(f"{self.film} is damaged: {filmed.damaged:,} of its packets were passed over.")
        if filmed.cut_short:
            lines.append(f"{self.film} is cut off, and its painting ends with it.")
        return "\n".join(lines)


def paint_films(
    paint: Callable[..., Filmed], films: Sequence[Path], folder: Path, journal: Manifest, *, overwrite: bool
) -> Iterator[Reel]:
    """Paint films into a folder, one after the other, and tell of each what became of it: one that cannot be painted
    stops no other, and one whose painting is in the journal is not painted again.

    Args:
        paint: :func:`paint_film`, but for the film, its place and whether to overwrite that.
        films: what PyAV reads.
        folder: where to.
        journal: that of the folder.
        overwrite: replace films that are there.

    Raises DiskFullError.
    """
    names, taken = Names(painting for _, painting in journal.done.values()), {film.resolve() for film in films}
    for film in films:
        known, before = journal.done.get(str(film), ("", ""))
        name, _ = names.take(film.stem, ".mp4", before)
        place = folder / name
        try:
            digest = _digest(film)
            if digest == known:
                journal.meet(str(film))
                yield Reel(film, place)
                continue
            if place.resolve() in taken:
                raise ImpastoError(f"{place} is not to be painted over: choose another place.")
            filmed = paint(film, place, overwrite=overwrite or bool(before))
        except DiskFullError:
            raise
        except ImpastoError as reason:
            yield Reel(film, place, reason=str(reason))
        else:
            journal.enter(str(film), digest, name)
            yield Reel(film, place, filmed)


def paint_film(
    painter: Painter,
    film: Path,
    out: Path,
    *,
    work: dict[str, Any],
    manner: PaintOptions,
    compare: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Filmed:
    """Paint a film into ``out``, an MP4: of its size, with its frames at their moments, and its sound.

    What is painted is kept in a folder beside ``out`` until all is: the same ``work`` goes on there, and comes to the
    same frames. (x264 does not code them alike to the last bit each time.) What cannot be decoded is left out.

    Args:
        painter: has a style that paints photos.
        film: what PyAV reads.
        out: ends in .mp4.
        work: what decides how it is painted (:func:`impasto.inference.manifest.job`).
        manner: how it is painted.
        compare: put the film on the left of its painting.
        overwrite: replace ``out``, and begin anew.
        progress: is told how many frames are done, and of how many if that is known.

    Raises:
        ImpastoError: it is no film, or one of high dynamic range; ``out`` is taken, or another film or manner was begun
            for it, or another process paints it; the disk is full.
    """
    painter.require_photos()
    if out.resolve() == film.resolve():
        raise ImpastoError(f"{film} is not to be painted over: choose another place.")
    reserve(out, file=True, overwrite=overwrite)
    filmed, scene, segments = Filmed(), Scene(manner), list[Path]()
    busy = f"Another impasto paints {out}: wait for it, or choose another place."
    with exclusive(out.with_name(f"{out.name}.lock"), busy), open_film(film) as source:
        parts = _begin(out, work | {"film": _digest(film)}, overwrite)
        stream = source.streams.video[0]
        frames = _frames(source, filmed)
        first = next(frames, None)
        if first is None:
            shutil.rmtree(parts)
            raise ImpastoError(f"{film} cannot be painted: there is not one frame in it.")
        size, upended = (first.width, first.height), turned(first)
        frames = chain([first], frames)
        while True:
            segment, key = parts / f"{len(segments):05d}.npz", parts / f"{len(segments):05d}-key.npz"
            if segment.exists():
                packets = _read(segment)
                filmed.before += len(list(islice(frames, len(packets))))
                scene = _recall(key, manner) if key.exists() else scene  # the last has one
            else:
                photos = ((to_rgb(frame, *size), int(frame.pts or 0)) for frame in islice(frames, SEGMENT))
                painted = _paint(painter, photos, scene, compare)
                counted = _counted(painted, filmed.frames, stream.frames or None, progress)
                packets = encode_frames(counted, stream, upended=upended)
                _keep(key, scene)
                _write(segment, packets)
                for old in set(parts.glob("*-key.npz")) - {key}:
                    old.unlink()
            segments.append(segment)
            filmed.frames += len(packets)
            if len(packets) < SEGMENT:
                break
        filmed.cut_short = _ends_early(source, film, packets or _read(segments[-2]))
        height, width = size if upended else size[::-1]
        with atomic_write(out) as part:
            everything = (packet for segment in segments for packet in _read(segment))
            filmed.damaged += join(part, film, everything, 2 * width if compare else width, height, upended=upended)
        shutil.rmtree(parts)
    return filmed


def _digest(film: Path) -> str:
    """A film as it is now, without reading it."""
    try:
        about = film.stat()
    except OSError as error:
        raise ImpastoError(f"There is no film {film}: check the path.") from error
    text = json.dumps([str(film.absolute()), about.st_size, about.st_mtime_ns])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _begin(out: Path, work: dict[str, Any], overwrite: bool) -> Path:
    """The folder of what is painted already, if that is of the same work, or an empty one.

    With ``overwrite`` what is there is thrown away, unless that was begun so and stopped. Raises ImpastoError for other
    work without it.
    """
    parts = out.with_name(f"{out.name}.parts")
    note = parts / "work.json"
    work = {name: value for name, value in work.items() if name != "format"}  # films have but one
    found = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    anew = found.pop("anew", False)
    if found == work and (anew or not overwrite):
        return parts
    if found and not overwrite:
        raise ImpastoError(
            f"{parts} holds the beginning of another film, or of this one in another manner: choose another place "
            "(--out), or overwrite it (--overwrite)."
        )
    shutil.rmtree(parts, ignore_errors=True)
    make_folder(parts)
    with atomic_write(note) as part:
        part.write_text(json.dumps(work | {"anew": overwrite}), encoding="utf-8")
    return parts


def _frames(source: InputContainer, filmed: Filmed) -> Iterator[av.VideoFrame]:
    """The frames of a film that can be decoded, each later than the one before: not all files say when that is."""
    stream = source.streams.video[0]
    rate, unit = stream.average_rate or stream.guessed_rate or Fraction(25), stream.time_base or Fraction(1, 1000)
    step, last = max(round(1 / (rate * unit)), 1), None
    packets = source.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            packet = None  # it ends here
        if packet is not None and not packet.size and packet.dts is not None:
            continue  # a frame that is shown longer; a decoder would take it for the end
        try:
            decoded = stream.codec_context.decode(packet)
        except av.FFmpegError:
            decoded = []
            filmed.damaged += 1
        for frame in decoded:
            if last is not None and (frame.pts is None or frame.pts <= last):
                frame.pts = last + step
            last = frame.pts or 0
            yield frame
        if packet is None or not packet.size:
            return


def _ends_early(source: InputContainer, film: Path, packets: list[Coded]) -> bool:
    """Whether a film is cut off: neither its pictures nor its sound last as long as it says."""
    stream = source.streams.video[0]
    if not source.duration:
        return False
    says = source.duration / av.time_base + (source.start_time or 0) / av.time_base
    shown = float(packets[-1].pts * cast(Fraction, stream.time_base))
    return says - shown > EARLY and says - length(film) > EARLY


@dataclass
class Scene:
    """What the next frame follows: the manner of the film, the mood of this scene, and the last key frame."""

    manner: PaintOptions
    mood: Mood | None = None
    steady: TemporalConsistency = field(default_factory=TemporalConsistency)


def _paint(
    painter: Painter, photos: Iterable[tuple[Pixels, int]], scene: Scene, compare: bool
) -> Iterator[tuple[Pixels, int]]:
    """The paintings of frames, and their moments. A scene keeps its mood."""
    for photo, moment in photos:
        if scene.mood is None:
            scene.mood = painter.settled(scene.manner, photo).mood
        before = replace(scene.manner, mood=scene.mood)
        painting = scene.steady.follow(photo, painter.paint_pixels(photo[None], before)[0])
        now = painter.settled(scene.manner, photo) if scene.steady.cut else before
        if now != before:
            scene.mood = now.mood
            painting = scene.steady.begin(photo, painter.paint_pixels(photo[None], now)[0])
        yield beside(photo, painting) if compare else painting, moment


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
    with atomic_write(segment) as part, part.open("wb") as file:
        np.savez(file, data=data, moments=moments)


def _read(segment: Path) -> list[Coded]:
    with np.load(segment, allow_pickle=False) as kept:
        data, moments = kept["data"].tobytes(), kept["moments"].tolist()
    ends = accumulate(size for size, _, _ in moments)
    return [Coded(data[end - size : end], pts, bool(key)) for end, (size, pts, key) in zip(ends, moments, strict=True)]


def _keep(key: Path, scene: Scene) -> None:
    """Keeps what the next frames are to follow."""
    steady, nothing = scene.steady, np.zeros((0, 0, 3), np.uint8)
    photo, painting = (nothing if each is None else each for each in (steady.photo, steady.painting))
    with atomic_write(key) as part, part.open("wb") as file:
        np.savez(file, photo=photo, painting=painting, age=np.array(steady.age), mood=np.array(scene.mood or ()))


def _recall(key: Path, manner: PaintOptions) -> Scene:
    with np.load(key, allow_pickle=False) as kept:
        steady = (
            TemporalConsistency(kept["photo"], kept["painting"], int(kept["age"]))
            if kept["photo"].size
            else TemporalConsistency()
        )
        mood = tuple(kept["mood"].tolist()) if "mood" in kept else ()  # of what was begun before there were moods
    return Scene(manner, mood or None, steady)
