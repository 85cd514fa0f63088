from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from impasto.networks.layers import ACTIVATIONS, DOWNS, NORMS, UPS
from impasto.networks.resnet import Block, Generator


def generator(
    *,
    width: int = 4,
    blocks: int = 3,
    norm: Any = "instance",
    activation: Any = "relu",
    down: Any = "blur",
    up: Any = "bilinear",
    residual: bool = False,
) -> Generator:
    torch.manual_seed(0)
    return Generator(width, blocks, norm, activation, down, up, residual, 0.02)


def photos(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_nine_blocks_have_the_number_of_parameters_of_cyclegan() -> None:
    """CycleGAN's 11,378,179 without the 5,248 biases before instance norms, which have no effect."""
    with torch.device("meta"):
        network = generator(width=64, blocks=9, down="stride", up="transpose")
    assert sum(p.numel() for p in network.parameters()) == 11_378_179 - 5_248


@pytest.mark.parametrize("choice", [*(("norm", n) for n in NORMS), *(("activation", a) for a in ACTIVATIONS)])
def test_every_norm_and_activation_works(choice: tuple[str, str]) -> None:
    network = generator(**{choice[0]: choice[1]})  # type: ignore[arg-type]
    painted = network(photos(2, 3, 16, 16))
    assert painted.shape == (2, 3, 16, 16) and painted.abs().max() <= 1 and painted.std() > 0


@pytest.mark.parametrize("down", DOWNS)
@pytest.mark.parametrize("up", UPS)
def test_every_down_and_upsampling_works(down: str, up: str) -> None:
    assert generator(down=down, up=up)(photos(1, 3, 13, 10)).shape == (1, 3, 13, 10)


def test_a_block_is_residual() -> None:
    block = Block(4, "none", "relu")
    maps = torch.randn(1, 4, 5, 5)
    assert not torch.equal(block(maps), maps)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(block(maps), maps)


@settings(max_examples=25)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_the_output_has_the_size_of_the_input(height: int, width: int) -> None:
    painted = generator(width=2, blocks=1)(photos(1, 3, height, width))
    assert painted.shape == (1, 3, height, width) and painted.isfinite().all()


def test_padding_does_not_change_the_output() -> None:
    pictures = photos(1, 3, 16, 16)
    pictures[..., 14:] = pictures[..., 13:14]
    network = generator()
    assert torch.equal(network(pictures[..., :14]), network(pictures)[..., :14])


def test_a_residual_generator_starts_at_the_input() -> None:
    pictures = photos(2, 3, 16, 16)
    network = generator(width=32, blocks=6, residual=True)
    painted = network(pictures)
    torch.testing.assert_close(painted, 0.98 * pictures, atol=0.05, rtol=0)
    painted.sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters()), (
        "with a last layer of zeros the other layers would get no gradient"
    )
    assert generator(width=32, blocks=6)(pictures).sub(pictures).abs().mean() > 0.2


def test_a_residual_generator_is_finite_for_white_black_and_overshooting_inputs() -> None:
    pictures = torch.tensor([-1.0, 1.0, 1.04])[None, :, None, None].repeat(1, 1, 8, 8).requires_grad_()
    painted = generator(residual=True)(pictures)
    painted.sum().backward()
    assert painted.isfinite().all() and pictures.grad is not None and pictures.grad.isfinite().all()


def test_features_are_five_encoder_maps_and_later_layers_are_not_computed() -> None:
    network = generator(width=4, blocks=9)
    pictures = photos(2, 3, 32, 24)
    taps = network.features(pictures)
    assert taps[0] is pictures
    assert [tuple(tap.shape[1:]) for tap in taps[1:]] == [(8, 16, 12), (16, 8, 6), (16, 8, 6), (16, 8, 6)]
    taps[-1].pow(2).sum().backward()
    seen = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert {name.rpartition(".layers")[0] for name in seen if name.startswith("blocks")} == {
        f"blocks.{index}" for index in range(5)
    }
    assert not any(name.startswith(("ups", "colours")) for name in seen)


def test_features_equal_the_maps_of_the_forward_pass() -> None:
    network = generator(blocks=4)
    made: list[Tensor] = []
    for layer in (*network.downs, network.blocks[0], network.blocks[2]):
        layer.register_forward_hook(lambda _module, _inputs, output: made.append(output.clone()))
    pictures = photos(1, 3, 17, 21)
    network(pictures)
    painted, made[:] = list(made), []
    for tap, expected in zip(network.features(pictures)[1:], painted, strict=True):
        assert torch.equal(tap, expected)


@pytest.mark.parametrize("norm", NORMS)
def test_images_of_a_batch_are_independent_in_evaluation_mode(norm: str) -> None:
    network = generator(norm=norm).eval()
    pictures = photos(3, 3, 16, 16)
    with torch.inference_mode():
        together = network(pictures)
        alone = torch.cat([network(picture[None]) for picture in pictures])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
