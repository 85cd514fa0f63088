"""The time-lapse plays in browsers, with the right duration and colours."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fixtures import invented_runs as invented
from impasto.data.image_grid import tile
from impasto.reports.run_record import RunRecord, Sample
from impasto.reports.time_lapse import (
    LOOP_BYTES,
    RATE,
    SECONDS,
    frame_counts,
    select_evenly,
    write_animation,
    write_video,
)


def run_with(folder: Path, sheets: list[Image.Image]) -> RunRecord:
    run = invented.begin(folder / "run")
    (run / "samples").mkdir()
    for index, sheet in enumerate(sheets):
        sheet.save(run / "samples" / f"step-{index * 10:08d}.jpg", quality=95)
    return RunRecord.read(run)


def plain(*colours: tuple[int, int, int], size: tuple[int, int] = (130, 130)) -> list[Image.Image]:
    return [Image.new("RGB", size, colour) for colour in colours]


def decoded(path: Path) -> list[NDArray[Any]]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


@pytest.mark.parametrize(("samples", "frames"), [(1, 60), (2, 30 + 60), (8, 7 * 30 + 60), (60, 59 * 4 + 60)])
def test_samples_have_equal_times_and_the_last_one_a_longer_one(tmp_path: Path, samples: int, frames: int) -> None:
    shades = [(int(200 * k / samples), 80, 120) for k in range(samples)]
    write_video(run_with(tmp_path, plain(*shades)), tmp_path / "film.mp4")
    with av.open(str(tmp_path / "film.mp4")) as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width % 2, stream.height % 2) == (0, 0)
        assert sum(1 for _ in film.decode(stream)) == frames
        assert film.duration is not None
        assert film.duration / av.time_base == pytest.approx(frames / RATE, abs=0.05)


def test_a_run_that_is_named_after_a_time_has_a_time_lapse(tmp_path: Path) -> None:
    (tmp_path / "run-12:30").mkdir()
    record = run_with(tmp_path / "run-12:30", plain((9, 9, 9)))
    write_video(record, tmp_path / "run-12:30" / "film.mp4")
    write_animation(record, tmp_path / "run-12:30" / "film.webp")
    with av.open(f"file:{tmp_path / 'run-12:30' / 'film.mp4'}") as film:
        assert sum(1 for _ in film.decode(video=0)) == 2 * RATE


def test_videos_of_long_trainings_last_8_to_13_seconds() -> None:
    for samples in range(8, SECONDS * RATE + 1):
        assert 7 < sum(frame_counts(samples)) / RATE < 13


def test_the_video_has_the_colours_of_the_samples(tmp_path: Path) -> None:
    colours = [(200, 40, 40), (40, 160, 60), (50, 70, 190)]
    write_video(run_with(tmp_path, plain(*colours)), tmp_path / "film.mp4")
    frames = decoded(tmp_path / "film.mp4")
    for frame, colour in zip((frames[0], frames[RATE], frames[-1]), colours, strict=True):
        assert np.abs(frame[:600].mean((0, 1)) - colour).max() < 4


def test_the_video_is_streamable(tmp_path: Path) -> None:
    write_video(run_with(tmp_path, plain((9, 9, 9))), tmp_path / "film.mp4")
    content = (tmp_path / "film.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_grids_of_any_shape_fit(tmp_path: Path) -> None:
    for index, size in enumerate([(64, 64), (1001, 333), (130, 527)]):
        folder = tmp_path / str(index)
        folder.mkdir()
        write_video(run_with(folder, plain((1, 2, 3), size=size)), folder / "film.mp4")
        height, width, _ = decoded(folder / "film.mp4")[0].shape
        assert max(width, height - 30) in (720, 721)
        assert width / (height - 30) == pytest.approx(size[0] / size[1], rel=0.02)


def test_the_animation_is_small_and_ends_with_the_newest_sample(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 16, 64, 64, 3), np.uint8)
    record = run_with(tmp_path, [*map(tile, noise), *plain((250, 0, 0), size=(262, 262))])
    write_animation(record, tmp_path / "loop.webp")
    assert (tmp_path / "loop.webp").stat().st_size <= LOOP_BYTES
    with Image.open(tmp_path / "loop.webp") as loop:
        assert loop.n_frames == 36  # type: ignore[attr-defined]
        assert loop.info["loop"] == 0
        loop.seek(35)
        middle = loop.convert("RGB").getpixel((loop.width // 2, loop.height // 2))
    assert isinstance(middle, tuple)
    assert middle[0] > 230 > 30 > max(middle[1:])


def test_a_video_of_a_translation_run_shows_pairs(tmp_path: Path) -> None:
    run = invented.begin(tmp_path / "run", photos=invented.PHOTOS | {"size": 64})
    (run / "samples").mkdir()
    for name, shade in (("photos", 40), ("step-00000000", 120), ("step-00000010", 200)):
        tile(np.full((8, 64, 64, 3), shade, np.uint8)).save(run / "samples" / f"{name}.jpg", quality=95)
    write_video(RunRecord.read(run), tmp_path / "film.mp4")
    frames = decoded(tmp_path / "film.mp4")
    for frame, shade in ((frames[0], 120), (frames[-1], 200)):
        height, width = frame[:690].shape[:2]
        left, right = frame[height // 8, [width // 8, 3 * width // 8]].mean(-1)
        assert (left, right) == (pytest.approx(40, abs=4), pytest.approx(shade, abs=4))


def test_a_failed_video_leaves_the_old_one(tmp_path: Path) -> None:
    record = run_with(tmp_path, plain((1, 1, 1), (2, 2, 2)))
    film = tmp_path / "film.mp4"
    film.write_bytes(b"the old film")
    record.samples[0].path.write_bytes(b"no picture")
    with pytest.raises(Exception, match="not a complete image"):
        write_video(record, film)
    assert film.read_bytes() == b"the old film"
    assert not list(tmp_path.glob("*.part"))


def test_a_run_without_samples_has_no_video(tmp_path: Path) -> None:
    record = RunRecord.read(invented.begin(tmp_path / "run"))
    for write in (write_video, write_animation):
        with pytest.raises(ValueError, match="without samples"):
            write(record, tmp_path / "film")


def test_selected_samples_include_first_and_last() -> None:
    samples = tuple(Sample(step, Path("x")) for step in range(500))
    chosen = select_evenly(samples, 36)
    assert len(chosen) == len({sample.step for sample in chosen}) == 36
    assert (chosen[0].step, chosen[-1].step) == (0, 499)
    assert select_evenly(samples[:5], 36) == samples[:5]
