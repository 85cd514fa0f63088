"""Videos are read frame by frame, with increasing timestamps."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from fixtures.videos import HEIGHT, WIDTH, scene, write_held, write_video
from impasto.errors import ImpastoError
from impasto.inference.video.pictures import is_sideways, to_rgb
from impasto.inference.video.reader import Clock, FrameDecoder, duration, open_video


def test_frames_have_their_pixels_and_timestamps(tmp_path: Path) -> None:
    timestamps = [0, 1, 4, 9]
    path = write_video(tmp_path / "video.mkv", [scene(number) for number in range(4)], timestamps)
    with open_video(path) as (source, stream):
        decoder = FrameDecoder(source, stream)
        frames = list(decoder)
        unit = float(stream.time_base or 0)
    assert [round((frame.pts or 0) * unit * 25) for frame in frames] == timestamps and decoder.damaged == 0
    for number, frame in enumerate(frames):
        assert np.abs(to_rgb(frame, WIDTH, HEIGHT).astype(int) - scene(number)).mean() < 4


def test_a_frame_is_scaled_and_turned_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.mp4", [scene()] * 2, turned=90)
    with open_video(path) as (source, stream):
        frame = next(iter(FrameDecoder(source, stream)))
    assert is_sideways(frame) and to_rgb(frame, 32, 24).shape == (32, 24, 3)


def times(path: Path) -> tuple[list[float], float]:
    """Return when the frames of a video begin, and when the last one ends, in seconds."""
    with open_video(path) as (source, stream):
        decoder, unit = FrameDecoder(source, stream), float(stream.time_base or 0)
        return [(frame.pts or 0) * unit for frame in decoder], decoder.end * unit


@pytest.mark.parametrize(("codec", "first"), [("libx264", 0.08), ("mpeg4", 0.04)])
def test_frames_that_avi_stores_in_another_order_are_evenly_apart(codec: str, first: float, tmp_path: Path) -> None:
    """AVI has timestamps of decoding alone: frames are late by as many as are held back."""
    with av.open(tmp_path / "video.avi", "w") as video:
        stream = cast(VideoStream, video.add_stream(codec, 25, options={"bf": "2"}))
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(scene(number), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            video.mux(stream.encode(frame))
        video.mux(stream.encode(None))
    found, _ = times(tmp_path / "video.avi")
    assert len(found) == 20 and {round(after - before, 3) for before, after in pairwise(found)} == {0.04}
    assert found[0] <= first + 0.001


def test_the_last_frame_lasts_as_long_as_its_packet_says(tmp_path: Path) -> None:
    found, end = times(write_held(tmp_path / "video.mkv", [scene()] * 4))
    assert end - found[-1] == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(
    ("stored", "chosen"),
    [
        ([(0, 0), (2, 1), (1, 2)], [0, 2, 2]),
        ([(None, 0), (None, 1)], [0, 1]),
        ([(3, 0), (2, 1), (1, 2)], [3, 1, 2]),
        ([(None, None)], [None]),
        ([(0, 0), (1, 0), (2, 0)], [0, 1, 2]),
    ],
)
def test_the_timestamps_that_go_backwards_less_often_are_chosen(
    stored: list[tuple[int | None, int | None]], chosen: list[int | None]
) -> None:
    clock = Clock()
    assert [clock.timestamp(*each) for each in stored] == chosen


def test_the_duration_includes_video_and_audio(tmp_path: Path) -> None:
    assert duration(write_video(tmp_path / "silent.mkv", [scene()] * 10)) == pytest.approx(0.4, abs=0.05)
    assert duration(write_video(tmp_path / "tone.mkv", [scene()] * 10, sound="aac")) == pytest.approx(0.93, abs=0.05)


def test_what_is_no_film_is_refused_in_one_line(tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", [scene()] * 3)
    (tmp_path / "unknown.mp4").write_bytes(film.read_bytes().replace(b"avc1", b"zzz1"))
    (tmp_path / "folder.mp4").mkdir()
    reasons = {"unknown.mp4": "unknown video codec", "folder.mp4": "cannot be opened", "none.mp4": "There is no video"}
    for name, reason in reasons.items():
        with pytest.raises(ImpastoError, match=reason) as error, open_video(tmp_path / name):
            pass
        assert "\n" not in str(error.value)


def test_an_hdr_video_is_refused(tmp_path: Path) -> None:
    with av.open(tmp_path / "hdr.mp4", "w") as video:
        stream = video.add_stream("libx264", 25)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        stream.codec_context.color_trc = 16
        video.mux(stream.encode(av.VideoFrame.from_ndarray(scene(), "rgb24")))
        video.mux(stream.encode(None))
    with pytest.raises(ImpastoError, match="HDR"), open_video(tmp_path / "hdr.mp4"):
        pass
