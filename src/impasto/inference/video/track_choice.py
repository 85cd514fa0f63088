"""Choose what an MP4 can hold of a video beside its pictures."""

from collections.abc import Iterator
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

#: Packets of a track, of the first packets of a video, with which it is tried whether an MP4 holds it.
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
        for stream in source.streams:
            if stream is film or stream.discard == Discard.all:  # the titles of chapters, in QuickTime files
                continue
            opener = next((way for way in _ways(stream) if _is_held(video, stream.index, way)), None)
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


def _is_held(video: Path, number: int, opener: Opener) -> bool:
    """Return whether the first packets of a stream can be written in that way; sound of which none is cannot."""
    read = written = 0
    try:
        with open_input(video) as source, create_mp4(BytesIO()) as out:
            track = opener(source.streams[number], out)
            out.start_encoding()
            first = (packet for packet in islice(packets(source), READ) if packet.stream.index == number)
            for packet in (*islice(first, TRIED), None):
                read += packet is not None
                for converted in track.convert(packet):
                    out.mux(converted)
                    written += 1
            return written > 0 or read == 0 or track.source.type == "subtitle"
    except (av.FFmpegError, ValueError):
        return False


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
