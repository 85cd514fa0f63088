"""Statistics agree with their definitions, and differences are described."""

import io
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor

import impasto as package
from impasto.data.inventory import Inventory
from impasto.exploration.image_statistics import (
    STATISTICS,
    Measurements,
    decibels,
    describe_differences,
    lightness,
    measure_image,
    percentiles,
)
from impasto.exploration.results import Colour, Domain, ImageStatistics

Pixels = NDArray[np.uint8]

PICTURES = arrays(np.uint8, st.integers(3, 24).map(lambda side: (side, side, 3)))


def plain(*colour: int, side: int = 32) -> Pixels:
    return np.full((side, side, 3), colour, np.uint8)


def photos() -> list[Pixels]:
    with zipfile.ZipFile(Path(package.__file__).parent / "sample" / "photos.zip") as archive:
        return [
            np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB").resize((256, 256)))
            for name in sorted(archive.namelist())[:8]
        ]


def looks_of(measures: Sequence[Measurements]) -> list[ImageStatistics]:
    return [
        ImageStatistics(name=f"{number}.jpg", **{name: getattr(each, name) for name in STATISTICS})
        for number, each in enumerate(measures)
    ]


def domain(pictures: Sequence[Pixels], palette: Sequence[Colour] = ()) -> Domain:
    """Return the domain of images, as far as describe_differences needs it."""
    measures = [measure_image(picture) for picture in pictures]
    counts = np.sum([each.histogram for each in measures], axis=0)
    return Domain(
        role="paintings",
        inventory=Inventory(source="invented", size=len(pictures[0])),
        statistics=looks_of(measures),
        percentiles=percentiles(looks_of(measures)),
        histogram=(counts / counts.sum(axis=1, keepdims=True)).tolist(),
        spectrum=decibels(np.sum([each.power for each in measures], axis=0), len(measures)),
        palette=list(palette),
        inspected=0,
        frames=[],
        watermarks=[],
        sample=[],
        mean_similarity={},
        typical=[],
        outliers=[],
        clusters=[],
    )


@pytest.mark.parametrize(
    ("colour", "expected"),
    [  # sRGB's primaries and greys in CIELAB under D65, as commonly tabulated
        ((255, 255, 255), 100.0),
        ((0, 0, 0), 0.0),
        ((119, 119, 119), 50.03),
        ((255, 0, 0), 53.24),
        ((0, 255, 0), 87.73),
        ((0, 0, 255), 32.30),
        ((1, 1, 1), 0.27),
    ],
)
def test_lightness_equals_cielab(colour: tuple[int, int, int], expected: float) -> None:
    found = measure_image(plain(*colour))
    assert found.brightness == pytest.approx(expected, abs=0.03)
    assert found.contrast == pytest.approx(0, abs=1e-4)


def test_half_black_and_half_white_has_maximum_contrast() -> None:
    picture = plain(0, 0, 0)
    picture[:16] = 255
    found = measure_image(picture)
    assert [found.brightness, found.contrast] == pytest.approx([50, 50])


def test_colourfulness_equals_the_formula_of_the_paper(paintings: Tensor) -> None:
    for picture in paintings.numpy():
        red, green, blue = picture.astype(float).transpose(2, 0, 1)
        rg, yb = red - green, (red + green) / 2 - blue
        expected = np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
        assert measure_image(picture).colourfulness == pytest.approx(expected, rel=1e-5)


@given(arrays(np.uint8, (8, 8, 1)))
def test_grey_is_not_colourful(grey: Pixels) -> None:
    assert measure_image(np.repeat(grey, 3, axis=2)).colourfulness == 0


@given(PICTURES)
def test_flips_and_rotations_do_not_change_measurements(picture: Pixels) -> None:
    found = measure_image(picture)
    for other in (picture[:, ::-1], picture[::-1], np.rot90(picture)):
        again = measure_image(other)
        for name in STATISTICS:
            assert getattr(again, name) == pytest.approx(getattr(found, name), rel=1e-4, abs=1e-4)
        assert np.array_equal(again.histogram, found.histogram)
        assert again.power == pytest.approx(found.power, rel=1e-2, abs=1e-3)


@given(PICTURES)
def test_every_pixel_counts_once_in_each_channel_histogram(picture: Pixels) -> None:
    found = measure_image(picture)
    assert found.histogram.shape == (3, 256)
    assert (found.histogram.sum(axis=1) == picture.shape[0] ** 2).all()
    assert found.histogram @ np.arange(256) == pytest.approx(picture.sum(axis=(0, 1)))
    assert len(found.power) == picture.shape[0] // 2


def test_blur_reduces_sharpness_and_high_frequencies(paintings: Tensor) -> None:
    for picture in paintings.numpy():
        blurred = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(2)))
        sharp, soft = measure_image(picture), measure_image(blurred)
        assert soft.sharpness < sharp.sharpness / 2
        assert soft.power[64:].sum() < sharp.power[64:].sum() / 10
        assert soft.power[:4] == pytest.approx(sharp.power[:4], rel=0.1)


def test_sharpness_is_the_mean_absolute_laplacian() -> None:
    board = np.indices((32, 32)).sum(axis=0) % 2 * 255
    assert measure_image(np.repeat(board[..., None], 3, axis=2).astype(np.uint8)).sharpness == pytest.approx(100)
    slope = np.linspace(0, 255, 32).astype(np.uint8)  # even steps are no detail, but for rounding and gamma
    assert measure_image(np.repeat(np.tile(slope, (32, 1))[..., None], 3, axis=2)).sharpness < 0.5


@pytest.mark.parametrize("cycles", [1, 5, 16, 31])
def test_a_wave_has_its_power_at_its_frequency(cycles: int) -> None:
    wave = 128 + 100 * np.sin(2 * np.pi * cycles * np.arange(64) / 64)
    found = measure_image(np.repeat(np.tile(wave, (64, 1)).round().astype(np.uint8)[..., None], 3, axis=2))
    assert abs(int(found.power.argmax()) + 1 - cycles) <= 1


def test_the_power_of_white_noise_is_its_variance_at_every_frequency() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    found = measure_image(noise)
    for octave in (slice(16, 32), slice(32, 64), slice(64, 128)):
        assert found.power[octave].mean() == pytest.approx(found.contrast**2, rel=0.1)


@pytest.mark.parametrize("side", [1, 2, 3, 33])
def test_small_and_uniform_images_can_be_measured(side: int) -> None:
    found = measure_image(plain(90, 90, 90, side=side))
    assert np.isfinite([getattr(found, name) for name in STATISTICS]).all()
    assert found.sharpness == pytest.approx(0, abs=1e-4)
    assert decibels(found.power, 1) == pytest.approx([-40.0] * (side // 2), abs=0.01)


def test_decibels_are_of_the_mean() -> None:
    power = np.array([100.0, 1.0])
    assert decibels(power * 5, 5) == pytest.approx([20, 0], abs=1e-3)


def test_percentiles_are_5_50_and_95() -> None:
    statistics = [
        ImageStatistics(name="", brightness=value, contrast=1, colourfulness=2, sharpness=3 * value)
        for value in range(101)
    ]
    found = percentiles(statistics)
    assert list(found) == ["brightness", "contrast", "colourfulness", "sharpness"]
    assert (found["brightness"].low, found["brightness"].median, found["brightness"].high) == (5, 50, 95)
    assert found["sharpness"].high == 285


def test_measuring_an_image_takes_milliseconds(paintings: Tensor) -> None:
    pictures = paintings.numpy()
    measure_image(pictures[0])
    seconds = []
    for _ in range(5):
        for picture in pictures:
            start = time.process_time()
            measure_image(picture)
            seconds.append(time.process_time() - start)
    assert min(seconds) < 0.015  # 2.9 ms on an idle core


def test_a_data_set_does_not_differ_from_itself(paintings: Tensor) -> None:
    one = domain(list(paintings.numpy()), [Colour(hex="#336699", share=1.0)])
    assert describe_differences(one, one) == []


def test_the_largest_difference_is_described_first(paintings: Tensor) -> None:
    pictures = list(paintings.numpy())
    before = domain(pictures)
    dark = [(picture * 0.4).astype(np.uint8) for picture in pictures]
    assert describe_differences(before, domain(dark))[0].startswith(
        "Photos are much darker than paintings: mean lightness "
    )
    soft = [np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1))) for picture in pictures]
    words = describe_differences(before, domain(soft))
    assert "dB less of the finest detail (above 64 cycles per image) than paintings" in words[0]
    assert any(line.startswith("Photos are much softer than paintings: ") for line in words)
    grey = [np.repeat(picture.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2) for picture in pictures]
    assert describe_differences(before, domain(grey))[0].startswith(
        "Photos are much less colourful than paintings: 0 against"
    )
    blue = [picture - (picture * [0.3, 0.3, 0.0]).astype(np.uint8) for picture in pictures]
    assert any("more blue than paintings: its mean is " in line for line in describe_differences(before, domain(blue)))


def test_descriptions_are_opposite_when_the_domains_are_swapped(paintings: Tensor) -> None:
    one, other = domain(list(paintings.numpy())), domain(photos())
    there, back = describe_differences(one, other), describe_differences(other, one)
    assert len(there) == len(back) > 0
    opposites = {"darker": "lighter", "lighter": "darker", "higher": "lower", "lower": "higher"}
    opposites |= {"sharper": "softer", "softer": "sharper", "more": "less", "less": "more"}
    turned = {word for line in there for word in line.split() if word in opposites}
    assert {opposites[word] for word in turned} == {word for line in back for word in line.split() if word in opposites}


def test_the_colour_that_differs_is_named() -> None:
    pictures = [plain(120, 120, 120), plain(122, 122, 122)]
    one = domain(pictures, [Colour(hex="#808080", share=0.9), Colour(hex="#2040d0", share=0.1)])
    other = domain(pictures, [Colour(hex="#808080", share=0.4), Colour(hex="#2040d0", share=0.6)])
    assert describe_differences(one, other) == [
        "Photos contain more blue than paintings: 60% of their area, against 10%."
    ]


@pytest.mark.parametrize("side", [1, 2, 4, 32])
def test_data_sets_without_variance_can_be_compared(side: int) -> None:
    words = describe_differences(domain([plain(0, 0, 0, side=side)]), domain([plain(255, 255, 255, side=side)] * 3))
    assert words == [
        "Photos are much lighter than paintings: mean lightness 100 against 0, where 0 is black and 100 is white."
    ]


def test_kaggle_photos_are_darker_than_the_paintings(shared_data: Path) -> None:
    sets = []
    for folder in ("monet_jpg", "photo_jpg"):
        files = sorted((shared_data / "kaggle_monet" / folder).glob("*.jpg"))
        files = files[:: len(files) // 80]
        sets.append(domain([np.asarray(Image.open(file).convert("RGB")) for file in files]))
    words = describe_differences(sets[0], sets[1])
    assert any(line.startswith("Photos are much darker than paintings: mean lightness 4") for line in words[:2])


def test_lightness_keeps_the_shape() -> None:
    assert lightness(np.zeros((2, 5, 7, 3), np.uint8)).shape == (2, 5, 7)
