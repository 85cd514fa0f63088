import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.data.augment import colour_jitter, crop_and_flip, resize, to_float, to_pixels


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pixels_round_trip_through_float() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert to_float(pixels).min() == -1 and to_float(pixels).max() == 1
    assert torch.equal(to_pixels(to_float(pixels)), pixels)


def test_out_of_range_is_clipped_not_wrapped() -> None:
    dark, bright = torch.full((1, 3, 1, 1), -1.5), torch.full((1, 3, 1, 1), 1.5)
    assert to_pixels(torch.cat([dark, bright])).flatten().tolist() == [0, 0, 0, 255, 255, 255]


@given(size=st.integers(2, 40), seed=st.integers(0, 99))
def test_a_full_size_crop_without_flip_changes_nothing(size: int, seed: int) -> None:
    pictures = torch.rand(3, 3, size, size, generator=seeded(seed)) * 2 - 1
    same = crop_and_flip(pictures, size, (1.0, 1.0), False, seeded(seed))
    torch.testing.assert_close(same, pictures, atol=1e-4, rtol=0)


@pytest.mark.parametrize("rotate", [0.0, 10.0])
def test_crops_are_as_antialiased_as_the_images_that_scores_compare_with(rotate: float) -> None:
    """Waves of 110 a side are too fine for a crop of 192 pixels at 128: bilinear samples turn them into coarser
    ones."""
    waves = torch.sin(2 * torch.pi * 110 * (torch.arange(256) + 0.5) / 256)
    for pictures in (waves.expand(8, 3, 256, 256), waves[:, None].expand(8, 3, 256, 256)):
        crops = crop_and_flip(pictures, 128, (0.75, 0.75), True, seeded(), rotate)
        expected = resize(pictures[:, :, :192, :192].contiguous(), 128)
        assert crops[:, :, 8:-8, 8:-8].std() < 1.05 * expected[:, :, 8:-8, 8:-8].std() < 0.15


@pytest.mark.parametrize("size", [48, 64, 80])
def test_a_crop_of_the_whole_image_is_resized_by_the_same_kernel(size: int) -> None:
    pictures = torch.rand(2, 3, 64, 64, generator=seeded()) * 2 - 1
    crops = crop_and_flip(pictures, size, (1.0, 1.0), False, seeded())
    torch.testing.assert_close(crops, resize(pictures, size), atol=1e-5, rtol=0)


def test_about_half_of_the_images_are_flipped() -> None:
    ramp = torch.linspace(-1, 1, 16).expand(400, 3, 16, 16)
    flipped = crop_and_flip(ramp, 16, (1.0, 1.0), True, seeded())
    left = (flipped - ramp).abs().amax((1, 2, 3)) < 1e-4
    mirrored = (flipped - ramp.flip(3)).abs().amax((1, 2, 3)) < 1e-4
    assert bool((left ^ mirrored).all())
    assert 150 < int(mirrored.sum()) < 250


@settings(max_examples=25)
@given(low=st.floats(0.3, 1.0), seed=st.integers(0, 99))
def test_crops_lie_inside_the_image_and_have_the_requested_scale(low: float, seed: int) -> None:
    """On a ramp of coordinates, the values of a crop give its position and size."""
    ramp = torch.linspace(-1, 1, 64).expand(50, 3, 64, 64)
    crops = crop_and_flip(ramp, 32, (low, 1.0), False, seeded(seed))[:, 0]
    step = (crops[:, 0, -1] - crops[:, 0, 0]) / 31  # per output pixel
    scale = step * 32 / (2 / 63 * 64)
    inside = (crops > -0.98).all() and (crops < 0.98).all()
    assert scale.min() > low - 0.05 and scale.max() < 1.02
    assert crops.abs().max() <= 1 and (bool(inside) or scale.max() > 0.9)


@settings(max_examples=15)
@given(degrees=st.floats(1, 45), seed=st.integers(0, 99))
def test_rotation_is_within_the_requested_angle_and_without_shear(degrees: float, seed: int) -> None:
    """The gradients of x and y at the centre of a rotated ramp are orthogonal unit vectors."""
    line = torch.linspace(-1, 1, 32) * 31 / 32
    ramps = torch.stack([line.expand(32, 32), line[:, None].expand(32, 32), torch.zeros(32, 32)]).expand(200, 3, 32, 32)
    turned = crop_and_flip(ramps, 32, (1.0, 1.0), True, seeded(seed), degrees)[:, :2, 12:20, 12:20]
    rises = torch.stack([turned.diff(dim=3).mean((2, 3)), turned.diff(dim=2).mean((2, 3))], 2) * 16  # (200, ramp, way)
    across, down = rises.unbind(1)
    torch.testing.assert_close(across.norm(dim=1), torch.ones(200), atol=1e-3, rtol=0)
    torch.testing.assert_close((across * down).sum(1), torch.zeros(200), atol=1e-3, rtol=0)
    angles = torch.rad2deg(torch.atan2(down[:, 0].abs(), down[:, 1]))
    assert angles.max() <= degrees + 0.1 and angles.max() > 0.8 * degrees
    assert abs(angles.mean() / degrees - 0.5) < 0.15
    assert 60 < int((across[:, 0] < 0).sum()) < 140, "mirrored as well"


def test_rotation_does_not_change_the_random_draws_of_the_crops() -> None:
    pictures = torch.rand(4, 3, 16, 16, generator=seeded(1))
    plain, still, turned = (
        crop_and_flip(pictures, 8, (0.5, 0.9), True, seeded(), *rotate) for rotate in ((), (0.0,), (20.0,))
    )
    assert torch.equal(plain, still) and not torch.equal(plain, turned)


@given(strength=st.floats(0.05, 0.9), seed=st.integers(0, 99))
def test_colour_jitter_stays_within_its_strength(strength: float, seed: int) -> None:
    """On low-contrast images nothing is clipped, so each change is one number per image."""
    pictures = (torch.rand(6, 3, 8, 8, generator=seeded(1), dtype=torch.float64) - 0.5) * 0.02
    changed = colour_jitter(pictures, strength, seeded(seed))
    grey, grey_before = changed.mean(1, keepdim=True), pictures.mean(1, keepdim=True)
    middle, middle_before = grey.mean((2, 3), keepdim=True), grey_before.mean((2, 3), keepdim=True)
    bright = middle - middle_before
    contrast = (grey - middle) / (grey_before - middle_before)
    saturation = (changed - grey) / (pictures - grey_before) / contrast
    for ratio, around in ((bright, 0), (contrast, 1), (saturation, 1)):
        per_picture = ratio.flatten(1)
        torch.testing.assert_close(per_picture, per_picture[:, :1].expand_as(per_picture), atol=1e-6, rtol=1e-6)
        assert (per_picture[:, 0] - around).abs().max() <= strength * (1 + 1e-6)
        assert len(set(per_picture[:, 0].tolist())) == 6, "each picture has its own"


@given(strength=st.floats(0.0, 0.99), seed=st.integers(0, 99))
def test_colour_jitter_stays_in_range_and_keeps_grey_grey(strength: float, seed: int) -> None:
    pictures = torch.rand(3, 1, 6, 6, generator=seeded(seed)).expand(3, 3, 6, 6) * 2 - 1
    changed = colour_jitter(pictures, strength, seeded(seed))
    assert changed.abs().max() <= 1
    torch.testing.assert_close(changed, changed[:, :1].expand_as(changed), atol=1e-5, rtol=0)
    assert torch.equal(changed, colour_jitter(pictures, strength, seeded(seed)))
    if strength == 0:
        torch.testing.assert_close(changed, pictures)


def test_resizing_is_antialiased() -> None:
    """A checkerboard of single pixels becomes grey."""
    board = torch.from_numpy(np.indices((64, 64)).sum(0) % 2 * 2.0 - 1).float().expand(1, 3, 64, 64)
    assert resize(board, 16)[:, :, 2:-2, 2:-2].abs().max() < 0.02
    assert resize(torch.full((1, 3, 64, 64), 0.5), 16).sub(0.5).abs().max() == pytest.approx(0, abs=1e-6)
