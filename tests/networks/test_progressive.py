"""Progressive networks, compared with the DCGANs of each size."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.networks import dcgan
from impasto.networks.progressive import Discriminator, Generator, ProgressiveNetwork
from impasto.training.ema import ModelEma

SIZE, START, LATENT = 64, 16, 6
SHAPE = {"size": SIZE, "width": 4, "max_width": 16, "init_std": 0.2}


def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(latent=LATENT, start=START, **SHAPE)  # type: ignore[arg-type]


def discriminator() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(slope=0.2, start=START, **SHAPE)  # type: ignore[arg-type]


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def with_weights_of(plain: nn.Module, *parts: nn.Module) -> nn.Module:
    """Load the weights of parts of another network, in their order, into a DCGAN."""
    weights = [value for part in parts for value in part.state_dict().values()]
    plain.load_state_dict(dict(zip(plain.state_dict(), weights, strict=True)))
    return plain


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_between_fade_ins_the_networks_equal_dcgans_of_that_size(stage: int) -> None:
    """With the widths that the layers have in the fully grown network."""
    g, d = generator(), discriminator()
    g.grow(stage)
    d.grow(stage)
    side, width = START << stage, 4 << (2 - stage)
    plain_g = with_weights_of(dcgan.Generator(side, LATENT, width, 16, 0.02), g.trunk, g.stages[:stage], g.heads[stage])
    narrowing = [d.stages[each] for each in reversed(range(stage))]
    plain_d = with_weights_of(dcgan.Discriminator(side, width, 16, 0.2, 0.02), d.heads[stage], *narrowing, d.trunk)
    assert g.image_size == d.image_size == side
    painted = g(noise(3, LATENT))
    assert torch.equal(painted, plain_g(noise(3, LATENT)))
    assert torch.equal(d(painted), plain_d(painted))


def test_a_fade_in_starts_continuously() -> None:
    """At its start images are the upsampled smaller ones and get the same logits."""
    g, d = generator(), discriminator().eval()
    g.grow(1)
    d.grow(1)
    small = g(noise(3, LATENT))
    judged = d(small)
    g.grow(1 + 1e-6)
    d.grow(1 + 1e-6)
    large = g(noise(3, LATENT))
    assert large.shape[-1] == 2 * small.shape[-1]
    torch.testing.assert_close(large, F.interpolate(small, scale_factor=2.0), atol=1e-4, rtol=0)
    torch.testing.assert_close(d(F.interpolate(small, scale_factor=2.0)), judged, atol=1e-4, rtol=1e-4)


def test_a_fade_in_interpolates_between_both_sizes() -> None:
    g = generator()
    pictures = []
    for growth in (0.0, 0.25, 1.0):
        g.grow(growth)
        pictures.append(g(noise(3, LATENT)))
    small, between, large = pictures
    torch.testing.assert_close(between, 0.75 * F.interpolate(small, scale_factor=2.0) + 0.25 * large)


def test_in_evaluation_mode_images_have_the_full_size_at_any_growth() -> None:
    g = generator().eval()
    for growth in (0.0, 0.5, 1.0, 2.0):
        g.grow(growth)
        again = generator().eval()
        again.load_state_dict(g.state_dict())
        painted = again(noise(2, LATENT))
        assert painted.shape == (2, 3, SIZE, SIZE) and torch.equal(painted, g(noise(2, LATENT)))
        assert again.image_size == g.image_size == START << (growth > 0) << (growth > 1)


def test_the_moving_average_grows_with_the_generator() -> None:
    g = generator()
    ema = ModelEma(g, halflife=8, rampup=1.0)
    average = ema.network
    assert isinstance(average, ProgressiveNetwork)
    sides = []
    for step in range(1, 120):
        g.grow(min(step / 40, 2.0))
        ema.update(g, batch=2, images=2 * step)
        assert average.growth <= g.growth
        sides.append(average.image_size)
    assert sides == sorted(sides) and sides[-1] == SIZE
    g.eval()
    assert (average(noise(2, LATENT)) - g(noise(2, LATENT))).abs().max() < 1e-3
