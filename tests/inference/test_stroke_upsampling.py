import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.inference import stroke_upsampling
from impasto.inference.stroke_upsampling import POINTS, SHIFT, Strokes, enlarge


def painting(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Coloured blobs of some ten pixels."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def enlarged(small: np.ndarray, height: int, width: int) -> np.ndarray:
    large = np.empty((height, width, 3), np.uint8)
    enlarge(small, large)
    return large


@settings(max_examples=15)
@given(height=st.integers(1, 60), width=st.integers(1, 60), scale=st.floats(1.1, 9))
def test_a_painting_of_any_shape_is_enlarged_to_any_size(height: int, width: int, scale: float) -> None:
    large = np.full((round(height * scale), round(width * scale), 3), 7, np.uint8)
    enlarge(painting(height, width) // 2 + 100, large)
    assert large.min() > 50  # all of it


@pytest.mark.parametrize("rows", [1, 16, 50, 250])
def test_rendering_does_not_depend_on_the_number_of_bands(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = enlarged(painting(60, 70), 340, 397)
    monkeypatch.setattr(stroke_upsampling, "BAND", 397 * rows)
    assert np.array_equal(enlarged(painting(60, 70), 340, 397), expected)


@pytest.mark.parametrize("scale", [1.3, 3, 8])
def test_downscaled_it_equals_the_painting(scale: float) -> None:
    """No shift, no other colours: scaled down again it differs by no more than strokes of that size must."""
    small = painting(80, 120)
    large = enlarged(small, round(80 * scale), round(120 * scale))
    again = cv2.resize(large, (120, 80), interpolation=cv2.INTER_AREA)
    soft, softened = (cv2.GaussianBlur(each, (0, 0), 4).astype(float) for each in (small, again))
    assert np.abs(soft - softened).mean() < 5
    assert abs(float(again.mean()) - float(small.mean())) < 2
    for step in (2, -2):  # any shift makes it worse
        assert np.abs(soft - np.roll(softened, step, 0)).mean() > np.abs(soft - softened).mean()
        assert np.abs(soft - np.roll(softened, step, 1)).mean() > np.abs(soft - softened).mean()


def test_strokes_are_parallel_to_edges() -> None:
    small = np.zeros((64, 64, 3), np.uint8)
    small[:, 32:] = 255
    laid = Strokes.of(small)
    at_edge = np.abs(laid.x - 32) < 3
    assert np.abs(laid.sine[at_edge]).min() > 0.97  # upright, but for a turn of 0.18


def test_strokes_have_one_colour_and_ridges_along_them() -> None:
    """On a flat painting what varies is light alone, and it varies across the strokes more than along them."""
    large = enlarged(np.full((40, 40, 3), 128, np.uint8), 400, 400).astype(float)
    assert abs(large.mean() - 128) < 2 and 1 < large.std() < 20
    assert np.ptp(large, axis=2).max() <= 1  # grey stays grey


def test_fine_strokes_are_drawn_where_there_is_detail() -> None:
    small = np.full((60, 120, 3), 90, np.uint8)
    small[:, 60:] = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    laid = Strokes.of(small)
    fine = laid.length < 4
    left, right = (fine & (laid.x < 50)).sum(), (fine & (laid.x > 70)).sum()
    assert right > 1000 and left < right / 20


@pytest.mark.parametrize(
    ("sides", "larger"), [((20, 300), (44, 2100)), ((300, 20), (2100, 44)), ((9, 200), (60, 1000))]
)
def test_anisotropic_enlargement_keeps_positions(sides: tuple[int, int], larger: tuple[int, int]) -> None:
    """As in long panoramas, whose short side is rounded."""
    small = painting(*sides)
    large = enlarged(small, *larger)
    again = cv2.resize(large, sides[::-1], interpolation=cv2.INTER_AREA)
    soft, softened = (cv2.GaussianBlur(each, (0, 0), 3).astype(float) for each in (small, again))
    away = np.abs(soft - softened).mean()
    slipped = np.abs(np.roll(soft, 5, int(np.argmax(sides))) - softened).mean()
    assert away < 6 and slipped > 2 * away


def test_outlines_are_convex_around_the_centres_of_their_strokes() -> None:
    laid = Strokes.of(painting(30, 30))
    outlines = laid.outlines(5.0, 5.0) / (1 << SHIFT)
    assert outlines.shape[1:] == (POINTS, 2)
    middles = np.stack([laid.x, laid.y], 1) * 5 - 0.5
    assert np.abs(outlines.mean(1) - middles).max() < 0.1
    assert all(cv2.isContourConvex(np.rint(each * 64).astype(np.int32)) for each in outlines[::50])


def test_equal_parts_of_two_frames_get_equal_strokes() -> None:
    first = painting(64, 96)
    second = first.copy()
    second[:, 70:] = 255 - second[:, 70:]
    one, other = (enlarged(each, 256, 384) for each in (first, second))
    # Directions follow forms up to 36 pixels away, more weakly the further.
    assert (np.abs(one[:, :100].astype(int) - other[:, :100]) > 8).mean() < 0.01
