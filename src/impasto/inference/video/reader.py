"""Read videos: frames with their timestamps."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from impasto.errors import ImpastoError
from impasto.inference.video.containers import all_packets, film_stream, open_input, packets
from impasto.inference.video.deinterlace import deinterlace

#: Transfer characteristics of high dynamic range: SMPTE ST 2084 and ARIB STD-B67.
HDR_TRANSFERS = (16, 18)


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video, and choose its film (:func:`impasto.inference.video.containers.film_stream`).

    Raises ImpastoError if there is none that can be decoded, the file is not a video, or it is HDR.
    """
    try:
        source = open_input(path)
    except FileNotFoundError as error:
        raise ImpastoError(f"There is no video {path}: check the path.") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImpastoError(
            f"{path} cannot be opened as a video ({reason}): it is damaged or another format."
        ) from error
    with source:
        stream = film_stream(source)
        if stream is None:
            rest = "audio but no" if source.streams.audio else "no"
            raise ImpastoError(f"{path} has {rest} video stream: there is nothing to paint.")
        if stream.codec_context is None:
            raise ImpastoError(f"{path} has an unknown video codec: convert it first, for example to H.264.")
        require_standard_range(path, stream.codec_context.color_trc)
        stream.thread_type = "AUTO"
        yield source, stream


def require_standard_range(path: Path, transfer: int) -> None:
    """Raise ImpastoError for the transfer characteristics of HDR."""
    if transfer in HDR_TRANSFERS:
        raise ImpastoError(f"{path} is a high dynamic range (HDR) video: convert it to standard range first.")


class FrameDecoder:
    """Iterates over the decodable frames of a video, deinterlaced, with strictly increasing timestamps: not all files
    store them.

    Attributes:
        damaged: number of packets that could not be decoded.
        end: when the frames end, in the stream's time base.
    """

    def __init__(self, source: InputContainer, stream: VideoStream) -> None:
        self._source, self._stream = source, stream
        self.damaged, self.end = 0, 0

    def __iter__(self) -> Iterator[av.VideoFrame]:
        for frame in deinterlace(self._timed(), self._stream.time_base or Fraction(1, 1000)):
            self.end = max(self.end, int(frame.pts or 0) + frame.duration)
            yield frame

    def _timed(self) -> Iterator[av.VideoFrame]:
        """Yield frames with timestamp and duration."""
        stream = self._stream
        rate, unit = stream.average_rate or stream.guessed_rate or Fraction(25), stream.time_base or Fraction(1, 1000)
        usual, last, clock = max(round(1 / (rate * unit)), 1), None, Clock()
        for frame in self._decoded():
            pts = clock.timestamp(frame.pts, frame.dts)
            if last is None:
                pts = pts or 0
            elif pts is None or pts <= last:
                pts = last + usual
            if frame.duration <= 0:
                frame.duration = usual
            frame.pts = last = pts
            yield frame

    def _decoded(self) -> Iterator[av.VideoFrame]:
        for packet in chain(packets(self._source, self._stream), [None]):
            try:
                yield from self._stream.codec_context.decode(packet)
            except av.FFmpegError:
                self.damaged += 1


class Clock:
    """Chooses between the presentation timestamps of frames and those of decoding, as AVI stores only these: whichever
    went backwards less often (``guess_correct_pts`` of FFmpeg's libavcodec/decode.c)."""

    def __init__(self) -> None:
        self._faults = {"pts": 0, "dts": 0}
        self._last: dict[str, int] = {}

    def timestamp(self, pts: int | None, dts: int | None) -> int | None:
        """Return the timestamp of the next frame, if it has any."""
        for name, value, other in (("dts", dts, pts), ("pts", pts, dts)):
            if value is not None:
                self._faults[name] += name in self._last and value <= self._last[name]
            now = other if value is None else value
            if now is not None:
                self._last[name] = now
        return pts if pts is not None and (dts is None or self._faults["pts"] <= self._faults["dts"]) else dts


def duration(video: Path) -> float:
    """Return the end, in seconds, of the last readable packet of a video, video or audio."""
    end = Fraction(0)
    with open_input(video) as source:
        for packet in all_packets(source):
            moment = packet.pts if packet.pts is not None else packet.dts
            if moment is not None:
                end = max(end, (moment + (packet.duration or 0)) * packet.time_base)
    return float(end)
