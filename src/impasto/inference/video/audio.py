"""Sound of a painted video: copied where MP4 holds its codec, else encoded as AAC with the same channels."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer

from impasto.inference.video.tracks import Copy, Opener, Track

#: Codecs that are copied.
COPIED = ("aac", "mp3", "ac3", "eac3", "opus", "alac", "flac")
#: Sample rates of AAC in Hz; the first replaces any other rate.
RATES = (48_000, 96_000, 88_200, 64_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
#: Layouts that FFmpeg's AAC encoder takes; the first with their number is assumed for channels without a place.
LAYOUTS = (
    *("mono", "stereo", "2.1", "3.0", "3.0(back)", "4.0", "quad", "quad(side)", "3.1", "5.0", "5.0(side)", "4.1"),
    *("5.1", "5.1(side)", "6.0", "6.0(front)", "hexagonal", "6.1", "6.1(back)", "6.1(front)", "7.0", "7.0(front)"),
    *("7.1", "7.1(wide)", "7.1(wide-side)", "octagonal"),
)
#: What any other layout is mixed to, tried in turn.
MIXES = ("7.1", "stereo")


@dataclass(frozen=True)
class Places:
    """A layout, and which channel of a stream lies at each of its places."""

    layout: str
    order: tuple[int, ...]


def sound_openers(stream: Any) -> Iterator[Opener]:
    """Yield the ways to write a sound track, the best first."""
    if stream.codec_context is None:
        return
    if stream.codec_context.codec.canonical_name in COPIED:
        yield Copy
    layout = stream.codec_context.layout
    # PyAV 18 frees a layout with its own order of channels twice, which ends the process (PyAV 19.1 does not).
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    name, places = layout.name, None
    if " channels" in name:  # no standard layout
        places = _places(_channels(layout))
        name = places.layout if places is not None else name
    for target in dict.fromkeys([name] * (name in LAYOUTS) + [*MIXES]):
        yield partial(Encoding, layout=target, places=places)


def _channels(layout: av.AudioLayout) -> tuple[str, ...]:
    return tuple(channel.name for channel in layout.channels)


def _places(channels: tuple[str, ...]) -> Places | None:
    """Return the layout of these channels, in any order, or else the usual one of their number, if there is any."""
    layouts = {name: _channels(av.AudioLayout(name)) for name in LAYOUTS}
    for name, places in layouts.items():
        if sorted(places) == sorted(channels):
            return Places(name, tuple(channels.index(place) for place in places))
    usual = (name for name, places in layouts.items() if len(places) == len(channels))
    return next((Places(name, tuple(range(len(channels)))) for name in usual), None)


class Encoding(Track):
    """The sound as AAC. Frames are of any layout, or of ``places``; they may change their format."""

    def __init__(self, source: AudioStream, out: OutputContainer, *, layout: str, places: Places | None) -> None:
        self._rate = source.rate if source.rate in RATES else RATES[0]
        super().__init__(source, out.add_stream("aac", self._rate, layout=layout))
        self._layout, self._places = layout, places
        self._resampler: AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None
        if places is not None:  # without a layout, whose frames PyAV 18 would free twice
            source.codec_context.options = {"ch_layout": f"{len(places.order)}C"}

    def _packets(self, packet: Any) -> Iterator[Any]:
        try:
            frames = self.source.decode(packet)
        except av.FFmpegError:
            self.damaged += 1
            return
        for frame in frames:
            frame.time_base = self.source.time_base  # PyAV leaves it out at the end
            yield from self._encoded(frame if self._places is None else _placed(frame, self._places))

    def _rest(self) -> Iterator[Any]:
        yield from self._packets(None)
        yield from self._resampled(None)
        yield from self.target.encode(None)

    def _encoded(self, frame: AudioFrame) -> Iterator[Any]:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            yield from self._resampled(None)
            self._resampler, self._kind = AudioResampler("fltp", self._layout, self._rate), kind
        yield from self._resampled(frame)

    def _resampled(self, frame: AudioFrame | None) -> Iterator[Any]:
        unit = Fraction(1, self._rate)
        for each in self._resampler.resample(frame) if self._resampler is not None else ():
            if each is not None:  # the end, of a resampler that changes nothing
                if each.pts is not None:
                    each.pts = round(each.pts * (each.time_base or unit) / unit)
                each.time_base = unit
                yield from self.target.encode(each)


def _placed(frame: AudioFrame, places: Places) -> AudioFrame:
    """Return a frame with its channels in the order of a layout."""
    samples, channels = frame.to_ndarray(), list(places.order)
    if frame.format.is_packed:
        samples = samples.reshape(-1, len(channels))[:, channels].reshape(1, -1)
    else:
        samples = samples[channels]
    ordered: Any = np.ascontiguousarray(samples)
    placed = AudioFrame.from_ndarray(ordered, frame.format.name, places.layout)
    placed.sample_rate, placed.pts, placed.time_base = frame.sample_rate, frame.pts, frame.time_base
    return placed
