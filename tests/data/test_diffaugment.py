import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from impasto.data.diffaugment import DiffAugment, cutout_mask, recolor, zoom_and_translate


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 4, height: int = 16, width: int = 16) -> Tensor:
    return torch.rand(count, 3, height, width, generator=seeded(9)) * 2 - 1


def everything(probability: float = 1.0, target: float | None = None) -> DiffAugment:
    return DiffAugment(1.0, 0.125, 0.2, 0.5, probability, target)


def ramp(count: int, size: int) -> Tensor:
    """Images of their coordinates: red is the column and green the row, in pixels from the centre."""
    places = torch.arange(size) - (size - 1) / 2
    columns, rows = places.expand(size, size), places[:, None].expand(size, size)
    return torch.stack([columns, rows, torch.zeros(size, size)]).expand(count, 3, size, size)


# The whole


def test_zero_strengths_return_the_input() -> None:
    pictures = noise()
    assert DiffAugment(0, 0, 0, 0, 1.0, None)(pictures, seeded()) is pictures


def test_probability_zero_returns_equal_images() -> None:
    assert torch.equal(everything(0.0)(noise(), seeded()), noise())


@pytest.mark.parametrize("part", [(0.5, 0, 0, 0), (0, 0.125, 0, 0), (0, 0, 0.2, 0), (0, 0, 0, 0.5)])
def test_each_transformation_alone_changes_images_independently(part: tuple[float, float, float, float]) -> None:
    varied = DiffAugment(*part, 1.0, None)(noise(1).expand(5, 3, 16, 16), seeded())
    assert (varied - noise(1)).abs().amax((1, 2, 3)).min() > 0.01
    for i in range(4):
        assert not torch.equal(varied[i], varied[i + 1])


def test_each_transformation_is_applied_with_the_probability() -> None:
    share = {}
    for name, part in {"color": (1.0, 0, 0, 0), "move": (0, 0.2, 0, 0), "cutout": (0, 0, 0, 0.9)}.items():
        varied = DiffAugment(*part, 0.3, None)(noise(1).expand(2000, 3, 16, 16), seeded())
        share[name] = (varied != noise(1)).flatten(1).any(1)
        assert 0.26 < share[name].float().mean() < 0.34
    assert (share["color"] & share["move"] & share["cutout"]).float().mean() == pytest.approx(0.3**3, abs=0.015)


def test_the_random_generator_determines_the_result() -> None:
    torch.manual_seed(0)
    first = everything()(noise(), seeded(1))
    torch.manual_seed(5)  # the global state is not asked
    assert torch.equal(everything()(noise(), seeded(1)), first)
    assert not torch.equal(everything()(noise(), seeded(2)), first)


def test_the_number_of_draws_does_not_depend_on_probability_or_strengths() -> None:
    following = []
    for augment in (everything(0.0), everything(0.4), everything(1.0), DiffAugment(0, 0, 0, 0.1, 0.5, 0.6)):
        rng = seeded()
        augment(noise(), rng)
        following.append(torch.rand(3, generator=rng))
    assert all(torch.equal(each, following[0]) for each in following)


@settings(max_examples=20)
@given(p=st.floats(0, 1), height=st.integers(4, 20), width=st.integers(4, 20), seed=st.integers(0, 99))
def test_gradients_equal_finite_differences(p: float, height: int, width: int, seed: int) -> None:
    """The augmentation is affine in the images, so finite differences are exact."""
    augment, pictures = everything(p), noise(2, height, width).requires_grad_()
    weights, nudge = torch.randn(2, *pictures.shape, generator=seeded(seed))
    value = (augment(pictures, seeded(seed)) * weights).sum()
    (gradient,) = torch.autograd.grad(value, pictures)
    assert gradient.isfinite().all() and gradient.abs().max() > 0
    with torch.no_grad():
        difference = (augment(pictures + nudge, seeded(seed)) * weights).sum() - value
    torch.testing.assert_close((gradient * nudge).sum(), difference, atol=2e-3, rtol=1e-3)


def test_autocast_does_not_change_the_result() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        rough = everything()(noise(), seeded())
    assert torch.equal(rough, everything()(noise(), seeded()))
    coarse = noise().bfloat16()
    assert torch.equal(everything()(coarse, seeded()), everything()(coarse.float(), seeded()))


# Colour


def test_colour_changes_stay_within_their_strength() -> None:
    """Measured per image: its mean, the distance of its channels, and of its pixels."""
    pixels = torch.tensor([[0.6, 0.2, -0.2], [0.1, 0.0, -0.7]]).T.reshape(1, 3, 2, 1)  # mean 0
    varied = DiffAugment(0.8, 0, 0, 0, 1.0, None)(pixels.expand(4000, 3, 2, 1), seeded())
    brightness, grey = varied.mean((1, 2, 3)), varied.mean(1)[:, 0, 0] - varied.mean(1)[:, 1, 0]
    contrast = grey / (0.2 + 0.2)
    saturation = (varied[:, 0, 0, 0] - varied[:, 2, 0, 0]) / 0.8 / contrast
    for values, low, high in ((brightness, -0.4, 0.4), (saturation, 0.2, 1.8), (contrast, 0.6, 1.4)):
        span = high - low
        assert low - 1e-5 <= values.min() < low + 0.02 * span and high - 0.02 * span < values.max() <= high + 1e-5
        assert values.mean().item() == pytest.approx((low + high) / 2, abs=0.03 * span)


def test_zero_saturation_is_grey_and_zero_contrast_is_uniform() -> None:
    zero, one = torch.zeros(4), torch.ones(4)
    torch.testing.assert_close(recolor(noise(), zero, one, one), noise())
    torch.testing.assert_close(recolor(noise(), zero, zero, one), noise().mean(1, keepdim=True).expand(4, 3, 16, 16))
    flat = recolor(noise(), one / 4, one, zero)
    torch.testing.assert_close(flat, (noise().mean((1, 2, 3), keepdim=True) + 0.25).expand(4, 3, 16, 16))


# Movement


@given(right=st.integers(-4, 4), down=st.integers(-4, 4))
def test_translation_by_whole_pixels_is_a_roll_with_reflection_padding(right: int, down: int) -> None:
    pictures = noise(2, 20, 16)
    moved = zoom_and_translate(pictures, torch.full((2,), right / 16), torch.full((2,), down / 20), torch.ones(2))
    rolled = pictures.roll((down, right), (2, 3))
    torch.testing.assert_close(moved[:, :, 4:-4, 4:-4], rolled[:, :, 4:-4, 4:-4], atol=1e-5, rtol=0)
    if right > 0 and down == 0:
        torch.testing.assert_close(moved[..., :right], pictures[..., :right].flip(3), atol=1e-5, rtol=0)


def test_translation_by_half_a_pixel_averages_neighbours() -> None:
    moved = zoom_and_translate(noise(), torch.full((4,), 0.5 / 16), torch.zeros(4), torch.ones(4))
    torch.testing.assert_close(moved[..., 1:], (noise()[..., 1:] + noise()[..., :-1]) / 2, atol=1e-5, rtol=0)


@given(zoom=st.floats(0.7, 1.5), right=st.floats(-0.3, 0.3), down=st.floats(-0.3, 0.3))
def test_zoom_and_translation_equal_bilinear_samples_with_reflection(zoom: float, right: float, down: float) -> None:
    x, y = ((2 * torch.arange(n) + 1) / n - 1 for n in (20, 16))
    places = [(x - 2 * right) / zoom, (y - 2 * down) / zoom]
    grid = torch.stack([places[0].expand(16, 20), places[1][:, None].expand(16, 20)], 2)[None]
    expected = F.grid_sample(noise(1, 16, 20), grid, padding_mode="reflection", align_corners=False)
    found = zoom_and_translate(noise(1, 16, 20), *(torch.tensor([each]) for each in (right, down, zoom)))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@given(zoom=st.floats(0.7, 1.5), right=st.floats(-0.1, 0.1), down=st.floats(-0.1, 0.1))
def test_zoom_is_about_the_centre_and_before_the_translation(zoom: float, right: float, down: float) -> None:
    moved = zoom_and_translate(ramp(1, 32), torch.tensor([right]), torch.tensor([down]), torch.tensor([zoom]))[
        0, :, 12:20, 12:20
    ]
    expected = ramp(1, 32)[0, :, 12:20, 12:20].clone()
    expected[0] = (expected[0] - 32 * right) / zoom
    expected[1] = (expected[1] - 32 * down) / zoom
    torch.testing.assert_close(moved, expected, atol=1e-3, rtol=1e-4)


def test_translation_and_zoom_are_uniform_within_their_strengths() -> None:
    """On a ramp of coordinates, the centre gives the translation and the slope the zoom."""
    varied = DiffAugment(0, 0.125, 0.2, 0, 1.0, None)(ramp(4000, 32), seeded())[:, :2, 15:17, 15:17]
    zoom = 1 / (varied[:, 0, 0, 1] - varied[:, 0, 0, 0])
    right, down = (-varied[:, axis].mean((1, 2)) * zoom for axis in (0, 1))
    for values, reach in ((right, 4.0), (down, 4.0), (zoom.log(), 0.2)):
        assert -1.001 * reach <= values.min() < -0.98 * reach and 0.98 * reach < values.max() <= 1.001 * reach
        assert values.mean().abs() < 0.05 * reach
    parts = right - right.floor()
    assert parts.histc(10, 0, 1).min() > 300


# Cutout


def test_cutout_removes_one_patch_of_the_given_side() -> None:
    varied = DiffAugment(0, 0, 0, 0.5, 1.0, None)(torch.ones(500, 3, 16, 16), seeded())
    cut = varied[:, 0] == 0
    assert torch.equal(varied, torch.where(cut, 0.0, 1.0)[:, None].expand_as(varied))
    rows, columns = cut.any(2), cut.any(1)
    assert torch.equal(cut, rows[:, :, None] & columns[:, None])
    assert rows.sum(1).max() == 8 and rows.sum(1).min() == 4  # half of it across the edge
    assert cut.any(0).all()


def test_the_cutout_mask_lies_at_its_centre() -> None:
    inside = cutout_mask(noise(1), torch.tensor([0.5]), torch.tensor([0.25]), 0.25)
    expected = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    expected[..., 2:6, 6:10] = True
    assert torch.equal(inside, expected)


# Adaptation


@pytest.mark.parametrize("batch", [8, 250, 5000])
def test_an_overfitting_discriminator_raises_p_from_0_to_1_in_500_000_images(batch: int) -> None:
    augment = everything(0.0, 0.6)
    steps = 500_000 // batch if batch > 8 else 1000
    for _ in range(steps):
        augment.adapt(torch.ones(batch), batch)
    assert augment.p.item() == pytest.approx(steps * batch / 500_000, rel=0.003)
    for _ in range(steps):
        augment.adapt(-torch.ones(batch), batch)
    assert augment.p.item() == pytest.approx(0, abs=1e-4)


@given(signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=1, max_size=40), start=st.floats(0, 1))
def test_adapt_moves_p_towards_the_target_within_0_and_1(signs: list[float], start: float) -> None:
    augment = everything(start, 0.6)
    before = augment.p.item()
    augment.adapt(torch.tensor(signs), 100_000)
    step = 0.2 if sum(signs) / len(signs) > 0.6 else -0.2
    if sum(signs) / len(signs) != pytest.approx(0.6):
        assert augment.p.item() == pytest.approx(min(max(before + step, 0), 1), abs=1e-6)
    assert 0 <= augment.p.item() <= 1


def test_without_a_target_p_is_constant() -> None:
    augment = everything(0.3, None)
    augment.adapt(torch.ones(8), 100_000)
    assert augment.p.item() == pytest.approx(0.3)


def test_p_is_part_of_the_state() -> None:
    augment = everything(0.0, 0.6)
    augment.adapt(torch.ones(8), 123_456)
    resumed = everything(0.0, 0.6)
    resumed.load_state_dict(copy.deepcopy(augment.state_dict()))
    assert torch.equal(resumed.p, augment.p) and augment.p > 0.2
    assert torch.equal(resumed(noise(), seeded()), augment(noise(), seeded()))
