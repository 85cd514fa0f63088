"""Read videos: frames with their timestamps."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from impasto.config.types import Pixels
from impasto.errors import ImpastoError

#: FFmpeg's value for a frame without colour matrix coefficients.
UNSPECIFIED = 2
#: Transfer characteristics of high dynamic range: SMPTE ST 2084 and ARIB STD-B67.
HDR_TRANSFERS = (16, 18)


@contextmanager
def open_video(path: Path) -> Iterator[InputContainer]:
    """Open a video whose first video stream can be decoded.

    Raises ImpastoError if there is none, the file is not a video, or it is HDR.
    """
    try:
        source = av.open(path)
    except FileNotFoundError as error:
        raise ImpastoError(f"There is no video {path}: check the path.") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImpastoError(
            f"{path} cannot be opened as a video ({reason}): it is damaged or another format."
        ) from error
    with source:
        if not source.streams.video:
            raise ImpastoError(f"{path} has audio but no video stream: there is nothing to paint.")
        stream = source.streams.video[0]
        if stream.codec_context.color_trc in HDR_TRANSFERS:
            raise ImpastoError(f"{path} is a high dynamic range (HDR) video: convert it to standard range first.")
        stream.thread_type = "AUTO"
        yield source


class FrameDecoder:
    """Iterates over the decodable frames of a video, with strictly increasing timestamps: not all files store them.

    ``damaged`` counts packets that could not be decoded.
    """

    def __init__(self, source: InputContainer) -> None:
        self._source = source
        self.damaged = 0

    def __iter__(self) -> Iterator[av.VideoFrame]:
        stream: VideoStream = self._source.streams.video[0]
        rate, unit = stream.average_rate or stream.guessed_rate or Fraction(25), stream.time_base or Fraction(1, 1000)
        step, last = max(round(1 / (rate * unit)), 1), None
        packets = self._source.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                packet = None  # treat as the end of the file
            if packet is not None and not packet.size and packet.dts is not None:
                continue  # repeats the last frame; a decoder would take it for the end
            try:
                decoded = stream.codec_context.decode(packet)
            except av.FFmpegError:
                decoded = []
                self.damaged += 1
            for frame in decoded:
                if last is not None and (frame.pts is None or frame.pts <= last):
                    frame.pts = last + step
                last = frame.pts or 0
                yield frame
            if packet is None or not packet.size:
                return


def to_rgb(frame: av.VideoFrame, width: int, height: int) -> Pixels:
    """Return a frame as uint8 (H, W, 3), upright, scaled to ``width`` × ``height`` first, as some videos change their
    size. Without matrix coefficients, BT.709 is assumed from 720 lines on, as players do, else BT.601."""
    unknown = frame.colorspace == UNSPECIFIED
    assumed = Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
    rgb = frame.reformat(width, height, format="rgb24", src_colorspace=assumed if unknown else None).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90) % 4))


def is_sideways(frame: av.VideoFrame) -> bool:
    """Return whether a frame is shown rotated by 90° or 270°."""
    return round(frame.rotation / 90) % 2 == 1


def duration(video: Path) -> float:
    """Return the end, in seconds, of the last readable packet of a video, video or audio."""
    end = Fraction(0)
    with av.open(video) as source:
        try:
            for packet in source.demux():
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        except av.FFmpegError:
            return float(end)  # readable up to here
    return float(end)
