"""Encode videos: whole ones from frames, or segments to be muxed later. The only place that configures encoders."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, islice
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from PIL import Image

from impasto.config.types import Pixels
from impasto.errors import ImpastoError
from impasto.files import atomic_write
from impasto.inference.video.containers import create_mp4

#: Encoders whose videos all browsers play, in order of preference (some builds of PyAV lack the GPL's libx264), with
#: options. The bit rate is limited so that a video of any size can be embedded in a web page.
ENCODERS = {
    "libx264": {"crf": "19", "preset": "veryfast", "maxrate": "2500k", "bufsize": "5000k"},
    "libopenh264": {"b": "2500k"},
    "libvpx-vp9": {"crf": "30", "b": "2500k", "cpu-used": "4"},
}
#: Options for segments of archival quality. Without B-frames, so that segments can be concatenated.
SEGMENT_OPTIONS = {
    "libx264": {"crf": "17", "preset": "fast", "bf": "0"},
    "libopenh264": {"b": "12000k"},
    "libvpx-vp9": {"crf": "20", "b": "0", "cpu-used": "4", "lag-in-frames": "0"},
}
#: Suffixes that :func:`write_video` writes; the second is an endless animated image.
VIDEO_SUFFIXES = (".mp4", ".webp")


def write_video(path: Path, frames: Iterable[tuple[Pixels, int]], rate: int) -> None:
    """Write images, each uint8 (H, W, 3) with its duration in frames, as a video of ``rate`` frames per second.

    H.264 in MP4, ready to stream, if ``path`` ends in .mp4 (odd sides lose one line); else an endless animated WebP.
    Raises ImpastoError if PyAV has no suitable encoder, or the disk is full.
    """
    with atomic_write(path) as part:
        if path.suffix.lower() == ".webp":
            _write_webp(part, frames, rate)
        else:
            _write_mp4(part, frames, rate)


def _write_mp4(path: Path, frames: Iterable[tuple[Pixels, int]], rate: int) -> None:
    encoder = choose_encoder()
    with create_mp4(path) as video:
        stream = cast(VideoStream, video.add_stream(encoder, rate, options=ENCODERS[encoder]))
        stream.pix_fmt = "yuv420p"
        _tag_colours(stream.codec_context)
        timestamps = count()
        for pixels, times in frames:
            yuv = _to_yuv(pixels)
            if not stream.codec_context.is_open:
                stream.width, stream.height = yuv.width, yuv.height
            for timestamp in islice(timestamps, times):
                yuv.pts = timestamp
                video.mux(stream.encode(yuv))
        video.mux(stream.encode(None))


def _write_webp(path: Path, frames: Iterable[tuple[Pixels, int]], rate: int) -> None:
    images = [(Image.fromarray(pixels), round(1000 * times / rate)) for pixels, times in frames]
    (first, _), *others = images
    durations = [milliseconds for _, milliseconds in images]
    rest = [image for image, _ in others]
    first.save(path, "WEBP", save_all=True, append_images=rest, duration=durations, loop=0, quality=80)


@dataclass(frozen=True)
class EncodedFrame:
    """An encoded frame: its data, its timestamp in units of the video's time base, and whether it is a key frame."""

    data: bytes
    pts: int
    key: bool


def encode_segment(frames: Iterable[tuple[Pixels, int]], like: VideoStream, *, sideways: bool) -> list[EncodedFrame]:
    """Encode frames, each uint8 (H, W, 3) with its timestamp, as a segment of a video with the time base and frame rate
    of ``like``, whose frames are shown rotated by 90° if ``sideways``."""
    packets: list[Any] = []
    encoder: VideoCodecContext | None = None
    for pixels, timestamp in frames:
        yuv = _to_yuv(pixels)
        yuv.pts, yuv.time_base = timestamp, like.time_base
        if encoder is None:
            encoder = cast(VideoCodecContext, av.CodecContext.create(choose_encoder(), "w"))
            configure_segments(encoder, like, yuv.width, yuv.height, sideways=sideways)
            encoder.flags |= Flags.global_header  # as MP4 requires: parameter sets are stored once
        packets += encoder.encode(yuv)
    if encoder is not None:
        packets += encoder.encode(None)
    return [EncodedFrame(bytes(packet), int(packet.pts or 0), packet.is_keyframe) for packet in packets]


def configure_segments(
    encoder: VideoCodecContext, like: VideoStream, width: int, height: int, *, sideways: bool
) -> None:
    """Configure the encoder of a segment, or the stream that segments are muxed into."""
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = cast(Fraction, like.time_base)
    encoder.framerate = like.average_rate or like.guessed_rate or Fraction(25)
    encoder.options = SEGMENT_OPTIONS[encoder.codec.name]
    aspect = like.sample_aspect_ratio or Fraction(1)
    encoder.sample_aspect_ratio = 1 / aspect if sideways and aspect else aspect
    _tag_colours(encoder)


def _to_yuv(pixels: Pixels) -> av.VideoFrame:
    """Convert pixels (H, W, 3) to a frame; odd sides lose one line."""
    height, width = (side - side % 2 for side in pixels.shape[:2])
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), "rgb24")
    return rgb.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)


def _tag_colours(encoder: VideoCodecContext) -> None:
    """Tag the stream as BT.709: players choose the matrix of untagged videos differently."""
    encoder.colorspace, encoder.color_range = Colorspace.ITU709, ColorRange.MPEG
    encoder.color_primaries, encoder.color_trc = ColorPrimaries.BT709, ColorTrc.BT709


def choose_encoder() -> str:
    """Return the first available of :data:`ENCODERS`. Raises ImpastoError if there is none."""
    for name in ENCODERS:
        if name in av.codecs_available:
            return name
    raise ImpastoError(f"This PyAV has no encoder for web video ({', '.join(ENCODERS)}): install av from PyPI.")
