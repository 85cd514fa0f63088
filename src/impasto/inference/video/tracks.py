"""Tracks of a painted video beside its pictures, each made from a stream of the video."""

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

from av.container import OutputContainer

#: Seconds by which packets of sound may overlap. Beyond, its clock was set back, as where recordings were joined.
OVERLAP = 0.5
#: Metadata of a stream that MP4 stores, and under which names other files have it.
METADATA = {"language": "language", "handler_name": "handler_name", "name": "title", "title": "title"}


class Track:
    """Turns the packets of the stream ``source`` into those of the new stream ``target``.

    Attributes:
        damaged: number of packets that could not be decoded.
    """

    def __init__(self, source: Any, target: Any) -> None:
        self.source, self.target, self.damaged = source, target, 0
        self._last: int | None = None
        self._end: int | None = None
        self._offset = 0
        describe(target, source)

    def convert(self, packet: Any) -> Iterator[Any]:
        """Yield the packets that are made from the next one of ``source``, or those that follow the last (None), with
        strictly increasing timestamps, as MP4 requires."""
        if packet is not None and self.source.type == "audio":
            self._join(packet)
        for each in self._packets(packet) if packet is not None else self._rest():
            step = ceil(self.target.time_base / each.time_base)
            if self._last is not None and each.dts < self._last + step:
                each.dts = self._last + step
            if each.pts is None or each.pts < each.dts:
                each.pts = each.dts
            self._last, each.stream = each.dts, self.target
            yield each

    def _join(self, packet: Any) -> None:
        """Let a packet follow the last one if the clock was set back before it."""
        if packet.dts is not None and self._end is not None:
            back = self._end - packet.dts - self._offset
            self._offset += back if back * packet.time_base > OVERLAP else 0
        packet.pts, packet.dts = (None if each is None else each + self._offset for each in (packet.pts, packet.dts))
        if packet.dts is not None:
            self._end = packet.dts + (packet.duration or 0)

    def _packets(self, packet: Any) -> Iterator[Any]:
        raise NotImplementedError

    def _rest(self) -> Iterator[Any]:
        return iter(())


#: Adds a track to a video that is written, from a stream of one that is read.
Opener = Callable[[Any, OutputContainer], Track]


class Copy(Track):
    """The same packets."""

    def __init__(self, source: Any, out: OutputContainer) -> None:
        super().__init__(source, out.add_stream_from_template(source))

    def _packets(self, packet: Any) -> Iterator[Any]:
        if packet.dts is not None:
            yield packet


def describe(target: Any, source: Any) -> None:
    """Give a stream the language, title and disposition of another."""
    target.metadata.update({kept: source.metadata[name] for name, kept in METADATA.items() if name in source.metadata})
    target.disposition = source.disposition
