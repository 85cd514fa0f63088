"""Checkerboards of upsampling are detected, and nothing else."""

import io
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from impasto.data.preprocess import Square, decode_squares
from impasto.data.sources import open_source
from impasto.metrics.checkerboard import CHECKERBOARD, GROUPS, TILE, Spectrum
from impasto.metrics.results import Value

Pixels = NDArray[np.uint8]
COUNT = 30
CLEAR = 1.5  #: decibels above the untouched pictures that are no doubt


@pytest.fixture(scope="module")
def monets() -> Pixels:
    with open_source("sample:paintings") as source:
        found = list(decode_squares(islice(source.entries(), COUNT), 256))
    return np.stack([each.pixels for each in found if isinstance(each, Square)])


@pytest.fixture(scope="module")
def photos(shared_data: Path) -> Pixels:
    files = sorted((shared_data / "kaggle_monet" / "photo_jpg").glob("*.jpg"))[:COUNT]
    return np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])


def level(pixels: Pixels) -> Value:
    spectrum = Spectrum()
    spectrum.add(pixels)
    found = spectrum.checkerboard()
    assert found is not None
    return found


def each(pixels: Pixels, change: Callable[[Image.Image], Image.Image]) -> Pixels:
    return np.stack([np.asarray(change(Image.fromarray(picture))) for picture in pixels])


def jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    def saved(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return saved


def wave(period: float, size: int = 256) -> NDArray[np.float64]:
    """Columns of that period, of amplitude 1 at the pixels whatever the period."""
    return np.asarray(np.sqrt(2) * np.cos(2 * np.pi * np.arange(size) / period + np.pi / 4))


STRIPES = np.ones((256, 1))
CHECKS = (-1.0) ** np.indices((256, 256)).sum(0)
PATTERNS = {
    "checks of single pixels": CHECKS,
    "stripes of single pixels": STRIPES * wave(2),
    "stripes of two pixels": STRIPES * wave(4),
    "checks of two pixels": wave(4)[:, None] * wave(4),
    "threads up and across": (wave(4)[:, None] + wave(4)) / np.sqrt(2),
}


def over(pixels: Pixels, pattern: NDArray[np.float64], mask: NDArray[np.bool_] | None = None) -> Pixels:
    shown = pattern[..., None] if mask is None else pattern[..., None] * mask[..., None]
    return np.clip(np.rint(pixels + shown), 0, 255).astype(np.uint8)


def even(pixels: Pixels) -> NDArray[np.bool_]:
    """Where each picture is evenest, a seventh of it, in blocks of 16×16."""
    rough = pixels.mean(-1, dtype=np.float32).reshape(-1, 16, 16, 16, 16).std((2, 4))
    blocks = rough < np.quantile(rough, 1 / 7, axis=(1, 2), keepdims=True)
    return np.asarray(blocks.repeat(16, 1).repeat(16, 2))


def test_paintings_and_photos_have_no_checkerboard(monets: Pixels, photos: Pixels) -> None:
    assert abs(level(monets).value) < 0.5
    assert abs(level(photos).value) < 1.5


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_amplitude_of_one_level_is_detected(pattern: str, monets: Pixels, photos: Pixels) -> None:
    for pixels in (monets, photos):
        planted = [level(over(pixels, amplitude * PATTERNS[pattern])).value for amplitude in (1, 2, 4)]
        assert planted[0] > level(pixels).value + CLEAR
        assert planted[0] + 3 < planted[1] and planted[1] + 3 < planted[2]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_in_smooth_areas_alone_is_detected(pattern: str, monets: Pixels) -> None:
    assert level(over(monets, 2 * PATTERNS[pattern], even(monets))).value > level(monets).value + CLEAR


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_in_smooth_areas_of_one_image_in_ten_is_detected(pattern: str, monets: Pixels) -> None:
    few = monets.copy()
    few[::10] = over(few[::10], 4 * PATTERNS[pattern], even(few[::10]))
    assert level(few).value > level(monets).value + 1


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("way", [Image.Resampling.NEAREST, Image.Resampling.BILINEAR])
def test_upsampled_images_are_detected(factor: int, way: Image.Resampling, monets: Pixels, photos: Pixels) -> None:
    small = (256 // factor, 256 // factor)
    for pixels in (monets, photos):
        enlarged = each(pixels, lambda one: one.resize(small, Image.Resampling.LANCZOS).resize((256, 256), way))
        assert level(enlarged).value > level(pixels).value + 1


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (5, 4), (6, 4)])
def test_checkerboards_of_transposed_convolutions_are_detected(kernel: int, stride: int, monets: Pixels) -> None:
    """Where the stride does not divide the kernel, some pixels are painted over more often: Odena et al. 2016."""
    small = torch.tensor(monets[:, ::stride, ::stride]).permute(0, 3, 1, 2).float()
    weights = torch.ones(3, 1, kernel, kernel) * stride**2 / kernel**2
    painted = torch.nn.functional.conv_transpose2d(small, weights, stride=stride, groups=3)
    pixels = painted.permute(0, 2, 3, 1).clamp(0, 255).round().byte().numpy()
    assert level(pixels[:, kernel:-kernel, kernel:-kernel]).value > 20


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(jpeg(90), id="JPEG of quality 90"),
        pytest.param(jpeg(75), id="JPEG of quality 75"),
        pytest.param(jpeg(50), id="JPEG of quality 50"),
        pytest.param(lambda one: one.filter(ImageFilter.GaussianBlur(0.7)), id="a little blur"),
        pytest.param(lambda one: one.filter(ImageFilter.UnsharpMask(1, 150, 0)), id="sharpened"),
        pytest.param(lambda one: ImageEnhance.Brightness(one).enhance(1.3), id="brighter"),
        pytest.param(lambda one: one.transpose(Image.Transpose.ROTATE_90), id="turned"),
        pytest.param(lambda one: one.crop((3, 5, 203, 205)), id="cut"),
    ],
)
def test_common_image_processing_is_not_detected(
    change: Callable[[Image.Image], Image.Image], monets: Pixels, photos: Pixels
) -> None:
    for pixels in (monets, photos):
        assert level(each(pixels, change)).value == pytest.approx(level(pixels).value, abs=1.5)


@pytest.mark.parametrize("period", [3.0, 5.0, 8.0])
def test_stripes_of_other_periods_are_not_detected(period: float, monets: Pixels) -> None:
    striped = over(monets, 4 * STRIPES * wave(period))
    assert level(striped).value == pytest.approx(level(monets).value, abs=1)


def test_a_checkerboard_in_white_noise_has_its_theoretical_level() -> None:
    """A wave's power at its frequency is that of amplitude times the window's sum; the noise's its variance."""
    deviation, amplitude = 12.0, 2.0
    noise = np.random.default_rng(0).normal(128, deviation, (40, 256, 256, 1))
    pixels = np.rint(np.repeat(noise + amplitude * CHECKS[..., None], 3, -1)).astype(np.uint8)
    window = np.hanning(TILE + 1)[:-1]
    power = (amplitude * window.sum() ** 2 / np.square(window).sum()) ** 2
    assert level(pixels).value == pytest.approx(10 * np.log10(1 + power / deviation**2), abs=0.25)


@settings(max_examples=25)
@given(seed=st.integers(0, 99), place=st.sampled_from(CHECKERBOARD), amplitude=st.integers(3, 30))
def test_every_frequency_is_detected_in_every_orientation(seed: int, place: tuple[int, int], amplitude: int) -> None:
    noise = np.random.default_rng(seed).normal(128, 4, (2, 64, 64))
    y, x = np.indices((64, 64))
    pattern = amplitude * np.cos(2 * np.pi * (place[0] * y + place[1] * x) / TILE + np.pi / 4)
    plain, planted = (np.repeat(np.rint(each)[..., None], 3, -1).astype(np.uint8) for each in (noise, noise + pattern))
    found = level(planted)
    assert found.value > 10 > level(plain).value
    for same in (planted[:, ::-1], planted[:, :, ::-1], planted.transpose(0, 2, 1, 3), 255 - planted):
        assert level(np.ascontiguousarray(same)).value == pytest.approx(found.value, abs=0.5)


def test_images_may_be_added_in_any_way_and_pass_unchanged(monets: Pixels) -> None:
    together, passed = Spectrum(), Spectrum()
    together.add(monets[:7])
    together.add(monets[7:])
    for one, other in zip(monets, passed.observe(monets), strict=True):
        assert (one == other).all()
    assert together.checkerboard() == passed.checkerboard() == level(monets)
    assert together.sums.nbytes < 200_000


def test_the_error_is_the_standard_deviation_over_sets() -> None:
    """Pictures whose lattices are fainter and stronger, drawn anew thirty times."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(30):
        noise = rng.normal(128, 4, (2 * GROUPS, 64, 64)) + rng.gamma(1, 1, (2 * GROUPS, 1, 1)) * CHECKS[:64, :64]
        found.append(level(np.repeat(np.rint(noise)[..., None], 3, -1).clip(0, 255).astype(np.uint8)))
    errors = [each.error for each in found if each.error is not None]
    assert len(errors) == 30
    assert np.mean(errors) == pytest.approx(np.std([each.value for each in found]), rel=0.3)


@settings(max_examples=25)
@given(height=st.integers(TILE, 70), width=st.integers(TILE, 70), count=st.integers(1, 3))
def test_any_size_from_32_and_any_number_of_images(height: int, width: int, count: int) -> None:
    pixels = np.random.default_rng(height * width).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    found = level(pixels)
    assert np.isfinite(found.value)
    assert (found.error is None) == (count == 1)


def test_constant_and_too_small_images() -> None:
    assert level(np.full((3, 64, 64, 3), 200, np.uint8)).value == pytest.approx(0, abs=0.01)
    spectrum = Spectrum()
    assert spectrum.checkerboard() is None
    spectrum.add(np.zeros((2, TILE - 1, 64, 3), np.uint8))
    assert spectrum.checkerboard() is None
