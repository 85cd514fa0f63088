"""Mux encoded frames with the audio of another video into an MP4."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from heapq import merge
from pathlib import Path
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from impasto.errors import ImpastoError
from impasto.files import FULL
from impasto.inference.video.writer import EncodedFrame, choose_encoder, configure_segments

#: Audio codecs that are copied into an MP4; others are transcoded to AAC.
COPIED = ("aac", "mp3", "ac3", "eac3", "opus", "alac", "flac")
#: Sample rates of AAC in Hz; the first replaces any other rate.
RATES = (48_000, 96_000, 88_200, 64_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)


def mux(path: Path, video: Path, frames: Iterable[EncodedFrame], width: int, height: int, *, sideways: bool) -> int:
    """Write encoded frames of that size and the audio of ``video`` as an MP4, ready to stream. Returns the number of
    audio packets that could not be decoded.

    Raises ImpastoError if an MP4 cannot hold them.
    """
    damaged: list[Any] = []
    try:
        _mux(path, video, frames, width, height, sideways, damaged)
    except (av.FFmpegError, ValueError) as error:
        if getattr(error, "errno", None) in FULL:
            raise
        raise ImpastoError(f"{video} cannot be written as an MP4 ({error}): convert it first.") from error
    return len(damaged)


def _mux(
    path: Path,
    video: Path,
    frames: Iterable[EncodedFrame],
    width: int,
    height: int,
    sideways: bool,
    damaged: list[Any],
) -> None:
    with av.open(video) as source, av.open(path, "w", "mp4", options={"movflags": "+faststart"}) as out:
        like = source.streams.video[0]
        stream = cast(VideoStream, out.add_stream(choose_encoder()))
        configure_segments(stream.codec_context, like, width - width % 2, height - height % 2, sideways=sideways)
        audio = {each.index: _audio_stream(each, out) for each in source.streams.audio}
        out.start_encoding()
        images = _video_packets(frames, stream, cast(Fraction, like.time_base))
        for packet in merge(images, _audio_packets(source, audio, damaged), key=_timestamp):
            out.mux(packet)


def _audio_stream(stream: AudioStream, out: OutputContainer) -> AudioStream:
    if stream.codec_context.codec.canonical_name in COPIED:
        return out.add_stream_from_template(stream)
    return out.add_stream("aac", stream.rate if stream.rate in RATES else RATES[0])


def _audio_packets(source: InputContainer, streams: dict[int, AudioStream], damaged: list[Any]) -> Iterator[Any]:
    """Yield the packets of all audio streams, copied or transcoded; undecodable ones are added to ``damaged``."""
    transcoded = {number for number, stream in streams.items() if stream.codec_context.is_encoder}
    for packet in source.demux(*source.streams.audio) if streams else ():
        number, stream = packet.stream.index, streams[packet.stream.index]
        if number in transcoded:
            try:
                decoded = cast(list[av.AudioFrame], packet.decode())
            except av.FFmpegError:
                damaged.append(packet)
                continue
            for frame in decoded:
                yield from stream.encode(frame)
        elif packet.dts is not None:
            packet.stream = stream
            yield packet
    for number in transcoded:
        yield from streams[number].encode(None)


def _video_packets(frames: Iterable[EncodedFrame], stream: VideoStream, time_base: Fraction) -> Iterator[Any]:
    for frame in frames:
        packet = av.Packet(frame.data)
        packet.pts = packet.dts = frame.pts
        packet.time_base, packet.stream, packet.is_keyframe = time_base, stream, frame.key
        yield packet


def _timestamp(packet: Any) -> Fraction:
    return Fraction((packet.dts or 0) * packet.time_base)
