"""Sound of a painted video: copied where MP4 holds its codec, else encoded as AAC with the same channels."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.filter import Graph

from impasto.inference.video.tracks import Copy, Opener, Track

#: Codecs that are copied.
COPIED = ("aac", "mp3", "ac3", "eac3", "opus", "alac", "flac")
#: Sample rates of AAC in Hz; the first replaces any other rate.
RATES = (48_000, 96_000, 88_200, 64_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
#: Layouts that AAC keeps by name.
KEPT = ("mono", "stereo", "2.1", "3.0", "3.0(back)", "4.0", "quad", "5.0", "5.1", "7.1")
#: What others are mixed to, without loss of a channel: these, or the last of KEPT.
MIXED = {"3.1": "5.1", "4.1": "5.1", "quad(side)": "quad", "5.0(side)": "5.0", "5.1(side)": "5.1"}
#: Layouts whose channels may come in another order. The first with their number is assumed for channels without names.
NAMED = (
    *("mono", "stereo", "3.0", "2.1", "3.0(back)", "4.0", "quad", "quad(side)", "3.1", "5.0", "5.0(side)", "4.1"),
    *("5.1", "5.1(side)", "6.0", "6.0(front)", "hexagonal", "6.1", "6.1(back)", "6.1(front)", "7.0", "7.0(front)"),
    *("7.1", "7.1(wide)", "7.1(wide-side)", "octagonal"),
)


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
    if not layout.nb_channels:  # none of its packets has been read
        name = "stereo"
    elif " channels" in name:  # no standard layout
        places = _places(_channels(layout))
        name = places.layout if places is not None else name
    best = name if name in KEPT else MIXED.get(name, KEPT[-1])
    for target in dict.fromkeys((best, "stereo")):
        yield partial(Encoding, layout=target, places=places)


def _channels(layout: av.AudioLayout) -> tuple[str, ...]:
    return tuple(channel.name for channel in layout.channels)


def _places(channels: tuple[str, ...]) -> Places | None:
    """Return the layout of these channels, in any order, or else the usual one of their number, if there is any."""
    layouts = {name: _channels(av.AudioLayout(name)) for name in NAMED}
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
        self._graph: Graph | None = None
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
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if kind != self._kind:
                yield from self._encoded(None)
                self._graph, self._kind = self._converter(frame), kind
            yield from self._encoded(frame)

    def _rest(self) -> Iterator[Any]:
        yield from self._packets(None)
        yield from self._encoded(None)
        yield from self.target.encode(None)

    def _converter(self, frame: AudioFrame) -> Graph:
        """Return a graph that makes frames for the encoder. (NumPy is no way: PyAV 18 reads beyond 8 planes.)"""
        graph = Graph()
        nodes = [
            graph.add(
                "abuffer",
                sample_rate=str(frame.sample_rate),
                sample_fmt=frame.format.name,
                channel_layout=frame.layout.name,
                time_base=str(frame.time_base),
            )
        ]
        if self._places is not None:
            order = "|".join(map(str, self._places.order))
            nodes.append(graph.add("channelmap", map=order, channel_layout=self._places.layout))
        nodes.append(
            graph.add("aformat", sample_rates=str(self._rate), sample_fmts="fltp", channel_layouts=self._layout)
        )
        graph.link_nodes(*nodes, graph.add("abuffersink")).configure()
        return graph

    def _encoded(self, frame: AudioFrame | None) -> Iterator[Any]:
        """Yield the packets of the next frame, or those that are left in the graph (None)."""
        if self._graph is None:
            return
        self._graph.push(frame)
        while True:
            try:
                converted = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            try:
                yield from self.target.encode(converted)
            except (av.InvalidDataError, av.ArgumentError):  # the second for samples that are NaN or infinite
                self.damaged += 1
