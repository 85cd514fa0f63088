"""Encoded segments become one MP4, with the audio of the source."""

from pathlib import Path

import av
import numpy as np
import pytest

from fixtures.videos import HEIGHT, WIDTH, audio_packets, read_video, scene, write_video
from impasto.errors import ImpastoError
from impasto.inference.video.mux import mux
from impasto.inference.video.pictures import to_rgb
from impasto.inference.video.reader import FrameDecoder, open_video
from impasto.inference.video.track_choice import choose_tracks
from impasto.inference.video.writer import EncodedFrame, encode_segment


def segments(video: Path, length: int) -> list[EncodedFrame]:
    """Encode the frames of a video in segments of ``length``."""
    with open_video(video) as (source, stream):
        frames = [(to_rgb(frame, WIDTH, HEIGHT), int(frame.pts or 0)) for frame in FrameDecoder(source, stream)]
        parts = [frames[first : first + length] for first in range(0, len(frames), length)]
        return [frame for part in parts for frame in encode_segment(part, stream, sideways=False)]


def painted(out: Path, video: Path, frames: list[EncodedFrame]) -> int:
    end = frames[-1].pts + 40
    return mux(out, video, frames, end, WIDTH, HEIGHT, sideways=False, tracks=choose_tracks(video))


def test_concatenated_segments_show_every_frame_at_its_timestamp(tmp_path: Path) -> None:
    timestamps = [0, 1, 2, 5, 6, 10, 11]
    video = write_video(tmp_path / "video.mkv", [scene(number) for number in range(7)], timestamps)
    assert painted(tmp_path / "out.mp4", video, segments(video, 3)) == 0
    frames, times = read_video(tmp_path / "out.mp4")
    assert times == pytest.approx([each / 25 for each in timestamps], abs=0.002)
    for number, frame in enumerate(frames):
        assert np.abs(frame.astype(int) - scene(number)).mean() < 6


@pytest.mark.parametrize(
    ("codec", "copied"), [("libmp3lame", True), ("flac", True), ("aac", True), ("pcm_s16le", False)]
)
def test_audio_is_copied_if_mp4_supports_it_and_else_transcoded_to_aac(
    codec: str, copied: bool, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "video.mkv", [scene()] * 3, sound=codec)
    painted(tmp_path / "out.mp4", video, segments(video, 9))
    assert (audio_packets(tmp_path / "out.mp4") == audio_packets(video)) is copied
    if not copied:
        with av.open(tmp_path / "out.mp4") as out:
            assert out.streams.audio[0].codec_context.name == "aac"
            samples = np.concatenate([frame.to_ndarray() for frame in out.decode(audio=0)], axis=1)
        assert samples.shape[1] == pytest.approx(40 * 1024, abs=2048) and samples.std() > 0.1


def test_an_mp4_that_cannot_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mkv", [scene()] * 3)
    frames = segments(video, 9)
    backwards = [EncodedFrame(frame.data, -frame.pts - 1, frame.key) for frame in frames]
    with pytest.raises(ImpastoError, match="cannot be written as an MP4") as caught:
        painted(tmp_path / "out.mp4", video, backwards)
    assert "\n" not in str(caught.value)
