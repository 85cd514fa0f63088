"""Subtitles of a painted video: text, in the codec of MP4 (``mov_text``)."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.subtitles.stream import SubtitleStream

from impasto.inference.video.tracks import Copy, Opener, Track

#: The only codec for text in MP4.
CODEC = "mov_text"


def subtitle_openers(stream: Any) -> Iterator[Opener]:
    """Yield the way to write a track of subtitles, unless they are images."""
    if stream.codec_context is not None and stream.codec_context.codec.name == CODEC:
        yield Copy
    elif stream.codec_context is not None and stream.codec_context.codec.text_sub:
        yield Conversion


class Conversion(Track):
    """The text, with the styles that the codec knows."""

    def __init__(self, source: SubtitleStream, out: OutputContainer) -> None:
        super().__init__(source, out.add_stream(CODEC))
        source.codec_context.open(strict=False)
        self.target.codec_context.subtitle_header = source.codec_context.subtitle_header

    def _packets(self, packet: Any) -> Iterator[Any]:
        if packet.pts is None or not packet.size:
            return
        try:
            text = self.source.codec_context.decode2(packet)
            if text is None or not len(text):
                return
            milliseconds = text.end_display_time - text.start_display_time
            text.start_display_time = 0  # as the encoder requires
            encoded = self.target.codec_context.encode_subtitle(text)
        except (av.FFmpegError, ValueError):
            self.damaged += 1
            return
        encoded.pts = encoded.dts = packet.pts
        encoded.duration = packet.duration or round(Fraction(milliseconds, 1000) / packet.time_base)
        encoded.time_base = packet.time_base
        yield encoded
