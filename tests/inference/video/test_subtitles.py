"""Subtitles keep their text, times, language and flags, where MP4 has a codec for them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition
from av.subtitles.subtitle import SubtitleSet

from fixtures.videos import HEIGHT, WIDTH
from impasto.inference.video.mux import mux
from impasto.inference.video.track_choice import choose_tracks

HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Alignment
Style: Default,Arial,16,&Hffffff,2

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
LINES = [(100, 300, "Grüße"), (500, 200, "two"), (700, 100, "three")]


def write_subtitled(path: Path, codecs: Sequence[str]) -> Path:
    """Write a video of a second with LINES in each codec, the first in German, and shown."""
    with av.open(path, "w") as video:
        stream = video.add_stream("mpeg4", 25)
        stream.height, stream.width = HEIGHT, WIDTH
        subtitles: list[Any] = [video.add_stream(codec) for codec in codecs]
        for each in subtitles:
            each.codec_context.subtitle_header = HEADER
            each.disposition = Disposition(0)
        subtitles[0].metadata.update(language="ger", title="Full")
        subtitles[0].disposition = Disposition.default
        video.start_encoding()
        packets = []
        for number in range(25):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for each in subtitles:
            for number, (start, shown, text) in enumerate(LINES):
                event = f"{number},0,Default,,0,0,0,,{text}".encode()
                packet = each.codec_context.encode_subtitle(SubtitleSet.create(event, 0, shown, start * 1000))
                packet.stream, packet.time_base = each, Fraction(1, 1000)
                packet.pts, packet.dts, packet.duration = start, start, shown
                packets.append(packet)
        for packet in sorted(packets, key=lambda packet: (packet.dts or 0) * packet.time_base):
            video.mux(packet)
    return path


def read(path: Path, number: int) -> list[tuple[int, int, str]]:
    with av.open(path) as video:
        found = []
        packet: Any
        for packet in video.demux(video.streams.subtitles[number]):
            for subtitle in packet.decode() if packet.size > 2 else ():
                start, shown = (round(1000 * value * packet.time_base) for value in (packet.pts, packet.duration))
                found.append((start, shown, subtitle.dialogue.decode()))
        return found


@pytest.mark.parametrize(
    ("suffix", "codecs"), [(".mkv", ["srt", "ass"]), (".mkv", ["webvtt"]), (".mp4", ["mov_text", "mov_text"])]
)
def test_text_keeps_its_times_language_title_and_flag(suffix: str, codecs: list[str], tmp_path: Path) -> None:
    video, out = write_subtitled(tmp_path / f"video{suffix}", codecs), tmp_path / "out.mp4"
    mux(out, video, [], 0, WIDTH, HEIGHT, sideways=False, tracks=choose_tracks(video))
    with av.open(out) as painted:
        subtitles = painted.streams.subtitles
        assert [each.codec_context.name for each in subtitles] == ["mov_text"] * len(codecs)
        assert subtitles[0].language == "ger" and subtitles[0].metadata["name"] == "Full"
        assert [bool(each.disposition & Disposition.default) for each in subtitles] == [True, False][: len(codecs)]
    for number in range(len(codecs)):
        assert read(out, number) == LINES


def test_subtitles_that_are_images_are_said_to_be_lost(tmp_path: Path) -> None:
    with av.open(tmp_path / "video.mkv", "w") as video:
        stream = video.add_stream("mpeg4", 25)
        stream.height, stream.width = HEIGHT, WIDTH
        video.add_mux_stream("hdmv_pgs_subtitle")
        video.mux([*stream.encode(av.VideoFrame(WIDTH, HEIGHT, "yuv420p")), *stream.encode(None)])
    assert choose_tracks(tmp_path / "video.mkv").lost == ("subtitle track 1 (pgssub)",)
