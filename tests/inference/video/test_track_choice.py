"""What an MP4 cannot hold of a video is said, and found before any frame is painted."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition

from fixtures.videos import HEIGHT, WIDTH, scene, write_video
from impasto.inference.video.containers import packets
from impasto.inference.video.track_choice import choose_tracks
from impasto.inference.video.tracks import Copy


@pytest.mark.parametrize(("codec", "copied"), [("aac", True), ("flac", True), ("ac3", True), ("pcm_s16le", False)])
def test_sound_is_copied_if_mp4_holds_it(codec: str, copied: bool, tmp_path: Path) -> None:
    tracks = choose_tracks(write_video(tmp_path / "video.mkv", [scene()] * 3, sound=codec))
    assert tracks.lost == () and [*tracks.openers] == [1] and (tracks.openers[1] is Copy) is copied


def test_sound_of_an_unknown_codec_is_lost_alone(tmp_path: Path) -> None:
    """As Apple's APAC, of which newer iPhones add a track."""
    video = write_video(tmp_path / "video.mov", [scene()] * 3, sound="aac")
    video.write_bytes(video.read_bytes().replace(b"mp4a", b"apac").replace(b"esds", b"free"))
    tracks = choose_tracks(video)
    assert tracks.openers == {} and tracks.lost == ("sound track 1 (unknown codec)",)


def test_sound_that_cannot_be_decoded_is_lost(tmp_path: Path) -> None:
    with av.open(tmp_path / "video.mkv", "w") as video:
        stream = video.add_stream("mpeg4", 25)
        stream.height, stream.width = HEIGHT, WIDTH
        sound = video.add_stream("mp2", 48_000)
        video.start_encoding()
        video.mux([*stream.encode(av.VideoFrame(WIDTH, HEIGHT, "yuv420p")), *stream.encode(None)])
        for number in range(20):
            packet = av.Packet(bytes(400))
            packet.pts = packet.dts = 20 * number
            packet.time_base, packet.stream = Fraction(1, 1000), sound
            video.mux(packet)
    tracks = choose_tracks(tmp_path / "video.mkv")
    assert tracks.openers == {} and tracks.lost == ("sound track 1 (mp2)",)


def test_covers_other_films_attachments_and_data_are_named(tmp_path: Path) -> None:
    with av.open(tmp_path / "video.mkv", "w") as video:
        for size in (WIDTH, WIDTH // 2):
            stream = video.add_stream("mpeg4", 25)
            stream.height, stream.width = HEIGHT, size
        video.add_attachment("font.ttf", "application/x-truetype-font", b"letters")
        video.start_encoding()
        for stream in video.streams.video:
            video.mux([*stream.encode(av.VideoFrame(stream.width, HEIGHT, "yuv420p")), *stream.encode(None)])
    assert choose_tracks(tmp_path / "video.mkv").lost == ("video track 2 (mpeg4)", "the attached file font.ttf")
    with av.open(tmp_path / "video.mp4", "w") as video:
        cover, stream = video.add_stream("mjpeg", 25), video.add_stream("mpeg4", 25)
        for each in (cover, stream):
            each.height, each.width = HEIGHT, WIDTH
        cover.pix_fmt, cover.disposition = "yuvj420p", Disposition.attached_pic
        for each in (cover, stream):
            video.mux([*each.encode(av.VideoFrame(WIDTH, HEIGHT, each.pix_fmt or "")), *each.encode(None)])
    assert choose_tracks(tmp_path / "video.mp4").lost == ("the cover picture",)


def test_the_titles_of_chapters_are_no_track(tmp_path: Path) -> None:
    with av.open(tmp_path / "video.mp4", "w") as video:
        stream = video.add_stream("mpeg4", 25)
        stream.height, stream.width = HEIGHT, WIDTH
        video.set_chapters(
            [{"id": 1, "start": 0, "end": 40, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}]
        )
        video.mux([*stream.encode(av.VideoFrame(WIDTH, HEIGHT, "yuv420p")), *stream.encode(None)])
    tracks = choose_tracks(tmp_path / "video.mp4")
    assert (tracks.openers, tracks.lost) == ({}, ())


def test_the_first_packets_are_read_once_for_all_tracks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among them a track without packets, which reads on to the end."""
    with av.open(tmp_path / "video.mkv", "w") as video:
        pictures = video.add_stream("mpeg4", 25)
        pictures.height, pictures.width = HEIGHT, WIDTH
        for codec in ("aac", "mp2"):
            video.add_stream(codec, 48_000)
        for _ in range(3):
            video.add_mux_stream("subrip")
        video.start_encoding()
        for number in range(50):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            video.mux(pictures.encode(frame))
        video.mux(pictures.encode(None))
    read: list[Any] = []

    def count(*arguments: Any) -> Iterator[Any]:
        for packet in packets(*arguments):
            read.append(packet)
            yield packet

    monkeypatch.setattr("impasto.inference.video.track_choice.packets", count)
    assert [*choose_tracks(tmp_path / "video.mkv").openers] == [1, 2, 3, 4, 5] and len(read) == 50
