"""Interlaced frames lose their combs, and keep their timestamps."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fixtures.videos import HEIGHT, WIDTH, scene
from impasto.inference.video.deinterlace import deinterlace


def woven(number: int) -> np.ndarray:
    """A frame of two fields: the scene moves 2 pixels from one to the next."""
    frame = scene(4 * number)
    frame[1::2] = scene(4 * number + 2)[1::2]
    return frame


def combs(frame: av.VideoFrame) -> float:
    grey = frame.to_ndarray(format="rgb24").mean(axis=2)
    return float(np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2).mean())


def film(path: Path, *, interlaced: bool) -> Path:
    options = {"crf": "1", "x264-params": "interlaced=1:tff=1"} if interlaced else {"crf": "1"}
    with av.open(path, "w") as video:
        stream = video.add_stream("libx264", 25, options=options)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for number in (0, 1, 2, 5, 6, 7):
            frame = av.VideoFrame.from_ndarray(woven(number), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            video.mux(stream.encode(frame))
        video.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("interlaced", [True, False])
def test_only_flagged_frames_are_deinterlaced_and_all_keep_their_timestamps(interlaced: bool, tmp_path: Path) -> None:
    with av.open(film(tmp_path / "film.mkv", interlaced=interlaced)) as source:
        decoded = list(source.decode(video=0))
        before, times = [combs(frame) for frame in decoded], [(frame.pts, frame.duration) for frame in decoded]
        found = list(deinterlace(decoded, Fraction(1, 1000)))
    assert [(frame.pts, frame.duration) for frame in found] == times and not any(f.interlaced_frame for f in found)
    after = [combs(frame) for frame in found]
    assert np.mean(after) < 0.4 * np.mean(before) if interlaced else after == before


def test_frames_that_change_their_size_are_all_shown(tmp_path: Path) -> None:
    frames = []
    for number, width in enumerate((64, 64, 32, 32, 2)):
        frame = av.VideoFrame(width, 48, "yuv420p")
        frame.pts = number
        frames.append(frame)
    with av.open(film(tmp_path / "film.mkv", interlaced=True)) as source:
        first = next(source.decode(video=0))
        first.pts = -1
        assert [frame.pts for frame in deinterlace([first, *frames], Fraction(1, 25))] == [-1, 0, 1, 2, 3, 4]
