"""Packets of a track have increasing timestamps, as MP4 requires."""

from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import pytest

from fixtures.videos import scene, write_video
from impasto.inference.video.containers import create_mp4, open_input
from impasto.inference.video.tracks import Copy


@pytest.mark.parametrize("unit", [Fraction(1, 1000), Fraction(1, 90_000)])
def test_timestamps_that_repeat_or_go_backwards_are_moved_on(unit: Fraction, tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mkv", [scene()] * 3, sound="aac")
    with open_input(video) as source, create_mp4(BytesIO()) as out:
        track = Copy(source.streams.audio[0], out)
        out.start_encoding()
        moments: list[int] = []
        for stamp in (0, 50, 50, 40, None, 60):
            packet = av.Packet(b"\x21\x10\x04\x60\x8c\x1c")
            packet.pts = packet.dts = stamp
            packet.time_base = unit
            moments += [converted.dts for converted in track.convert(packet)]
        in_file = [round(moment * unit * 44_100) for moment in moments]
        assert len(moments) == 5 and moments[:2] == [0, 50] and all(a < b for a, b in pairwise(in_file))
