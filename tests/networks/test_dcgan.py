import pytest
import torch
from torch import nn

from impasto.networks.dcgan import Discriminator, Generator


def generator(size: int = 64, width: int = 8) -> Generator:
    return Generator(size=size, latent=100, width=width, max_width=8 * width, init_std=0.02)


def discriminator(size: int = 64, width: int = 8) -> Discriminator:
    return Discriminator(size=size, width=width, max_width=8 * width, slope=0.2, init_std=0.02)


@pytest.mark.parametrize("size", [16, 64, 128, 256])
def test_image_sizes_differ_in_depth(size: int) -> None:
    pictures = generator(size)(torch.randn(2, 100))
    assert pictures.shape == (2, 3, size, size)
    assert pictures.abs().max() <= 1
    assert discriminator(size)(pictures).shape == (2,)
    convolutions = [m for m in generator(size).modules() if isinstance(m, nn.ConvTranspose2d)]
    assert len(convolutions) == size.bit_length() - 2


def test_dcgan_64_has_the_parameters_of_the_tutorial() -> None:
    """The well-known PyTorch tutorial prints 3,576,704 and 2,765,568 for the same networks."""
    g, d = generator(64, 64), discriminator(64, 64)
    assert sum(p.numel() for p in g.parameters()) == 3_576_704
    assert sum(p.numel() for p in d.parameters()) == 2_765_568


def test_initial_weights_have_a_standard_deviation_of_002() -> None:
    for network in (generator(64, 32), discriminator(64, 32)):
        convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        weights = torch.cat([m.weight.flatten() for m in convolutions])
        assert weights.mean().abs() < 2e-4
        assert weights.std().sub(0.02).abs() < 2e-4
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms and all(m.weight.mean().sub(1).abs() < 0.02 and not m.bias.any() for m in norms)
