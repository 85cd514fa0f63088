"""Mux encoded frames with the sound, subtitles, chapters and metadata of their video into an MP4."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from heapq import merge
from io import BytesIO
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from impasto.inference.video.containers import create_mp4, film_stream, media_errors, open_input, packets
from impasto.inference.video.track_choice import Tracks
from impasto.inference.video.tracks import Track, describe
from impasto.inference.video.writer import EncodedFrame, choose_encoder, configure_segments

#: Metadata of a container itself, not of the video.
CONTAINER_METADATA = ("encoder", "major_brand", "minor_version", "compatible_brands")
#: Part of the names of metadata with the place where a video was taken, which its painting does not tell.
LOCATION = "location"


def mux(
    path: Path,
    video: Path,
    frames: Iterable[EncodedFrame],
    end: int,
    width: int,
    height: int,
    *,
    sideways: bool,
    tracks: Tracks,
) -> int:
    """Write encoded frames of that size, the last of which ends at ``end``, and the ``tracks`` of ``video`` as an MP4,
    ready to stream. It begins when the video does. Returns the number of packets of tracks that are damaged.

    Raises ImpastoError if an MP4 cannot hold them.
    """
    with _begun(path, video, width, height, sideways=sideways, tracks=tracks) as (source, out, stream, written):
        like = cast(VideoStream, film_stream(source))
        begin = _begin(source)
        images = _video_packets(frames, end, stream, cast(Fraction, like.time_base), begin)
        tracks_by_target = {track.target.index: track for track in written.values()}
        for packet in merge(images, _track_packets(source, written, begin), key=_timestamp):
            try:
                out.mux(packet)
            except av.InvalidDataError:
                if packet.stream is stream:
                    raise
                tracks_by_target[packet.stream.index].damaged += 1
        return sum(track.damaged for track in written.values())


def require_muxable(video: Path, width: int, height: int, *, sideways: bool, tracks: Tracks) -> None:
    """Raise ImpastoError if an MP4 cannot hold frames of that size with the ``tracks`` of ``video``."""
    with _begun(BytesIO(), video, width, height, sideways=sideways, tracks=tracks):
        pass


@contextmanager
def _begun(
    target: Path | BytesIO, video: Path, width: int, height: int, *, sideways: bool, tracks: Tracks
) -> Iterator[tuple[InputContainer, OutputContainer, VideoStream, dict[int, Track]]]:
    """Open the video, and an MP4 with its header."""
    with media_errors(video, "written as an MP4", ValueError), open_input(video) as source, create_mp4(target) as out:
        like = cast(VideoStream, film_stream(source))
        stream = cast(VideoStream, out.add_stream(choose_encoder()))
        configure_segments(stream.codec_context, like, width - width % 2, height - height % 2, sideways=sideways)
        describe(stream, like)
        written = {number: opener(source.streams[number], out) for number, opener in tracks.openers.items()}
        out.metadata.update({key: value for key, value in source.metadata.items() if _is_kept(key.lower())})
        out.set_chapters(_chapters(source))
        out.start_encoding()
        yield source, out, stream, written


def _begin(source: InputContainer) -> Fraction:
    """Return the moment in seconds at which a video begins: hours after 0 in a recording of television."""
    return Fraction(max(source.start_time or 0, 0), av.time_base)


def _chapters(source: InputContainer) -> list[Any]:
    """Return the chapters, counted from the beginning of the video."""
    shifted = []
    for number, chapter in enumerate(source.chapters()):
        offset = round(_begin(source) / cast(Fraction, chapter["time_base"]))
        start, end = (max(chapter[moment] - offset, 0) for moment in ("start", "end"))
        shifted.append(chapter | {"id": number, "start": start, "end": end})
    return shifted


def _track_packets(source: InputContainer, tracks: dict[int, Track], begin: Fraction) -> Iterator[Any]:
    """Yield the packets of all tracks, counted from ``begin``."""
    for packet in packets(source, *(track.source for track in tracks.values())) if tracks else ():
        offset = round(begin / packet.time_base)
        packet.pts, packet.dts = (None if each is None else each - offset for each in (packet.pts, packet.dts))
        yield from tracks[packet.stream.index].convert(packet)
    for track in tracks.values():
        yield from track.convert(None)


def _is_kept(key: str) -> bool:
    return key not in CONTAINER_METADATA and LOCATION not in key


def _video_packets(
    frames: Iterable[EncodedFrame], end: int, stream: VideoStream, time_base: Fraction, begin: Fraction
) -> Iterator[Any]:
    offset = round(begin / time_base)
    for frame, after in pairwise(chain(frames, [EncodedFrame(b"", end, False)])):
        packet = av.Packet(frame.data)
        packet.pts = packet.dts = frame.pts - offset
        packet.duration = after.pts - frame.pts
        packet.time_base, packet.stream, packet.is_keyframe = time_base, stream, frame.key
        yield packet


def _timestamp(packet: Any) -> Fraction:
    return Fraction((packet.dts or 0) * packet.time_base)
