"""Films of others: their frames in; others at the same moments, and the same sound, out."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.files import FULL
from impasto.inference.video.writer import choose_encoder, tag, to_yuv

#: Options of the encoders of :mod:`impasto.inference.video.writer` for a film that is to be kept rather than to fit into a page. Frames
#: are coded in the order in which they are shown, so that parts can be put together.
OPTIONS = {
    "libx264": {"crf": "17", "preset": "fast", "bf": "0"},
    "libopenh264": {"b": "12000k"},
    "libvpx-vp9": {"crf": "20", "b": "0", "cpu-used": "4", "lag-in-frames": "0"},
}
#: Sound that an MP4 holds as it is; other sound is encoded anew.
KEPT = ("aac", "mp3", "ac3", "eac3", "opus", "alac", "flac")
#: Samples a second that AAC knows, in Hz; the first is for sound of another rate.
RATES = (48_000, 96_000, 88_200, 64_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
#: How a frame says that it does not say by which matrix it was coded.
UNSPECIFIED = 2
#: Transfer characteristics of high dynamic range: SMPTE ST 2084 and ARIB STD-B67.
HIGH_RANGE = (16, 18)


@dataclass(frozen=True)
class Coded:
    """A frame as it stands in a film: its bytes, its moment in units of the film's time, and whether it begins anew."""

    data: bytes
    pts: int
    key: bool


@contextmanager
def open_film(path: Path) -> Iterator[InputContainer]:
    """A film whose first video stream can be decoded.

    Raises ImpastoError if it is none, has no pictures, or more light than a screen of standard range shows.
    """
    try:
        source = av.open(path)
    except FileNotFoundError as error:
        raise ImpastoError(f"There is no film {path}: check the path.") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImpastoError(f"{path} cannot be opened as a film ({reason}): it is none, or damaged.") from error
    with source:
        if not source.streams.video:
            raise ImpastoError(f"{path} has no pictures, sound alone: there is nothing to paint.")
        stream = source.streams.video[0]
        if stream.codec_context.color_trc in HIGH_RANGE:
            raise ImpastoError(f"{path} is of high dynamic range (HDR): convert it to standard range first.")
        stream.thread_type = "AUTO"
        yield source


def to_rgb(frame: av.VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    """The pixels of a frame (H, W, 3), upright, brought to that size first: there are films that change it. One that
    does not say by which matrix it was coded is taken for BT.709 if it is large, as players do, and else for BT.601.
    """
    unknown = frame.colorspace == UNSPECIFIED
    assumed = Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
    rgb = frame.reformat(width, height, format="rgb24", src_colorspace=assumed if unknown else None).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90) % 4))


def turned(frame: av.VideoFrame) -> bool:
    """Whether a frame lies on its side."""
    return round(frame.rotation / 90) % 2 == 1


def encode_frames(frames: Iterable[tuple[NDArray[np.uint8], int]], like: VideoStream, *, upended: bool) -> list[Coded]:
    """Frames, each uint8 (H, W, 3) and its moment, coded as a part of a film whose time is that of ``like``, which is
    ``upended`` if its frames lie on their side."""
    packets: list[Any] = []
    encoder: VideoCodecContext | None = None
    for pixels, moment in frames:
        yuv = to_yuv(pixels)
        yuv.pts, yuv.time_base = moment, like.time_base
        if encoder is None:
            encoder = cast(VideoCodecContext, av.CodecContext.create(choose_encoder(), "w"))
            _set_up(encoder, like, yuv.width, yuv.height, upended)
            encoder.flags |= Flags.global_header  # as in an MP4: what is the same for all parts stands at its head
        packets += encoder.encode(yuv)
    if encoder is not None:
        packets += encoder.encode(None)
    return [Coded(bytes(packet), int(packet.pts or 0), packet.is_keyframe) for packet in packets]


def _set_up(encoder: VideoCodecContext, like: VideoStream, width: int, height: int, upended: bool) -> None:
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = cast(Fraction, like.time_base)
    encoder.framerate = like.average_rate or like.guessed_rate or Fraction(25)
    encoder.options = OPTIONS[encoder.codec.name]
    aspect = like.sample_aspect_ratio or Fraction(1)
    encoder.sample_aspect_ratio = 1 / aspect if upended and aspect else aspect
    tag(encoder)


def join(path: Path, film: Path, frames: Iterable[Coded], width: int, height: int, *, upended: bool) -> int:
    """Writes coded frames of that size and the sound of ``film`` as an MP4, ready to stream; returns how many packets
    of the sound were left out, as they cannot be decoded.

    Raises ImpastoError if an MP4 cannot hold them.
    """
    damaged: list[Any] = []
    try:
        _join(path, film, frames, width, height, upended, damaged)
    except (av.FFmpegError, ValueError) as error:
        if getattr(error, "errno", None) in FULL:
            raise
        raise ImpastoError(f"{film} cannot be put together as an MP4 ({error}): convert it first.") from error
    return len(damaged)


def _join(
    path: Path, film: Path, frames: Iterable[Coded], width: int, height: int, upended: bool, damaged: list[Any]
) -> None:
    with av.open(film) as source, av.open(path, "w", "mp4", options={"movflags": "+faststart"}) as out:
        like = source.streams.video[0]
        stream = cast(VideoStream, out.add_stream(choose_encoder()))
        _set_up(stream.codec_context, like, width - width % 2, height - height % 2, upended)
        sounds = {each.index: _sound(each, out) for each in source.streams.audio}
        out.start_encoding()
        pictures = _packets(frames, stream, cast(Fraction, like.time_base))
        for packet in merge(pictures, _sounds(source, sounds, damaged), key=_moment):
            out.mux(packet)


def _sound(stream: AudioStream, out: OutputContainer) -> AudioStream:
    if stream.codec_context.codec.canonical_name in KEPT:
        return out.add_stream_from_template(stream)
    return out.add_stream("aac", stream.rate if stream.rate in RATES else RATES[0])


def _sounds(source: InputContainer, streams: dict[int, AudioStream], damaged: list[Any]) -> Iterator[Any]:
    """The packets of all sound, as they are or encoded anew; those that cannot be decoded go to ``damaged``."""
    anew = {number for number, stream in streams.items() if stream.codec_context.is_encoder}
    for packet in source.demux(*source.streams.audio) if streams else ():
        number, stream = packet.stream.index, streams[packet.stream.index]
        if number in anew:
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
    for number in anew:
        yield from streams[number].encode(None)


def length(film: Path) -> float:
    """Seconds up to the end of the last packet of a film that can be read, of pictures or sound."""
    end = Fraction(0)
    with av.open(film) as source:
        try:
            for packet in source.demux():
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        except av.FFmpegError:
            return float(end)  # so far it can be read
    return float(end)


def _packets(frames: Iterable[Coded], stream: VideoStream, time: Fraction) -> Iterator[Any]:
    for frame in frames:
        packet = av.Packet(frame.data)
        packet.pts = packet.dts = frame.pts
        packet.time_base, packet.stream, packet.is_keyframe = time, stream, frame.key
        yield packet


def _moment(packet: Any) -> Fraction:
    return Fraction((packet.dts or 0) * packet.time_base)
