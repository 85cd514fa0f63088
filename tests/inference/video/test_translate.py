"""Painted videos keep frames, timestamps and audio."""

import contextlib
import json
import logging
import signal
import subprocess
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

import impasto as package
from fixtures.command import Impasto
from fixtures.translators import translator
from fixtures.videos import HEIGHT, WIDTH, audio_packets, read_video, scene, write_held, write_video
from impasto.inference.manifest import NAME, Manifest
from impasto.inference.video import segments

MOMENTS = [0, 1, 2, 5, 6, 10, 11, 12, 20, 21]


@pytest.fixture
def negative(tmp_path: Path) -> Path:
    translator(-1).save(tmp_path / "negative.safetensors")
    return tmp_path / "negative.safetensors"


def paint(impasto: Impasto, *arguments: Any, check: bool = True) -> subprocess.CompletedProcess[str]:
    return impasto("paint", *arguments, "--style", "negative.safetensors", check=check)


def test_frames_keep_their_timestamps_and_audio_is_copied(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    frames = [scene(number) for number in range(10)]
    film = write_video(tmp_path / "film.mkv", frames, MOMENTS, sound="aac")
    assert paint(impasto, film, "--out", "out").stdout == "10 frames in out/film.mp4\n"
    painted, times = read_video(tmp_path / "out" / "film.mp4")
    assert times == pytest.approx([moment / 25 for moment in MOMENTS], abs=0.002)
    for photo, painting in zip(frames, painted, strict=True):
        assert np.abs(painting.astype(int) - (255 - photo)).mean() < 6
    assert audio_packets(tmp_path / "out" / "film.mp4") == audio_packets(film)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"film.mp4", NAME}


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".mp4"])
def test_the_last_frame_is_shown_as_long_as_before(
    suffix: str, impasto: Impasto, negative: Path, tmp_path: Path
) -> None:
    film = write_held(tmp_path / f"film{suffix}", [scene(number) for number in range(4)])
    assert paint(impasto, film, "--out", "out").stdout == "4 frames in out/film.mp4\n"
    with av.open(tmp_path / "out" / "film.mp4") as painted:
        assert (painted.duration or 0) / av.time_base == pytest.approx(3 / 25 + 2, abs=0.01)


def test_a_rotated_video_is_turned_upright(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", [scene(number) for number in range(3)], turned=90)
    paint(impasto, film, "--out", "out")
    painted, _ = read_video(tmp_path / "out" / "film.mp4")
    assert painted[0].shape == (WIDTH, HEIGHT, 3)
    assert np.abs(painted[0].astype(int) - np.rot90(255 - scene(0))).mean() < 6


def test_compare_puts_the_video_next_to_its_painting(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", [scene(0)] * 2)
    paint(impasto, film, "--compare", "--out", "out")
    painted, _ = read_video(tmp_path / "out" / "film.mp4")
    both = np.concatenate([scene(0), 255 - scene(0)], axis=1)
    assert np.abs(painted[1].astype(int) - both).mean() < 6


def test_a_killed_video_job_resumes_to_the_same_video(
    impasto_command: list[str], impasto: Impasto, negative: Path, tmp_path: Path
) -> None:
    film = write_video(tmp_path / "film.mp4", [scene(number) for number in range(150)], sound="aac")
    command = [*impasto_command, "paint", film, "--style", negative, "--out", "out"]
    process = subprocess.Popen(list(map(str, command)), cwd=tmp_path, stdout=subprocess.DEVNULL)
    while not list((tmp_path / "out").glob("film.mp4.parts/00001.npz")):
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert not (tmp_path / "out" / "film.mp4").exists()
    error = paint(impasto, film, "--out", "out").stdout
    assert error.startswith("150 frames in out/film.mp4, ") and "of them before" in error
    paint(impasto, film, "--out", "whole")
    one, other = read_video(tmp_path / "out" / "film.mp4"), read_video(tmp_path / "whole" / "film.mp4")
    assert one[1] == other[1]
    for ours, theirs in zip(one[0], other[0], strict=True):
        assert np.abs(ours.astype(int) - theirs).mean() < 4  # x264 does not code them alike to the last bit each time
    assert audio_packets(tmp_path / "out" / "film.mp4") == audio_packets(film)


@pytest.mark.parametrize(("out", "recorded"), [("painted", False), ("painted", True), ("painted.mp4", True)])
def test_a_job_that_is_stopped_after_its_video_is_written_resumes(
    out: str, recorded: bool, negative: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(parts: Path) -> None:
        if (parts / segments.NOTE).exists():  # not at the beginning
            raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "film.mp4", [scene(0)] * 2)
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        if recorded:
            patch.setattr(segments, "remove", interrupt)
        else:
            patch.setattr(Manifest, "add", lambda *_: interrupt(tmp_path / out / "film.mp4.parts"))
        package.paint("film.mp4", out, style=negative)
    assert package.paint("film.mp4", out, style=negative)
    assert not list(tmp_path.rglob("*.parts"))


def test_a_mistake_of_the_painting_is_not_blamed_on_the_video(
    negative: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a mistake")

    monkeypatch.setattr("impasto.inference.translator.Translator.paint_pixels", fail)
    with pytest.raises(ValueError, match="a mistake"):
        package.paint(write_video(tmp_path / "film.mp4", [scene(0)] * 2), tmp_path / "out", style=negative)


def test_segments_of_another_job_are_neither_resumed_nor_deleted(
    impasto: Impasto, negative: Path, tmp_path: Path
) -> None:
    film = write_video(tmp_path / "film.mp4", [scene(0)] * 2)
    parts = tmp_path / "film-painted.mp4.parts"
    parts.mkdir()
    (parts / "work.json").write_text('{"style": "another"}')
    (parts / "00000.npz").write_text("of another")
    done = paint(impasto, film, "--out", "film-painted.mp4", check=False)
    assert done.returncode == 1 and "with other options" in done.stderr and (parts / "00000.npz").exists()
    paint(impasto, film, "--out", "film-painted.mp4", "--overwrite")
    assert len(read_video(tmp_path / "film-painted.mp4")[0]) == 2 and not parts.exists()


def test_several_videos_get_unique_names_and_a_damaged_one_stops_no_other(
    impasto: Impasto, negative: Path, tmp_path: Path
) -> None:
    for number, folder in enumerate(("a", "b"), 2):
        (tmp_path / folder).mkdir()
        write_video(tmp_path / folder / "film.mkv", [scene(0)] * number)
    (tmp_path / "bad.mp4").write_text("hello")
    films = ["a/film.mkv", "bad.mp4", "gone.mp4", "b/film.mkv", "--out", "out"]
    done = paint(impasto, *films, check=False)
    assert done.returncode == 1 and "bad.mp4 cannot be opened" in done.stdout and "no video gone.mp4" in done.stdout
    assert [len(read_video(tmp_path / "out" / name)[0]) for name in ("film.mp4", "film-2.mp4")] == [2, 3]
    again = paint(impasto, *films, check=False).stdout
    assert "out/film.mp4 was there before" in again and "out/film-2.mp4 was there before" in again
    only = paint(impasto, "b/film.mkv", "--out", "out").stdout
    assert only == "out/film-2.mp4 was there before\n", "each keeps the name that it had"
    write_video(tmp_path / "a" / "film.mkv", [scene(0)] * 4)
    assert paint(impasto, "a/film.mkv", "--out", "out").stdout == "4 frames in out/film.mp4\n"
    done = paint(impasto, "a/film.mkv", "--out", "out", "--strength", "0.5", check=False)
    assert done.returncode == 1 and "with other options" in done.stderr


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_videos_and_photos_share_a_folder_and_are_both_resumed(
    overwrite: list[str], impasto: Impasto, negative: Path, tmp_path: Path
) -> None:
    Image.fromarray(scene(0)).save(tmp_path / "photo.png")
    write_video(tmp_path / "film.mp4", [scene(0)] * 2)
    both = ["photo.png", "film.mp4", "--out", "out"]
    assert paint(impasto, *both, *overwrite).stdout == "2 frames in out/film.mp4\n1 painting in out\n"
    again = paint(impasto, *both).stdout
    assert again == "out/film.mp4 was there before\n0 paintings in out, and 1 there before\n"
    assert paint(impasto, "photo.png", "bad.mp4", "--out", "out", check=False).stdout.startswith(
        "Left out: There is no"
    )


def test_the_python_function_paints_what_the_command_does(
    negative: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(scene(0)).save(tmp_path / "photo.png")
    write_video(tmp_path / "film.mp4", [scene(0)] * 2)
    with caplog.at_level(logging.INFO, "impasto.api"):
        assert package.paint(["photo.png", "film.mp4"], style=negative)
    assert caplog.messages == ["2 frames in painted/film.mp4", "1 painting in painted"]
    assert not package.paint_all(["photo.png", "none.mp4"], style=negative)


def test_glob_patterns_of_videos_are_accepted(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "c.mkv"):
        write_video(tmp_path / name, [scene(0)] * 2)
    assert paint(impasto, "*.mp4", "--out", "out").stdout == "2 frames in out/a.mp4\n2 frames in out/b.mp4\n"
    assert "no video d*.mp4" in paint(impasto, "d*.mp4", "--out", "out", check=False).stderr


def test_a_damaged_packet_loses_only_its_own_frames(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    with av.open(film, "w") as out:
        stream = out.add_stream("mpeg4", 25, options={"g": "1"})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for number in range(60):
            for packet in stream.encode(av.VideoFrame.from_ndarray(scene(number), "rgb24")):
                if number in (20, 40):
                    broken = av.Packet(b"\xff" * packet.size)
                    broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
                    broken.stream = stream
                    packet = broken
                out.mux(packet)
    done = paint(impasto, film, "--out", "out", check=False)
    painted, times = read_video(tmp_path / "out" / "film.mp4")
    assert done.returncode == 1 and "packets were skipped" in done.stdout
    assert len(painted) >= 57 and times[-1] == pytest.approx(59 / 25, abs=0.01)
    assert np.abs(painted[-1].astype(int) - (255 - scene(59))).mean() < 20


def test_a_video_that_changes_its_size_is_painted_at_its_first_size(
    impasto: Impasto, negative: Path, tmp_path: Path
) -> None:
    for name, larger in (("one.ts", 1), ("two.ts", 2)):
        with av.open(tmp_path / name, "w") as out:
            stream = out.add_stream("libx264", 25)
            stream.height, stream.width, stream.pix_fmt = HEIGHT * larger, WIDTH * larger, "yuv420p"
            for number in range(5):
                frame = scene(number).repeat(larger, 0).repeat(larger, 1)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
            out.mux(stream.encode(None))
    (tmp_path / "film.mkv").write_bytes((tmp_path / "one.ts").read_bytes() + (tmp_path / "two.ts").read_bytes())
    paint(impasto, "film.mkv", "--out", "out", check=False)
    painted, times = read_video(tmp_path / "out" / "film.mp4")
    assert {frame.shape for frame in painted} == {(HEIGHT, WIDTH, 3)} and len(painted) >= 9
    assert all(before < after for before, after in pairwise(times))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.mp4", lambda path: path.write_text("hello"), "cannot be opened as a video"),
        ("empty.mp4", lambda path: path.touch(), "cannot be opened as a video"),
        ("nothing.mp4", lambda path: None, "no video"),
        ("cut.mp4", lambda path: cut(path), "cannot be opened as a video"),
        ("sound.mp4", lambda path: alone(path), "no video stream"),
    ],
)
def test_files_that_are_not_videos_are_refused_in_one_line(
    impasto: Impasto, negative: Path, tmp_path: Path, name: str, content: Any, message: str
) -> None:
    content(tmp_path / name)
    done = paint(impasto, name, "--out", "out", check=False)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1
    assert not list((tmp_path / "out").glob("*"))


def cut(path: Path) -> None:
    write_video(path, [scene(number) for number in range(20)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def alone(path: Path) -> None:
    with av.open(path, "w") as film:
        stream = film.add_stream("aac", 44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate, frame.pts = 44_100, 0
        film.mux(stream.encode(frame))
        film.mux(stream.encode(None))


def test_a_truncated_video_is_painted_up_to_the_damage(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mkv", [scene(seed=number) for number in range(60)])
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    done = paint(impasto, film, "--out", "out", check=False)
    frames, _ = read_video(tmp_path / "out" / "film.mp4")
    assert 10 < len(frames) < 60 and done.stdout.startswith(f"{len(frames)} frames")
    assert done.returncode == 1 and "is truncated" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["film.mp4", "--out", "film.mp4"], "film.mp4"),
        (["film.mp4", "--out", "."], "already exists"),
        (["film.mp4", "--out", ".", "--overwrite"], "not overwritten"),
        (["film.mp4", "photo.jpg", "--out", "x.mp4"], "give one video"),
        (["film.mp4", "--out", "x.mkv"], "cannot hold videos"),
        (["film.mp4", "other.mp4", "--out", "x.mp4"], "give one video"),
        (["film.mp4", "--out", "x.zip"], "cannot hold videos"),
        (["film.mp4", "--out", "taken.mp4"], "overwrite"),
    ],
)
def test_an_invalid_video_output_is_refused(
    impasto: Impasto, negative: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    write_video(tmp_path / "film.mp4", [scene(0)] * 2)
    (tmp_path / "taken.mp4").touch()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    done = paint(impasto, *arguments, check=False)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["12:30.mp4", "-x.mp4", "a%03d.mp4", "concat:a.mp4"])
def test_no_name_is_taken_for_a_protocol_or_an_option(
    name: str, impasto: Impasto, negative: Path, tmp_path: Path
) -> None:
    write_video(tmp_path / name, [scene(0)] * 2)
    options = ["paint", "--style", negative.name, "--out"]
    assert impasto(*options, f"out-{name}", "--", name).stdout == f"2 frames in out-{name}\n"
    impasto(*options, "of 12:30", "--", name)
    assert (
        len(read_video(tmp_path / f"out-{name}")[0])
        == len(read_video(tmp_path / "of 12:30" / name.replace(":", "_"))[0])
        == 2
    )


@pytest.mark.parametrize("suffix", [".3gp", ".ts", ".mts", ".m2ts", ".flv", ".mpg", ".wmv", ".ogv"])
def test_films_are_known_by_their_suffix(suffix: str, impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    kind = {".mts": ".ts", ".m2ts": ".ts", ".wmv": ".asf", ".ogv": ".mkv"}.get(suffix, suffix)
    codec = {".flv": "flv", ".mpg": "mpeg2video", ".wmv": "wmv2"}.get(suffix, "mpeg4")
    film = write_video(tmp_path / f"film{kind}", [scene(number) for number in range(5)], codec=codec)
    film = film.rename(tmp_path / f"film{suffix.upper()}")
    assert paint(impasto, film.name, "--out", "out").stdout == "5 frames in out/film.mp4\n"
    painted, _ = read_video(tmp_path / "out" / "film.mp4")
    assert np.abs(painted[0].astype(int) - (255 - scene(0))).mean() < 20


def test_an_animated_gif_is_a_film_and_a_still_one_a_photo(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    stills = [Image.fromarray(scene(number)) for number in range(3)]
    stills[0].save(tmp_path / "a.gif", save_all=True, append_images=stills[1:], duration=[100, 200, 1500])
    stills[0].save(tmp_path / "b.gif")
    assert paint(impasto, "*.gif", "--out", "out").stdout == "3 frames in out/a.mp4\n1 painting in out\n"
    _, times = read_video(tmp_path / "out" / "a.mp4")
    with av.open(tmp_path / "out" / "a.mp4") as painted:
        assert (painted.duration or 0) / av.time_base == pytest.approx(1.8, abs=0.01)
    assert times == pytest.approx([0, 0.1, 0.3], abs=0.01)
    assert paint(impasto, "a.gif", "--out", "out.zip").stdout == "1 painting in out.zip\n"
    paint(impasto, "a.gif", "--out", "a.png")
    with Image.open(tmp_path / "a.png") as painting:
        assert painting.size == stills[0].size


def broken(path: Path) -> None:
    """A video whose pictures cannot be decoded."""
    film = write_video(path.with_name("whole.mkv"), [scene(0)] * 3, codec="mpeg4")
    with av.open(film) as source, av.open(path, "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux():
            if packet.size:
                noise = av.Packet(b"\xff" * packet.size)
                noise.pts, noise.dts, noise.time_base, noise.stream = packet.pts, packet.dts, packet.time_base, stream
                out.mux(noise)
    film.unlink()


def in_matrix(path: Path, matrix: int) -> None:
    write_video(path, [scene(0)] * 2, configure=lambda stream: setattr(stream.codec_context, "colorspace", matrix))


def unknown(path: Path) -> None:
    write_video(path, [scene(0)] * 2)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))


def of_size(path: Path, width: int, height: int) -> None:
    with av.open(path, "w") as out:
        stream = out.add_stream("ffv1", 25)
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        out.mux([*stream.encode(av.VideoFrame(width, height, "bgr0")), *stream.encode(None)])


def test_each_bad_film_is_one_line_and_stops_no_other(
    impasto_command: list[str], negative: Path, tmp_path: Path
) -> None:
    bad: dict[str, Any] = {
        "broken.mkv": (broken, "no decodable frame"),
        "matrix.mkv": (lambda path: in_matrix(path, 8), "YCgCo"),
        "unknown.mp4": (unknown, "unknown video codec"),
        "one.mkv": (lambda path: of_size(path, 1, 1), "1×1"),
        "flat.mkv": (lambda path: of_size(path, 8, 1), "8×1"),
        "sound.mp4": (alone, "no video stream"),
        "zero.ts": (lambda path: path.write_bytes(bytes(100_000)), "cannot be opened"),
        "cut.mp4": (cut, "cannot be opened"),
    }
    for name, (make, _) in bad.items():
        make(tmp_path / name)
    write_video(tmp_path / "good.mp4", [scene(0)] * 2)
    command = [*impasto_command, "paint", *bad, "good.mp4", "--style", "negative.safetensors", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and done.stderr == "", "FFmpeg prints nothing"
    assert lines[-1] == "2 frames in out/good.mp4" and len(lines) == len(bad) + 1
    for line, (name, (_, reason)) in zip(lines, bad.items(), strict=False):
        assert line.startswith(f"Left out: {name} ") and reason in line
    assert {path.name for path in (tmp_path / "out").iterdir()} == {NAME, "good.mp4"}


def test_what_is_lost_of_a_film_is_said_in_one_line(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mov", [scene(0)] * 2, sound="aac")
    film.write_bytes(film.read_bytes().replace(b"mp4a", b"apac").replace(b"esds", b"free"))
    done = paint(impasto, film.name, "--out", "out")
    assert done.stdout.splitlines() == [
        "2 frames in out/film.mp4",
        "film.mov has tracks that were left out: sound track 1 (unknown codec).",
    ]


def test_a_film_that_begins_late_is_not_called_truncated(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mkv", [scene(0)] * 10, range(125, 135))
    assert paint(impasto, film, "--out", "out").stdout == "10 frames in out/film.mp4\n"
    assert read_video(tmp_path / "out" / "film.mp4")[1][0] == pytest.approx(0, abs=0.01)


def test_a_foreign_folder_or_lock_beside_the_output_stays(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", [scene(0)] * 2)
    for name in ("x.mp4.parts/thesis.doc", "y.mp4.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("all my work")
        for more in ([], ["--overwrite"]):
            done = paint(impasto, film, "--out", name[:5], *more, check=False)
            assert done.returncode == 1 and "is not impasto's" in done.stderr and done.stderr.count("\n") == 1
        assert (tmp_path / name).read_text() == "all my work" and not (tmp_path / name[:5]).exists()


def test_a_manifest_of_anybody_leads_no_painting_out_of_the_folder(
    impasto: Impasto, negative: Path, tmp_path: Path
) -> None:
    film = write_video(tmp_path / "film.mp4", [scene(0)] * 2)
    (tmp_path / "mine.mp4").write_text("precious")
    paint(impasto, film.name, "--out", "out")
    manifest = tmp_path / "out" / NAME
    first, line, *_ = manifest.read_text().splitlines()
    for evil, more in (("../mine.mp4", "--overwrite"), (str(tmp_path / "mine.mp4"), "--compare"), ("../mine.mp4", "")):
        entry = json.loads(line) | {"digest": "another", "painting": evil}
        manifest.write_text(f'{first}\n{json.dumps(entry)}\n[]\n7\n{{"photo": 7}}\n')
        done = paint(impasto, film.name, "--out", "out", *filter(None, [more]), check=False)
        assert (tmp_path / "mine.mp4").read_text() == "precious" and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.long
def test_a_signal_leaves_nothing_half_written(
    number: int, impasto_command: list[str], impasto: Impasto, negative: Path, tmp_path: Path
) -> None:
    film = write_video(tmp_path / "film.mp4", [scene(number) for number in range(150)])
    command = [*map(str, impasto_command), "paint", film.name, "--style", negative.name, "--out", "out"]
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, preexec_fn=heed)
    while not list((tmp_path / "out").glob("film.mp4.parts/00000.npz")):
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(number)
    assert b"Traceback" not in process.communicate()[1] and process.returncode == 128 + number
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith((".part", ".lock"))]
    assert "of them before" in paint(impasto, film.name, "--out", "out").stdout


def test_a_tiny_video_is_painted(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    tiny = [np.full((2, 4, 3), shade, np.uint8) for shade in (20, 120, 220)]
    film = write_video(tmp_path / "film.mkv", tiny)
    paint(impasto, film, "--out", "out")
    painted, _ = read_video(tmp_path / "out" / "film.mp4")
    assert [round(float(frame.mean()), -1) for frame in painted] == pytest.approx([235, 135, 35], abs=10)
