import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from impasto.networks.moods import PALETTE_DIM, balancing_offsets, moments, palette

#: Pairs of small images in −1…1.
pixels = arrays(np.float32, st.tuples(st.just(2), st.just(3), st.integers(1, 5), st.integers(1, 5)))
some_pixels = pixels.map(lambda values: np.nan_to_num(values, posinf=0, neginf=0).clip(-1, 1))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def opponent(picture: np.ndarray) -> np.ndarray:
    """Return the channels (3, N) of an image (3, H, W): lightness, red–green, yellow–blue."""
    red, green, blue = picture.reshape(3, -1).astype(float)
    return np.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue])


@given(st.lists(st.tuples(*[st.integers(1, 4)] * 3), min_size=1, max_size=4), st.integers(0, 99))
def test_moments_equal_numpys_means_and_standard_deviations(shapes: list[tuple[int, int, int]], seed: int) -> None:
    maps = [10 * noise(2, *shape, seed=seed + k) for k, shape in enumerate(shapes)]
    expected = [
        part
        for each in maps
        for part in (each.numpy().mean((2, 3)), np.sqrt(each.numpy().astype(float).var((2, 3)) + 1e-5))
    ]
    np.testing.assert_allclose(moments(maps).numpy(), np.concatenate(expected, 1), atol=1e-4)


def test_moments_of_bf16_maps_are_computed_in_float32() -> None:
    maps = (noise(2, 3, 40, 50) + 7).bfloat16()
    torch.testing.assert_close(moments([maps]), moments([maps.float()]), atol=0, rtol=0)
    assert moments([maps]).dtype == torch.float32


@given(some_pixels)
def test_a_palette_equals_numpys_statistics_of_the_opponent_channels(pictures: np.ndarray) -> None:
    found = palette(torch.from_numpy(pictures)).numpy()
    assert found.shape == (2, PALETTE_DIM)
    for picture, row in zip(pictures, found, strict=True):
        channels = opponent(picture)
        covariance = np.atleast_2d(np.cov(channels, bias=True))
        deviations = np.sqrt(covariance.diagonal() + 1e-5)
        mixed = covariance[[0, 0, 1], [1, 2, 2]]
        np.testing.assert_allclose(row, [*channels.mean(1), *deviations, *mixed], atol=1e-4)


@pytest.mark.parametrize(
    ("colour", "means"),
    [
        ((0.5, 0.5, 0.5), (0.5, 0, 0)),  # grey: lightness only
        ((1, -1, 0), (0, 2, 0)),  # red–green
        ((0.5, 0.5, -1), (0, 0, 1.5)),  # yellow–blue
    ],
)
def test_a_constant_image_has_zero_deviations_and_covariances(
    colour: tuple[float, float, float], means: tuple[float, float, float]
) -> None:
    (found,) = palette(torch.tensor(colour)[None, :, None, None].expand(1, 3, 7, 9))
    torch.testing.assert_close(found[:3], torch.tensor(means, dtype=torch.float32))
    torch.testing.assert_close(found[3:6], torch.full((3,), 1e-5**0.5))
    assert found[6:].abs().max() < 1e-6


def test_covariances_distinguish_the_hue_of_shadows() -> None:
    """Two images with the same mean colours, one with blue shadows, one with yellow ones."""
    light = torch.linspace(-0.5, 0.5, 50).view(1, 1, 5, 10)
    hue = torch.tensor([1.0, 1.0, -2.0]).view(1, 3, 1, 1) / 3  # yellow with zero lightness
    blue, yellow = palette(light + light * hue), palette(light - light * hue)
    torch.testing.assert_close(blue[:, :6], yellow[:, :6])
    assert blue[0, 7] > 0.05 and yellow[0, 7] < -0.05


@given(st.integers(0, 999))
def test_statistics_are_independent_of_layout(seed: int) -> None:
    picture = noise(2, 3, 6, 8, seed=seed)
    order = torch.randperm(48, generator=torch.Generator().manual_seed(seed))
    mixed = picture.flatten(2)[:, :, order].view_as(picture)
    for found in (palette, lambda pictures: moments([pictures])):
        torch.testing.assert_close(found(mixed), found(picture), atol=1e-5, rtol=1e-4)


def test_gradients_reach_every_pixel_and_are_finite_for_constant_images() -> None:
    for given_pictures in (noise(1, 3, 5, 5), torch.full((1, 3, 5, 5), 0.3)):
        pictures = given_pictures.requires_grad_()
        (palette(pictures).square().sum() + moments([pictures]).square().sum()).backward()
        assert pictures.grad is not None and pictures.grad.isfinite().all() and (pictures.grad != 0).all()


@pytest.mark.parametrize(("count", "among"), [(300, 30), (900, 20), (400, 7)])
def test_offsets_balance_how_often_each_point_is_the_nearest(count: int, among: int) -> None:
    """By distances alone a hub is nearest to most queries and some points to none."""
    rng = torch.Generator().manual_seed(count)
    queries, points = torch.randn(count, 40, generator=rng), torch.randn(among, 40, generator=rng)
    points *= torch.linspace(0.2, 1.5, among)[:, None]
    distances = torch.cdist(queries, points).square()
    before = distances.argmin(1).bincount(minlength=among)
    after = (distances - balancing_offsets(distances)).argmin(1).bincount(minlength=among)
    fair = count / among
    assert before.max() > 3 * fair and before.min() == 0
    assert after.max() <= 1.5 * fair + 2 and after.min() >= 0.4 * fair


def test_balanced_choices_cost_about_as_little_as_the_optimal_assignment() -> None:
    """For equally many queries and points, compared with the Hungarian algorithm."""
    rng = torch.Generator().manual_seed(5)
    distances = torch.rand(40, 40, generator=rng)
    chosen = (distances - balancing_offsets(distances)).argmin(1)
    rows, columns = linear_sum_assignment(distances.numpy())
    assert (chosen.numpy() == columns).mean() >= 0.8
    assert distances[torch.arange(40), chosen].sum() <= 1.1 * distances.numpy()[rows, columns].sum()


def test_offsets_of_equal_distances_are_equal_and_finite() -> None:
    found = balancing_offsets(torch.full((6, 3), 2.5))
    assert found.isfinite().all()
    torch.testing.assert_close(found, found[:1].expand(3))


@given(st.floats(1e-3, 1e3), st.integers(0, 9))
def test_offsets_scale_with_the_distances(factor: float, seed: int) -> None:
    distances = torch.rand(20, 5, generator=torch.Generator().manual_seed(seed))
    centred = [
        each - each.mean() for each in (balancing_offsets(distances) * factor, balancing_offsets(distances * factor))
    ]
    torch.testing.assert_close(*centred, atol=1e-3 * factor, rtol=1e-3)
