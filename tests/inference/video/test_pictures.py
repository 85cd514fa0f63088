"""Frames are shown as players show them: upright, and in the colours of BT.709."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from fixtures.videos import HEIGHT, WIDTH, scene, write_video
from impasto.inference.video.pictures import MATRICES, is_sideways, to_bt709, to_rgb

COLOURS = np.array([[200, 60, 60], [60, 180, 90], [70, 80, 190], [230, 230, 230], [90, 90, 90]], np.uint8)
#: BT.709 to XYZ, and BT.2020 and Display P3 from XYZ (ITU-R BT.709 and BT.2020, SMPTE EG 432-1).
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WIDE = {
    9: [[1.7167, -0.3557, -0.2534], [-0.6667, 1.6165, 0.0158], [0.0176, -0.0428, 0.9421]],
    12: [[2.4935, -0.9314, -0.4027], [-0.8295, 1.7627, 0.0236], [0.0358, -0.0762, 0.9569]],
}


def first_frame(path: Path) -> av.VideoFrame:
    with av.open(path) as video:
        return next(video.decode(video=0))


@pytest.mark.parametrize(
    ("degrees", "hflip", "vflip", "shown"),
    [
        (0, False, False, lambda frame: frame),
        (90, False, False, lambda frame: np.rot90(frame)),
        (180, False, False, lambda frame: np.rot90(frame, 2)),
        (270, False, False, lambda frame: np.rot90(frame, 3)),
        (0, True, False, lambda frame: frame[:, ::-1]),
        (0, False, True, lambda frame: frame[::-1]),
        (270, True, False, lambda frame: frame.transpose(1, 0, 2)),
        (90, True, False, lambda frame: frame[::-1, ::-1].transpose(1, 0, 2)),
    ],
)
def test_all_eight_orientations_are_turned_upright(
    degrees: int, hflip: bool, vflip: bool, shown: Callable[[np.ndarray], np.ndarray], tmp_path: Path
) -> None:
    def configure(stream: VideoStream) -> None:
        stream.set_display_rotation(degrees, hflip=hflip, vflip=vflip)

    frame = first_frame(write_video(tmp_path / "video.mp4", [scene()] * 2, configure=configure))
    expected = shown(scene())
    assert is_sideways(frame) == (expected.shape[0] == WIDTH)
    found = to_rgb(frame, WIDTH, HEIGHT)
    assert found.shape == expected.shape and np.abs(found.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("primaries", [9, 12])
def test_wide_primaries_are_converted_to_those_of_bt709(primaries: int) -> None:
    light = (COLOURS / 255) ** 2.4
    wide = np.rint(255 * (light @ XYZ.T @ np.array(WIDE[primaries]).T) ** (1 / 2.4)).astype(np.uint8)
    assert np.abs(wide.astype(int) - COLOURS).max() > 10
    assert np.abs(to_bt709(wide[None], primaries, 1)[0].astype(int) - COLOURS).max() <= 3


def test_white_stays_white_and_untagged_colours_stay() -> None:
    white = np.full((2, 2, 3), 255, np.uint8)
    for primaries in (4, 5, 6, 7, 8, 9, 11, 12, 22):
        assert np.abs(to_bt709(white, primaries, 1).astype(int) - 255).max() <= 1
    for primaries in (0, 1, 2, 3, 10, 99):
        assert to_bt709(COLOURS[None], primaries, 1) is not None
        np.testing.assert_array_equal(to_bt709(COLOURS[None], primaries, 1), COLOURS[None])


def test_the_tags_of_a_video_are_heeded(tmp_path: Path) -> None:
    def configure(stream: VideoStream) -> None:
        stream.codec_context.color_primaries = 9

    flat = np.broadcast_to(COLOURS[0], (HEIGHT, WIDTH, 3))
    tagged = first_frame(write_video(tmp_path / "tagged.mkv", [flat] * 2, configure=configure))
    plain = first_frame(write_video(tmp_path / "plain.mkv", [flat] * 2))
    assert np.abs(to_rgb(plain, WIDTH, HEIGHT)[9, 9].astype(int) - COLOURS[0]).max() < 4
    expected = to_bt709(COLOURS[:1, None], 9, 1)[0, 0].astype(int)
    assert np.abs(to_rgb(tagged, WIDTH, HEIGHT)[9, 9] - expected).max() < 6


@pytest.mark.parametrize("matrix", range(1, 18))
def test_a_matrix_is_converted_or_named(matrix: int) -> None:
    frame = av.VideoFrame.from_ndarray(scene(), "rgb24").reformat(format="yuv444p")
    frame.colorspace = matrix
    if matrix in MATRICES:
        with pytest.raises(ValueError, match=f"colour matrix, {MATRICES[matrix]}, cannot be converted"):
            to_rgb(frame, WIDTH, HEIGHT)
    else:
        assert np.abs(to_rgb(frame, WIDTH, HEIGHT).astype(int) - scene()).mean() < 30
