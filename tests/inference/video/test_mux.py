"""Encoded segments become one MP4, with the audio of the source."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from fixtures.videos import HEIGHT, WIDTH, audio_packets, read_video, scene, write_video
from impasto.errors import ImpastoError
from impasto.inference.video.mux import mux, require_muxable
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


@pytest.mark.parametrize("codec", ["aac", "mp2"])  # copied, and encoded
def test_the_sound_of_joined_recordings_lasts_as_long_as_both(codec: str, tmp_path: Path) -> None:
    """Each with a clock that starts at 0, as after ``cat one.ts two.ts``."""
    one = write_video(tmp_path / "one.ts", [scene()] * 23, sound=codec)
    (tmp_path / "both.ts").write_bytes(one.read_bytes() * 2)
    ends = []
    for video in (one, tmp_path / "both.ts"):
        painted(tmp_path / "out.mp4", video, segments(video, 99))
        with av.open(tmp_path / "out.mp4") as out:
            moments = [float((packet.pts or 0) * packet.time_base) for packet in out.demux(audio=0) if packet.size]
        assert max(np.diff(moments)) < 0.1
        ends.append(moments[-1])
    assert ends[1] == pytest.approx(2 * ends[0], abs=0.1)


def test_a_damaged_packet_of_sound_loses_only_itself(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.ts", [scene()] * 3, sound="aac")
    data = bytearray(video.read_bytes())
    headers = [at for at in range(len(data) - 1) if data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0]  # of ADTS
    data[headers[30]] = 0
    (tmp_path / "damaged.ts").write_bytes(data)
    frames = segments(video, 9)
    assert painted(tmp_path / "out.mp4", tmp_path / "damaged.ts", frames) == 1
    kept = audio_packets(tmp_path / "out.mp4")
    painted(tmp_path / "out.mp4", video, frames)
    whole = audio_packets(tmp_path / "out.mp4")
    assert len(kept) >= len(whole) - 2 and set(kept) <= set(whole)


def test_title_chapters_languages_and_flags_are_kept(tmp_path: Path) -> None:
    video = tmp_path / "video.mkv"
    titles = [(0, 80, "eins"), (80, 120, "zwei")]
    with av.open(write_video(tmp_path / "plain.mkv", [scene()] * 3, sound="aac")) as source, av.open(video, "w") as out:
        out.metadata.update(title="Grün", artist="Ich", encoder="another")
        unit = Fraction(1, 1000)
        out.set_chapters(
            [
                {"id": 2**40 + start, "start": start, "end": end, "time_base": unit, "metadata": {"title": title}}
                for start, end, title in titles
            ]
        )
        pictures = out.add_stream_from_template(source.streams.video[0])
        sounds = [out.add_stream_from_template(source.streams.audio[0]) for _ in range(2)]
        for sound, language, flag in zip(sounds, ("eng", "deu"), (Disposition(0), Disposition.default), strict=True):
            sound.metadata["language"], sound.disposition = language, flag
        for packet in source.demux():
            if packet.size:
                data = bytes(packet)
                for stream in [pictures] if packet.stream.type == "video" else sounds:
                    copy = av.Packet(data)
                    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
                    copy.is_keyframe, copy.stream = packet.is_keyframe, stream
                    out.mux(copy)
    assert painted(tmp_path / "out.mp4", video, segments(video, 9)) == 0
    with av.open(tmp_path / "out.mp4") as out:
        assert (out.metadata["title"], out.metadata["artist"]) == ("Grün", "Ich")
        assert [(each["start"], each["end"], each["metadata"]["title"]) for each in out.chapters()] == titles
        assert [(each.language, int(each.disposition)) for each in out.streams.audio] == [("eng", 0), ("deu", 1)]


def test_a_video_that_begins_late_is_painted_from_its_beginning(tmp_path: Path) -> None:
    """As a recording of television, whose clock counts from any moment: with its sound and chapters."""
    with (
        av.open(write_video(tmp_path / "plain.mkv", [scene()] * 3, sound="aac")) as source,
        av.open(tmp_path / "video.mkv", "w") as video,
    ):
        streams = [video.add_stream_from_template(stream) for stream in source.streams]
        chapter = {"id": 1, "start": 5000, "end": 6000, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
        video.set_chapters([chapter])  # type: ignore[list-item]
        for packet in source.demux():
            if packet.size:
                packet.pts, packet.dts = (packet.pts or 0) + 5000, (packet.dts or 0) + 5000
                packet.stream = streams[packet.stream.index]
                video.mux(packet)
    painted(tmp_path / "out.mp4", tmp_path / "video.mkv", segments(tmp_path / "video.mkv", 9))
    _, times = read_video(tmp_path / "out.mp4")
    assert times == pytest.approx([0, 0.04, 0.08], abs=0.03)
    with av.open(tmp_path / "out.mp4") as out:
        assert (out.chapters()[0]["start"], out.chapters()[0]["end"]) == (0, 1000) and (out.duration or 0) < 1_500_000
        assert (out.streams.audio[0].start_time or 0) < 0.05 * out.streams.audio[0].rate


def test_every_frame_lasts_until_the_next_and_the_last_one_to_the_end(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mkv", [scene()] * 3, [0, 2, 3])
    mux(
        tmp_path / "out.mp4",
        video,
        segments(video, 9),
        1120,
        WIDTH,
        HEIGHT,
        sideways=False,
        tracks=choose_tracks(video),
    )
    with av.open(tmp_path / "out.mp4") as out:
        stream = out.streams.video[0]
        shown = [(packet.duration or 0) * packet.time_base for packet in out.demux(stream) if packet.size]
    assert [float(each) for each in shown] == pytest.approx([0.08, 0.04, 1.0])


def test_what_an_mp4_cannot_hold_is_found_before_the_frames(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mkv", [scene()] * 3)
    require_muxable(video, WIDTH, HEIGHT, sideways=False, tracks=choose_tracks(video))
    with pytest.raises(ImpastoError, match="cannot be written as an MP4"):
        require_muxable(video, 2**20, 2**20, sideways=False, tracks=choose_tracks(video))


def test_an_mp4_that_cannot_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mkv", [scene()] * 3)
    frames = segments(video, 9)
    backwards = [EncodedFrame(frame.data, -frame.pts - 1, frame.key) for frame in frames]
    with pytest.raises(ImpastoError, match="cannot be written as an MP4") as caught:
        painted(tmp_path / "out.mp4", video, backwards)
    assert "\n" not in str(caught.value)
