from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.inference.video.writer import write_video

COLOURS = np.array([[200, 40, 40], [40, 160, 60], [30, 60, 180]], np.uint8)


def shown(height: int = 48, width: int = 64) -> list[tuple[NDArray[np.uint8], int]]:
    """Three plain pictures, for 2, 1 and 4 frames."""
    return [
        (np.broadcast_to(colour, (height, width, 3)), times) for colour, times in zip(COLOURS, (2, 1, 4), strict=True)
    ]


def test_an_mp4_shows_each_image_in_its_colours_for_its_duration(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", shown(), 30)
    with av.open(str(tmp_path / "film.mp4")) as film:
        stream = film.streams.video[0]
        assert stream.average_rate == 30 and (stream.width, stream.height) == (64, 48)
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
    assert len(frames) == 7
    for frame, place in zip(frames, (0, 0, 1, 2, 2, 2, 2), strict=True):
        assert np.abs(frame.mean((0, 1)) - COLOURS[place]).max() < 8


def test_odd_sides_lose_one_line(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", shown(49, 63), 30)
    with av.open(str(tmp_path / "film.mp4")) as film:
        assert (film.streams.video[0].width, film.streams.video[0].height) == (62, 48)


def test_a_webp_is_an_endless_animation(tmp_path: Path) -> None:
    write_video(tmp_path / "film.webp", shown(), 10)
    with Image.open(tmp_path / "film.webp") as film:
        assert film.n_frames == 3 and film.info["loop"] == 0  # type: ignore[attr-defined]
        durations = []
        for number in range(3):
            film.seek(number)
            film.load()
            durations.append(film.info["duration"])
            assert np.abs(np.asarray(film.convert("RGB")).mean((0, 1)) - COLOURS[number]).max() < 8
        assert durations == [200, 100, 400]


def test_a_failed_write_leaves_no_video(tmp_path: Path) -> None:
    def broken() -> object:
        yield shown()[0]
        raise RuntimeError("a network that fails")

    for name in ("film.mp4", "film.webp"):
        with pytest.raises(RuntimeError, match="a network that fails"):
            write_video(tmp_path / name, broken(), 30)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
