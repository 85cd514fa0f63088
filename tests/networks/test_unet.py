from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from impasto.networks.layers import NORMS, UPS
from impasto.networks.unet import Generator


def generator(
    *,
    width: int = 4,
    max_width: int = 16,
    depth: int = 4,
    norm: Any = "instance",
    dropout: float = 0.0,
    up: Any = "transpose",
) -> Generator:
    torch.manual_seed(0)
    return Generator(width, max_width, depth, norm, dropout, up, 0.02)


def photos(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_eight_levels_have_the_number_of_parameters_of_pix2pix() -> None:
    """The 54,413,955 of pix2pix plus the biases of the two encoder convolutions without norm."""
    with torch.device("meta"):
        network = generator(width=64, max_width=512, depth=8, norm="batch", dropout=0.5)
    assert sum(p.numel() for p in network.parameters()) == 54_413_955 + 64 + 512


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("up", UPS)
def test_every_norm_and_upsampling_works(norm: str, up: str) -> None:
    painted = generator(norm=norm, up=up)(photos(2, 3, 16, 16))
    assert painted.shape == (2, 3, 16, 16) and painted.abs().max() <= 1 and painted.std() > 0


@settings(max_examples=25)
@given(height=st.integers(1, 70), width=st.integers(1, 70), depth=st.integers(1, 6))
def test_the_output_has_the_size_of_the_input_at_any_depth(height: int, width: int, depth: int) -> None:
    painted = generator(width=2, max_width=4, depth=depth)(photos(1, 3, height, width))
    assert painted.shape == (1, 3, height, width) and painted.isfinite().all()


def test_depth_is_the_number_of_downsamplings() -> None:
    sides: list[int] = []
    network = generator(depth=5)
    for down in network.downs:
        down.register_forward_hook(lambda _module, _inputs, output: sides.append(output.shape[-1]))
    network(photos(1, 3, 64, 64))
    assert sides == [32, 16, 8, 4, 2]


def test_decoder_stages_have_skip_connections() -> None:
    """With inner stages of zeros the output still depends on the input, through the outermost skip alone."""
    network = generator(norm="none")
    for parameter in network.ups[:-1].parameters():
        nn.init.zeros_(parameter)
    one, other = network(photos(2, 3, 16, 16))
    assert (one - other).abs().max() > 1e-5
    last = next(m for m in network.ups[-1].modules() if isinstance(m, nn.ConvTranspose2d))
    nn.init.zeros_(last.weight[:4])  # the channels of the skip
    one, other = network(photos(2, 3, 16, 16))
    assert torch.equal(one, other)


def test_three_stages_have_dropout_in_training_mode_only() -> None:
    network = generator(depth=6, dropout=0.5)
    assert sum(m.p == 0.5 for m in network.modules() if isinstance(m, nn.Dropout)) == 3
    pictures = photos(1, 3, 64, 64)
    assert not torch.equal(network(pictures), network(pictures))
    network.eval()
    assert torch.equal(network(pictures), network(pictures))


@pytest.mark.parametrize("norm", NORMS)
def test_images_of_a_batch_are_independent_in_evaluation_mode(norm: str) -> None:
    network = generator(norm=norm, dropout=0.5).eval()
    pictures = photos(3, 3, 32, 32)
    with torch.inference_mode():
        together = network(pictures)
        alone = torch.cat([network(picture[None]) for picture in pictures])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
