import math

import pytest
import torch
from torch import Tensor

from impasto.networks.noise import fixed_noise, noise_at, noise_like


def spectrum(pictures: Tensor) -> Tensor:
    """Return the power spectrum (H, W) of images (N, H, W), averaged over N."""
    power: Tensor = torch.fft.fft2(pictures).abs().square().mean(0)
    return power


def test_fixed_noise_depends_on_position_and_level_only() -> None:
    large = noise_at(torch.arange(80), torch.arange(90), 0)
    assert torch.equal(noise_at(torch.arange(7, 30), torch.arange(5, 20), 0), large[7:30, 5:20])
    assert torch.equal(fixed_noise(torch.zeros(2, 3, 80, 90), 0)[0, 0], large)
    other = noise_at(torch.arange(80), torch.arange(90), 1)
    assert abs(torch.corrcoef(torch.stack([large.flatten(), other.flatten()]))[0, 1]) < 0.05


def test_fixed_noise_is_normal_and_white() -> None:
    """Moments and tails are those of the normal distribution, and the spectrum is flat up to chance."""
    noise = noise_at(torch.arange(512), torch.arange(512), 0).double()
    count = noise.numel()
    assert abs(noise.mean()) < 4 / math.sqrt(count)
    assert abs(noise.square().mean() - 1) < 4 * math.sqrt(2 / count)
    assert abs(noise.pow(4).mean() - 3) < 4 * math.sqrt(96 / count)
    for bound, share in ((1, 0.31731), (2, 0.04550), (3, 0.00270)):
        assert (noise.abs() > bound).double().mean() == pytest.approx(share, abs=4 * math.sqrt(share / count))
    power = (
        spectrum(noise[None]).flatten()[1:] / count
    )  # exponentially distributed with mean 1, except the constant one
    assert power.max() < math.log(count) + 8
    tiles = spectrum(noise.unfold(0, 32, 32).unfold(1, 32, 32).reshape(-1, 32, 32)) / 32**2  # means of 256
    assert tiles.min() > 1 - 6 / 16 and tiles.max() < 1 + 6 / 16
    for right in range(-4, 5):
        for down in range(5):
            if (right, down) > (0, 0) or down:
                alike = (noise * noise.roll((down, right), (0, 1))).mean()
                assert abs(alike) < 5 / math.sqrt(count), (right, down)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_at_inference_noise_is_fixed_and_has_the_dtype_of_the_maps(dtype: torch.dtype) -> None:
    maps = torch.zeros(3, 5, 12, 17, dtype=dtype)
    found = noise_like(maps, 2, training=False)
    assert found.shape == (1, 1, 12, 17) and found.dtype == dtype
    assert torch.equal(found, fixed_noise(maps, 2).to(dtype))
    assert not torch.equal(found, noise_like(maps, 1, training=False))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_training_noise_differs_by_image_and_step_and_follows_the_seed(dtype: torch.dtype) -> None:
    maps = torch.zeros(3, 5, 40, 41, dtype=dtype)
    torch.manual_seed(1)
    first, second = noise_like(maps, 0, training=True), noise_like(maps, 0, training=True)
    torch.manual_seed(1)
    assert torch.equal(noise_like(maps, 0, training=True), first)
    assert first.shape == (3, 1, 40, 41) and first.dtype == dtype
    every = torch.cat([first, second]).flatten(1).float()
    assert (torch.corrcoef(every) - torch.eye(6)).abs().max() < 0.15
    assert every.std() == pytest.approx(1, abs=0.05) and every.mean() == pytest.approx(0, abs=0.05)
