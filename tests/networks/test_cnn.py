from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from impasto.networks.cnn import Discriminator, Generator
from impasto.networks.layers import ACTIVATIONS, NORMS


def generator(*, depth: int = 4, activation: Any = "relu", norm: Any = "none") -> Generator:
    torch.manual_seed(0)
    return Generator(6, depth, activation, norm, 0.2)


def discriminator(*, depth: int = 3, activation: Any = "relu", norm: Any = "none") -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(4, depth, activation, norm, 0.2)


def photos(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_each_convolution_widens_the_receptive_field_by_one_pixel_per_side(depth: int) -> None:
    network = generator(depth=depth, activation="tanh")
    assert sum(isinstance(m, nn.Conv2d) for m in network.modules()) == depth
    pictures = photos(1, 3, 15, 15).requires_grad_()
    network(pictures)[0, :, 7, 7].sum().backward()
    assert pictures.grad is not None
    field = pictures.grad[0].abs().sum(0) > 0
    assert field.sum() == (2 * depth + 1) ** 2


def test_the_output_has_no_activation() -> None:
    network, pictures = generator(), photos(1, 3, 9, 9)
    painted = network(pictures)
    last = [m for m in network.modules() if isinstance(m, nn.Conv2d)][-1]
    with torch.no_grad():
        last.weight.mul_(100)
    torch.testing.assert_close(network(pictures), 100 * painted)
    assert network(pictures).abs().max() > 1


@pytest.mark.parametrize("norm", NORMS)
def test_images_of_one_pixel_are_valid(norm: str) -> None:
    assert generator(norm=norm)(photos(1, 3, 1, 1)).shape == (1, 3, 1, 1)
    assert discriminator(norm=norm)(photos(1, 3, 1, 1)).shape == (1,)


@settings(max_examples=25)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    norm=st.sampled_from(NORMS),
    activation=st.sampled_from(ACTIVATIONS),
)
def test_any_size_works_with_any_norm_and_activation(height: int, width: int, norm: str, activation: str) -> None:
    pictures = photos(1, 3, height, width)
    painted = generator(norm=norm, activation=activation)(pictures)
    assert painted.shape == pictures.shape and painted.isfinite().all()
    logits = discriminator(norm=norm, activation=activation)(pictures)
    assert logits.shape == (1,) and logits.isfinite().all()


def test_the_discriminator_halves_the_resolution_with_each_convolution_and_returns_one_logit() -> None:
    network = discriminator(depth=3)
    sides: list[int] = []
    for stage in network.layers:
        stage.register_forward_hook(lambda _module, _inputs, output: sides.append(output.shape[-1]))
    assert network(photos(5, 3, 32, 32)).shape == (5,)
    assert sides == [16, 8, 4]


def test_the_discriminator_is_invariant_to_translation() -> None:
    """Global pooling: away from the border, the position of a pattern does not matter."""
    network = discriminator(depth=2)
    flat = torch.zeros(1, 3, 64, 64)
    one, other = flat.clone(), flat.clone()
    spot = photos(1, 3, 8, 8)
    one[..., 16:24, 16:24] = spot
    other[..., 32:40, 40:48] = spot
    torch.testing.assert_close(network(one), network(other))
    assert not torch.allclose(network(one), network(flat))


def test_the_discriminator_returns_a_logit_not_a_probability() -> None:
    network, pictures = discriminator(), photos(2, 3, 32, 32)
    logits = network(pictures)
    with torch.no_grad():
        network.logit.weight.mul_(-1e3)
    torch.testing.assert_close(network(pictures), -1e3 * logits)
