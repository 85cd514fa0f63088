"""Choose what an MP4 can hold of a video beside its pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Discard

from impasto.inference.video.audio import sound_openers
from impasto.inference.video.containers import NO_FILM, create_mp4, film_stream, open_input, packets
from impasto.inference.video.subtitles import subtitle_openers
from impasto.inference.video.tracks import Opener

#: Packets of a sound, among the first packets of a video, with which it is tried whether an MP4 holds it.
TRIED, READ = 16, 4_000


@dataclass(frozen=True)
class Tracks:
    """How each stream that is kept is written, by its number; and what is lost, in words."""

    openers: dict[int, Opener]
    lost: tuple[str, ...] = ()


def choose_tracks(video: Path) -> Tracks:
    """Choose how each stream of a video but its film is written, by trying it with the first packets.

    Raises av.FFmpegError if the video cannot be opened.
    """
    openers: dict[int, Opener] = {}
    lost: list[str] = []
    with open_input(video) as source:
        film = film_stream(source)
        first = _first_packets(source, [stream.index for stream in source.streams.audio])
        for stream in source.streams:
            if stream is film or stream.discard == Discard.all:  # the titles of chapters, in QuickTime files
                continue
            tried = first.get(stream.index, [])
            opener = next((way for way in _ways(stream) if _is_held(video, stream.index, way, tried)), None)
            if opener is None:
                lost.append(_name(source, stream))
            else:
                openers[stream.index] = opener
    return Tracks(openers, tuple(lost))


def _ways(stream: Any) -> Iterator[Opener]:
    """Yield the ways to write a stream, the best first."""
    if stream.type == "audio":
        yield from sound_openers(stream)
    elif stream.type == "subtitle":
        yield from subtitle_openers(stream)


def _first_packets(source: InputContainer, numbers: Sequence[int]) -> dict[int, list[Any]]:
    """Return the first packets of each of these streams, which are read once."""
    found: dict[int, list[Any]] = {number: [] for number in numbers}
    for packet in islice(packets(source), READ if numbers else 0):
        number = packet.stream.index
        if number in found and len(found[number]) < TRIED:
            found[number].append(packet)
            if all(len(each) == TRIED for each in found.values()):
                break
    return found


def _is_held(video: Path, number: int, opener: Opener, first: Sequence[Any]) -> bool:
    """Return whether an MP4 holds a stream if it is written in that way: the first packets cause no error, and at least
    one packet is made from them, if there are any."""
    moments = [(packet.pts, packet.dts, packet.duration, packet.time_base) for packet in first]
    written = 0
    try:
        with open_input(video) as source, create_mp4(BytesIO()) as out:
            track = opener(source.streams[number], out)
            out.start_encoding()
            for packet in (*first, None):
                for converted in track.convert(packet):
                    out.mux(converted)
                    written += 1
            return written > 0 or not first
    except (av.FFmpegError, ValueError):
        return False
    finally:  # the next way needs the packets as they were
        for packet, moment in zip(first, moments, strict=True):
            packet.pts, packet.dts, packet.duration, packet.time_base = moment


def _name(source: InputContainer, stream: Any) -> str:
    """Return words for a stream that is lost."""
    if stream.type == "video" and stream.disposition & NO_FILM:
        return "the cover picture"
    if stream.type == "attachment":
        return f"the attached file {stream.name}"
    kind = {"audio": "sound", "subtitle": "subtitle"}.get(stream.type, stream.type)
    number = [each.index for each in source.streams if each.type == stream.type].index(stream.index) + 1
    codec = stream.codec_context.name if stream.codec_context is not None else None
    return f"{kind} track {number} ({codec or 'unknown codec'})"
