import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from impasto.data.resampling import Kernel, cubic, resample, sampling_matrices, triangle

KERNELS = pytest.mark.parametrize(("kernel", "support"), [(cubic, 2), (triangle, 1)])


def centres(samples: int, pixels: int, count: int = 1) -> torch.Tensor:
    return ((torch.arange(samples) + 0.5) * pixels / samples).expand(count, -1)


@KERNELS
def test_samples_at_the_pixels_are_the_pixels(kernel: Kernel, support: int) -> None:
    weights = sampling_matrices(centres(9, 9), 9, kernel, torch.ones(1), support)
    assert torch.equal(weights[0], torch.eye(9))


@given(pixels=st.integers(2, 40), samples=st.integers(1, 40), width=st.floats(1, 4), seed=st.integers(0, 99))
def test_weights_are_those_of_all_pixels_by_their_distances(pixels: int, samples: int, width: float, seed: int) -> None:
    """Only the pixels within reach are computed."""
    rng = torch.Generator().manual_seed(seed)
    places = torch.rand(2, samples, generator=rng) * pixels
    widths = torch.tensor([1.0, width])
    for kernel, support in ((cubic, 2), (triangle, 1)):
        distances = (torch.arange(pixels) + 0.5 - places[:, :, None]) / widths[:, None, None]
        expected = kernel(distances) / kernel(distances).sum(2, keepdim=True)
        found = sampling_matrices(places, pixels, kernel, widths, support * width)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("size", [12, 32, 40])
def test_a_cubic_kernel_as_wide_as_the_step_is_torchs_antialiased_bicubic(size: int) -> None:
    image, step = torch.rand(1, 3, 32, 32), 32 / size
    width = max(1.0, step)
    weights = sampling_matrices(centres(size, 32), 32, cubic, torch.tensor([width]), 2 * width)
    expected = F.interpolate(image, size=(size, size), mode="bicubic", antialias=True)
    torch.testing.assert_close(resample(image, weights, weights), expected, atol=1e-5, rtol=0)


def test_autocast_does_not_round_the_images() -> None:
    image, weights = torch.rand(2, 3, 8, 8), sampling_matrices(centres(8, 8, 2), 8, cubic, torch.ones(2), 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(resample(image, weights, weights), image)


def test_it_is_twice_differentiable() -> None:
    image = torch.rand(1, 1, 5, 5, dtype=torch.double, requires_grad=True)
    weights = sampling_matrices(centres(4, 5).double(), 5, cubic, torch.ones(1).double(), 2)
    assert torch.autograd.gradgradcheck(lambda given: resample(given, weights, weights).square(), image)
