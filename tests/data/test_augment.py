import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.data.augment import crop_and_flip, shrink, to_float, to_pixels


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pixels_survive_the_way_to_float_and_back() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert to_float(pixels).min() == -1 and to_float(pixels).max() == 1
    assert torch.equal(to_pixels(to_float(pixels)), pixels)


def test_out_of_range_is_clipped_not_wrapped() -> None:
    dark, bright = torch.full((1, 3, 1, 1), -1.5), torch.full((1, 3, 1, 1), 1.5)
    assert to_pixels(torch.cat([dark, bright])).flatten().tolist() == [0, 0, 0, 255, 255, 255]


@given(size=st.integers(2, 40), seed=st.integers(0, 99))
def test_the_whole_picture_without_flip_comes_back_unchanged(size: int, seed: int) -> None:
    pictures = torch.rand(3, 3, size, size, generator=seeded(seed)) * 2 - 1
    same = crop_and_flip(pictures, size, (1.0, 1.0), False, seeded(seed))
    torch.testing.assert_close(same, pictures, atol=1e-4, rtol=0)


def test_about_half_the_pictures_are_mirrored_and_the_rest_left() -> None:
    ramp = torch.linspace(-1, 1, 16).expand(400, 3, 16, 16)
    flipped = crop_and_flip(ramp, 16, (1.0, 1.0), True, seeded())
    left = (flipped - ramp).abs().amax((1, 2, 3)) < 1e-4
    mirrored = (flipped - ramp.flip(3)).abs().amax((1, 2, 3)) < 1e-4
    assert bool((left ^ mirrored).all())
    assert 150 < int(mirrored.sum()) < 250


@settings(max_examples=25)
@given(low=st.floats(0.3, 1.0), seed=st.integers(0, 99))
def test_crops_lie_within_the_picture_and_have_the_scale_asked_for(low: float, seed: int) -> None:
    """On a ramp of positions, a crop's values tell where it was cut and how large."""
    ramp = torch.linspace(-1, 1, 64).expand(50, 3, 64, 64)
    crops = crop_and_flip(ramp, 32, (low, 1.0), False, seeded(seed))[:, 0]
    step = (crops[:, 0, -1] - crops[:, 0, 0]) / 31  # per output pixel
    scale = step * 32 / (2 / 63 * 64)
    inside = (crops > -0.98).all() and (crops < 0.98).all()
    assert scale.min() > low - 0.05 and scale.max() < 1.02
    assert crops.abs().max() <= 1 and (bool(inside) or scale.max() > 0.9)


def test_shrinking_does_not_alias() -> None:
    """A checkerboard of single pixels shrinks to grey, not to stripes."""
    board = torch.from_numpy(np.indices((64, 64)).sum(0) % 2 * 2.0 - 1).float().expand(1, 3, 64, 64)
    assert shrink(board, 16)[:, :, 2:-2, 2:-2].abs().max() < 0.02
    assert shrink(torch.full((1, 3, 64, 64), 0.5), 16).sub(0.5).abs().max() == pytest.approx(0, abs=1e-6)
