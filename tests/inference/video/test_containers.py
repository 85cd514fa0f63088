"""Any file name is a file, and the film among the streams of a file is found."""

from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition

from fixtures.videos import HEIGHT, WIDTH, read_video, scene, write_video
from impasto.errors import ImpastoError
from impasto.inference.video.containers import create_mp4, film_stream, media_errors, open_input, packets
from impasto.inference.video.reader import duration

NAMES = ["12:30.mp4", "-x.mp4", "a%03d.mp4", "concat:a|b.mp4", "data:x.mp4", "http:x.mp4", "pipe:0.mp4", "[a]*.mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_looks_like_a_protocol_or_an_option_is_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "plain.mp4", [scene()] * 2).rename(name)
    with open_input(Path(name)) as source, create_mp4(Path(f"out-{name}")) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in packets(source):
            packet.stream = stream
            out.mux(packet)
    assert len(read_video(tmp_path / f"out-{name}")[0]) == 2
    assert {path.name for path in tmp_path.iterdir()} == {name, f"out-{name}"}


def test_a_gif_with_a_percent_sign_is_no_series_of_images(tmp_path: Path) -> None:
    with av.open(f"file:{tmp_path / 'film.gif'}", "w") as video:
        stream = video.add_stream("gif", 25)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "rgb8"
        for number in range(3):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(scene(number), "rgb24").reformat(format="rgb8")))
        video.mux(stream.encode(None))
    (tmp_path / "film.gif").rename(tmp_path / "a%03d.gif")
    with open_input(tmp_path / "a%03d.gif") as source:
        assert len(list(packets(source))) == 3


def test_a_playlist_that_is_named_as_a_film_opens_nothing(tmp_path: Path) -> None:
    address = "http://127.0.0.1:9/part.ts"
    (tmp_path / "film.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n")
    with pytest.raises(av.FFmpegError):
        open_input(tmp_path / "film.mp4")


def test_metadata_that_is_not_utf8_hinders_nothing(tmp_path: Path) -> None:
    with av.open(tmp_path / "film.avi", "w") as video:
        video.metadata["title"] = "XXXXX"
        stream = video.add_stream("mpeg4", 25)
        stream.height, stream.width = HEIGHT, WIDTH
        video.mux([*stream.encode(av.VideoFrame(WIDTH, HEIGHT, "yuv420p")), *stream.encode(None)])
    film = tmp_path / "film.avi"
    film.write_bytes(film.read_bytes().replace(b"XXXXX", "K\xf6ln\0".encode("latin1")))
    with open_input(film) as source:
        assert source.metadata["title"].startswith("K")


Stream = tuple[str, tuple[int, int], int, int]
"""Codec, width and height, disposition, and number of frames."""
COVER, DEFAULT = int(Disposition.attached_pic), int(Disposition.default)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("streams", "film"),
    [
        ([("mpeg4", (32, 24), DEFAULT, 3), ("mpeg4", (64, 48), DEFAULT, 3)], 1),
        ([("mpeg4", (64, 48), 0, 3), ("mpeg4", (32, 24), DEFAULT, 3)], 1),
        ([("mpeg4", (64, 48), 0, 3), ("mpeg4", (64, 48), 0, 3)], 0),
        ([("mjpeg", (128, 96), DEFAULT, 1), ("mpeg4", (64, 48), DEFAULT, 3)], 1),
    ],
)
def test_the_film_is_the_stream_that_moves_then_the_default_then_the_largest(
    streams: list[Stream], film: int, suffix: str, tmp_path: Path
) -> None:
    path = write_streams(tmp_path / f"film{suffix}", streams)
    with open_input(path) as source:
        assert film_stream(source) is source.streams.video[film]


def test_a_cover_is_no_film(tmp_path: Path) -> None:
    both = [("mjpeg", (200, 200), COVER, 1), ("mpeg4", (64, 48), 0, 3)]
    with open_input(write_streams(tmp_path / "film.mp4", both)) as source:
        stream = film_stream(source)
        assert stream is not None and (stream.width, stream.height) == (64, 48)
    with open_input(write_streams(tmp_path / "sound.mp4", [("mjpeg", (200, 200), COVER, 1)])) as source:
        assert film_stream(source) is None


def write_streams(path: Path, streams: list[Stream]) -> Path:
    found: list[Any] = []
    with av.open(path, "w") as video:
        for codec, (width, height), disposition, count in streams:
            stream: Any = video.add_stream(codec, 25)
            stream.width, stream.height, stream.disposition = width, height, disposition
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(count):
                frame = av.VideoFrame(width, height, stream.pix_fmt)
                frame.pts = number
                found += stream.encode(frame)
            found += stream.encode(None)
        for packet in sorted(found, key=lambda packet: packet.dts * packet.time_base):
            video.mux(packet)
    return path


def test_an_error_of_ffmpeg_is_one_line_but_a_full_disk_stays(tmp_path: Path) -> None:
    with (
        pytest.raises(ImpastoError, match=r"film\.mp4 cannot be painted \(Invalid data"),
        media_errors(Path("film.mp4"), "painted"),
    ):
        raise av.InvalidDataError(1094995529, "Invalid data found when processing input")
    with pytest.raises(OSError, match="No space"), media_errors(Path("film.mp4"), "painted"):
        raise av.error.OSError(28, "No space left on device")


def test_a_stream_that_appears_late_ends_the_packets_without_an_error(tmp_path: Path) -> None:
    """As in a damaged FLV, after so many pictures that it is not found when the file is opened."""
    video = write_video(tmp_path / "video.flv", [scene()] * 400, codec="flv")
    sound = b"\x2f" + bytes(100)  # mp3 without a header
    tag = b"\x08" + len(sound).to_bytes(3, "big") + bytes(7) + sound
    video.write_bytes(video.read_bytes() + tag + len(tag).to_bytes(4, "big"))
    with open_input(video) as source:
        assert len(source.streams) == 1 and sum(1 for _ in packets(source)) == 400
    assert duration(video) == pytest.approx(16, abs=0.1)
