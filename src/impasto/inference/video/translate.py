"""Translate videos: every frame at its timestamp, with the audio, resumable after an interruption."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from impasto.config.types import Pixels, Progress
from impasto.errors import ImpastoError, printable
from impasto.files import DiskFullError, atomic_write, exclusive
from impasto.inference.manifest import Manifest
from impasto.inference.options import PaintOptions
from impasto.inference.output import require_other, reserve
from impasto.inference.output_names import UniqueNames
from impasto.inference.photo import side_by_side
from impasto.inference.stroke_renderer import Mood
from impasto.inference.translator import Translator
from impasto.inference.video import segments
from impasto.inference.video.containers import media_errors
from impasto.inference.video.mux import mux, require_muxable
from impasto.inference.video.pictures import is_sideways, to_rgb
from impasto.inference.video.reader import FrameDecoder, duration, open_video, require_standard_range
from impasto.inference.video.temporal import TemporalConsistency
from impasto.inference.video.track_choice import choose_tracks
from impasto.inference.video.writer import EncodedFrame, encode_segment

#: Frames per segment: an interruption loses at most one segment.
SEGMENT = 48
#: Seconds by which an undamaged video may be shorter than its header says.
TOLERANCE = 1.0
#: Smallest side in pixels of a video that is painted: a pixel of chroma.
MIN_SIDE = 2


@dataclass
class VideoOutcome:
    """Result of one video.

    Attributes:
        frames: number of frames.
        before: number of frames that were painted before an interruption.
        damaged: number of packets that could not be decoded.
        truncated: whether the video ends before its stated duration.
        lost: what of the video, beside its frames, its painting does not have.
    """

    frames: int = 0
    before: int = 0
    damaged: int = 0
    truncated: bool = False
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class VideoResult:
    """Result of one of several videos: its outcome; or the reason why it cannot be painted; or neither, if an earlier
    run painted it."""

    video: str | Path
    out: str | Path
    outcome: VideoOutcome | None = None
    reason: str | None = None

    @property
    def is_incomplete(self) -> bool:
        """Whether some of the video is not painted."""
        outcome = self.outcome or VideoOutcome()
        return self.reason is not None or outcome.truncated or outcome.damaged > 0

    def summary(self) -> str:
        """Return the result as lines of text."""
        if self.reason is not None:
            return printable(f"Left out: {self.reason.removesuffix('.')}.")
        if self.outcome is None:
            return printable(f"{self.out} was there before")
        outcome = self.outcome
        before = f", {outcome.before:,} of them before" if outcome.before else ""
        lines = [f"{outcome.frames:,} {'frame' if outcome.frames == 1 else 'frames'} in {self.out}{before}"]
        if outcome.damaged:
            lines.append(f"{self.video} is damaged: {outcome.damaged:,} packets were skipped.")
        if outcome.truncated:
            lines.append(f"{self.video} is truncated: the painted video ends with it.")
        if outcome.lost:
            lines.append(f"{self.video} has tracks that were left out: {', '.join(outcome.lost)}.")
        return "\n".join(map(printable, lines))


def paint_videos(
    paint: Callable[..., VideoOutcome], videos: Mapping[Path, str], folder: Path, manifest: Manifest, *, overwrite: bool
) -> Iterator[VideoResult]:
    """Paint videos into a folder, as MP4 files. One that cannot be painted stops no other,
    and one whose painting is in the manifest is not painted again.

    Args:
        paint: :func:`paint_video` without the video, its output, ``overwrite`` and ``complete``.
        videos: files that PyAV reads, with the names of their paintings, without suffix and with folders.
        folder: the output folder.
        manifest: of that folder.
        overwrite: replace existing videos.

    Raises DiskFullError.
    """
    names = UniqueNames(painting for _, painting in manifest.done.values())
    sources = {video.resolve() for video in videos}
    for video, wanted in videos.items():
        known, before = manifest.done.get(str(video), ("", ""))
        name, _ = names.assign(wanted, ".mp4", before)
        out = folder / name
        try:
            digest = _digest(video)
            if digest == known:
                manifest.confirm(str(video))
                if segments.remains(out):  # of a run that was killed before it deleted them
                    with _lock(out):
                        segments.remove(segments.folder(out))
                yield VideoResult(video, out)
                continue
            if out.resolve() in sources:
                raise ImpastoError(f"{out} is one of the videos, which are not overwritten: choose another output.")
            record = partial(manifest.add, str(video), digest, name)
            outcome = paint(video, out, overwrite=overwrite or bool(before), complete=record)
        except DiskFullError:
            raise
        except ImpastoError as reason:
            yield VideoResult(video, out, reason=str(reason))
        except MemoryError:
            yield VideoResult(video, out, reason=f"{video} takes more memory than there is")
        else:
            yield VideoResult(video, out, outcome)


def paint_video(
    translator: Translator,
    video: Path,
    out: Path,
    *,
    job: dict[str, Any],
    options: PaintOptions,
    compare: bool = False,
    overwrite: bool = False,
    complete: Callable[[], None] = lambda: None,
    progress: Progress | None = None,
) -> VideoOutcome:
    """Paint a video into ``out``, an MP4 of its size, with its timestamps and audio.

    Finished segments lie in a folder beside ``out`` until the video is complete; the same ``job`` resumes there and
    gives the same frames. (x264 does not encode tiny ones, such as 64×48, bit-identically each time.) Undecodable
    packets are skipped.

    Args:
        translator: runs the style.
        video: a file that PyAV reads.
        out: ends in .mp4.
        job: everything that determines the painting (:func:`impasto.inference.manifest.describe_job`).
        options: how it is painted.
        compare: put the video on the left of its painting.
        overwrite: replace ``out``, and start again.
        complete: called when ``out`` is written, before the segments are deleted: until then, the same job may replace
            ``out``.
        progress: called with the number of frames done, and the total if known.

    Raises:
        ImpastoError: the file is not a video or is HDR; ``out`` exists, another job was begun for it, or another
            process writes it; the disk is full.
    """
    require_other(out, video)
    job = job | {"film": _digest(video)}
    reserve(out, file=True, overwrite=overwrite or segments.is_begun(out, job))
    outcome, scene, done = VideoOutcome(), Scene(options), list[Path]()
    with (
        _lock(out),
        media_errors(video, "painted"),
        open_video(video) as (source, stream),
    ):
        decoder = FrameDecoder(source, stream)
        first, frames = _first(video, decoder)
        (width, height), sideways = (first.width, first.height), is_sideways(first)
        shape = (height, width) if sideways else (width, height)
        shape = (2 * shape[0], shape[1]) if compare else shape
        tracks = choose_tracks(video)
        require_muxable(video, *shape, sideways=sideways, tracks=tracks)
        parts = segments.begin(out, job, overwrite=overwrite)
        packets: list[EncodedFrame] = []
        while True:
            segment, key = parts / f"{len(done):05d}.npz", parts / f"{len(done):05d}-key.npz"
            last, packets = packets[-1:], []
            if segment.exists():
                packets = segments.load_segment(segment)
                outcome.before += sum(1 for _ in islice(frames, len(packets)))  # one in memory at a time
                scene = _load_scene(key, options) if key.exists() else scene  # the last segment has one
            else:
                photos = ((_rgb(video, frame, width, height), int(frame.pts or 0)) for frame in islice(frames, SEGMENT))
                painted = _paint(translator, photos, scene, compare)
                counted = _counted(painted, outcome.frames, stream.frames or None, progress)
                packets = encode_segment(counted, stream, sideways=sideways)
                _save_scene(key, scene)
                segments.save_segment(segment, packets)
                for old in set(parts.glob("[0-9]*-key.npz")) - {key}:
                    old.unlink()
            done.append(segment)
            outcome.frames += len(packets)
            if len(packets) < SEGMENT:
                break
        outcome.truncated = _is_truncated(source, video, stream, (packets or last)[-1])
        with atomic_write(out) as part:
            every_frame = (frame for segment in done for frame in segments.load_segment(segment))
            lost = mux(part, video, every_frame, decoder.end, *shape, sideways=sideways, tracks=tracks)
        outcome.damaged, outcome.lost = decoder.damaged + lost, tracks.lost
        complete()
        segments.remove(parts)
    return outcome


def _lock(out: Path) -> AbstractContextManager[None]:
    busy = f"Another impasto process writes {out}: wait for it, or choose another output."
    return exclusive(out.with_name(f"{out.name}.lock"), busy)


def _first(video: Path, decoder: FrameDecoder) -> tuple[av.VideoFrame, Iterator[av.VideoFrame]]:
    """Return the first frame of a video, and all of its frames.

    Raises ImpastoError if there is none, or it cannot be painted.
    """
    frames = iter(decoder)
    first = next(frames, None)
    if first is None:
        raise ImpastoError(f"{video} cannot be painted: it has no decodable frame.")
    if min(first.width, first.height) < MIN_SIDE:
        raise ImpastoError(
            f"{video} cannot be painted: its frames have {first.width}×{first.height} pixels, and a video needs "
            f"{MIN_SIDE}×{MIN_SIDE}."
        )
    require_standard_range(video, first.color_trc)
    _rgb(video, first, first.width, first.height)
    return first, chain([first], frames)


def _rgb(video: Path, frame: av.VideoFrame, width: int, height: int) -> Pixels:
    with media_errors(video, "painted", ValueError):
        return to_rgb(frame, width, height)


def _digest(video: Path) -> str:
    """Return a digest of path, size and modification time of a video."""
    try:
        status = video.stat()
    except OSError as error:
        raise ImpastoError(f"There is no video {video}: check the path.") from error
    text = json.dumps([str(video.absolute()), status.st_size, status.st_mtime_ns])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _is_truncated(source: InputContainer, video: Path, stream: VideoStream, last: EncodedFrame) -> bool:
    """Return whether both the frames and the packets of a video end before its stated duration, counted from 0."""
    stated = Fraction(source.duration or 0, av.time_base)
    if source.format.name == "avi" and stream.average_rate:  # whose duration FFmpeg corrects by the size of the file
        stated = max(stated, stream.frames / stream.average_rate)
    begins = last.pts * cast(Fraction, stream.time_base)
    return stated - begins > TOLERANCE and stated - duration(video) > TOLERANCE


@dataclass
class Scene:
    """State between frames: the options of the video, the mood of the scene, and the last key frame."""

    options: PaintOptions
    mood: Mood | None = None
    consistency: TemporalConsistency = field(default_factory=TemporalConsistency)


def _paint(
    translator: Translator, photos: Iterable[tuple[Pixels, int]], scene: Scene, compare: bool
) -> Iterator[tuple[Pixels, int]]:
    """Yield the paintings of frames, with their timestamps. A scene keeps its mood; a cut chooses a new one."""
    for photo, timestamp in photos:
        if scene.mood is None:
            scene.mood = translator.fix_mood(scene.options, photo).mood
        options = replace(scene.options, mood=scene.mood)
        painting = scene.consistency.follow(photo, translator.paint_pixels(photo[None], options)[0])
        if scene.consistency.cut:
            new = translator.fix_mood(scene.options, photo)
            if new != options:
                scene.mood = new.mood
                painting = scene.consistency.set_key(photo, translator.paint_pixels(photo[None], new)[0])
        yield side_by_side(photo, painting) if compare else painting, timestamp


def _counted(
    painted: Iterable[tuple[Pixels, int]], before: int, total: int | None, progress: Progress | None
) -> Iterator[tuple[Pixels, int]]:
    for done, each in enumerate(painted, before + 1):
        yield each
        if progress is not None:
            progress(done, total)


def _save_scene(path: Path, scene: Scene) -> None:
    """Save the state for the next frame."""
    last, empty = scene.consistency, np.zeros((0, 0, 3), np.uint8)
    photo, painting = (empty if each is None else each for each in (last.photo, last.painting))
    with atomic_write(path) as part, part.open("wb") as file:
        np.savez(file, photo=photo, painting=painting, age=np.array(last.age), mood=np.array(scene.mood or ()))


def _load_scene(path: Path, options: PaintOptions) -> Scene:
    with segments.read_arrays(path) as saved:
        consistency = (
            TemporalConsistency(saved["photo"], saved["painting"], int(saved["age"]))
            if saved["photo"].size
            else TemporalConsistency()
        )
        mood = tuple(saved["mood"].tolist()) if "mood" in saved else ()  # absent before styles had moods
    return Scene(options, mood or None, consistency)
