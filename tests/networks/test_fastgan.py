from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.networks.fastgan import Discriminator, Excitation, Generator


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int, size: int) -> Tensor:
    coarse = torch.rand(count, 3, 4, 4, generator=rng(1)) * 2 - 1
    return F.interpolate(coarse, (size, size), mode="bicubic").clamp(-1, 1)


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_both_sides_fit_each_other_at_every_size(size: int) -> None:
    painted = Generator(size, 32, 8)(torch.randn(2, 32))
    assert painted.shape == (2, 3, size, size)
    assert painted.abs().max() <= 1
    assert Discriminator(size, 8)(painted).shape == (2, 5, 5)


def test_the_generator_has_as_many_parameters_as_the_papers() -> None:
    """Without noise: 4 × 4 from the latent, then one convolution to each size and a second one to every other."""
    width = {4: 1024, 8: 512, 16: 256, 32: 128, 64: 128, 128: 64, 256: 32}
    expected = 256 * 2 * width[4] * 16 + 4 * width[4]
    sides = list(width)
    for number, (before, after) in enumerate(pairwise(sides)):
        inputs = [width[before]] + ([width[after]] if number % 2 else [])
        expected += sum(9 * into * 2 * width[after] + 4 * width[after] for into in inputs)
    for small, large in ((4, 64), (8, 128), (16, 256)):
        expected += 16 * width[small] * width[large] + width[large] + width[large] ** 2 + width[large]
    expected += 27 * width[256]
    assert sum(p.numel() for p in Generator(256, 256, 64).parameters()) == expected


def test_excitation_is_equation_1() -> None:
    torch.manual_seed(0)
    gate, small, large = Excitation(6, 4), torch.randn(2, 6, 8, 8), torch.randn(2, 4, 64, 64)
    squeezed = small.reshape(2, 6, 4, 2, 4, 2).mean((3, 5))
    first: Any
    second: Any
    first, second = (layer for layer in gate.gate if isinstance(layer, nn.Conv2d))
    hidden = torch.einsum("bchw,ochw->bo", squeezed, first.weight) + first.bias
    hidden = torch.where(hidden > 0, hidden, 0.1 * hidden)
    scale = torch.sigmoid(hidden @ second.weight[:, :, 0, 0].T + second.bias)
    torch.testing.assert_close(gate(small, large), large * scale[:, :, None, None])


def test_small_maps_reach_large_ones_past_what_is_between() -> None:
    """With all convolutions between silent, the gates alone still tell one latent from another."""
    torch.manual_seed(0)
    network = Generator(64, 16, 8).eval()
    with torch.no_grad():
        for name in ("8", "16", "32", "64"):
            for layer in network.grow[name].modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.weight.zero_()
                    layer.bias.fill_(1.0)
        gate: Any = network.gates["64"]
        gate.gate[3].weight.mul_(1000)
        one, other = network(torch.randn(2, 16) * 100)
    assert not torch.equal(one, other)


def test_what_the_discriminator_sees_it_learns_to_draw_again() -> None:
    torch.manual_seed(0)
    network, seen = Discriminator(64, 8), pictures(8, 64)
    assert network.reconstruction_side == 32
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for step in range(60):
        logits, loss = network.reconstruct(seen, rng(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert logits.shape == (8, 5, 5)


def test_the_part_that_is_drawn_again_is_the_part_that_was_seen() -> None:
    """A drawing of nothing but the map itself, which is the picture scaled down, is right wherever the quarter lies."""
    network, seen = Discriminator(64, 8), pictures(2, 64)
    network.reconstruction_side = 8
    network._maps = lambda images: (F.avg_pool2d(images, 4), F.avg_pool2d(images, 8))  # type: ignore[method-assign]
    network.image_decoder = network.crop_decoder = nn.Identity()  # type: ignore[assignment]
    network.head = nn.Flatten()  # type: ignore[assignment]
    for seed in range(10):
        assert network.reconstruct(seen, rng(seed))[1] < 1e-6


def test_drawing_again_gives_the_logits_that_judging_gives() -> None:
    torch.manual_seed(0)
    network, seen = Discriminator(32, 8).eval(), pictures(2, 32)
    with torch.no_grad():
        torch.testing.assert_close(network.reconstruct(seen, rng())[0], network(seen))
