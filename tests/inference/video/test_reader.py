"""Videos are read frame by frame, with increasing timestamps."""

from pathlib import Path

import av
import numpy as np
import pytest

from fixtures.videos import HEIGHT, WIDTH, scene, write_video
from impasto.errors import ImpastoError
from impasto.inference.video.pictures import is_sideways, to_rgb
from impasto.inference.video.reader import FrameDecoder, duration, open_video


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


def test_the_duration_includes_video_and_audio(tmp_path: Path) -> None:
    assert duration(write_video(tmp_path / "silent.mkv", [scene()] * 10)) == pytest.approx(0.4, abs=0.05)
    assert duration(write_video(tmp_path / "tone.mkv", [scene()] * 10, sound="aac")) == pytest.approx(0.93, abs=0.05)


def test_an_hdr_video_is_refused(tmp_path: Path) -> None:
    with av.open(tmp_path / "hdr.mp4", "w") as video:
        stream = video.add_stream("libx264", 25)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        stream.codec_context.color_trc = 16
        video.mux(stream.encode(av.VideoFrame.from_ndarray(scene(), "rgb24")))
        video.mux(stream.encode(None))
    with pytest.raises(ImpastoError, match="HDR"), open_video(tmp_path / "hdr.mp4"):
        pass
