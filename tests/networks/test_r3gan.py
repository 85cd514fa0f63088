import math
from typing import Any

import pytest
import torch
from torch import nn

from impasto.losses.penalties import r1
from impasto.networks.r3gan import Discriminator, Generator


def generator(size: int = 32, blocks: int = 2) -> Generator:
    torch.manual_seed(0)
    return Generator(size=size, latent=24, width=16, max_width=64, blocks=blocks)


def discriminator(size: int = 32, blocks: int = 2) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(size=size, width=16, max_width=64, blocks=blocks)


@pytest.mark.parametrize("size", [16, 64, 128])
def test_both_sides_fit_each_other_at_every_size(size: int) -> None:
    painted = generator(size)(torch.randn(2, 24))
    assert painted.shape == (2, 3, size, size)
    assert discriminator(size)(painted).shape == (2,)


def test_they_are_mirrors_with_nothing_normalised() -> None:
    g, d = generator(), discriminator()
    for network in (g, d):
        assert not any("norm" in type(module).__name__.lower() for module in network.modules())
    blocks = [sum(p.numel() for p in network.stages.parameters()) for network in (g, d)]
    assert blocks[0] == blocks[1] > 0.5 * sum(p.numel() for p in g.parameters())


def test_a_fresh_block_changes_nothing_and_both_networks_keep_the_scale() -> None:
    g, d = generator(), discriminator()
    maps = torch.randn(2, 64, 4, 4)
    assert torch.equal(g.stages[0](maps), maps)
    with torch.no_grad():
        painted = g(torch.randn(64, 24))
        judged = discriminator()(torch.randn(256, 3, 32, 32))
    assert 0.2 < painted.std() < 2
    assert 0.05 < judged.std() < 2
    assert d(painted).isfinite().all()


def test_the_first_layers_of_a_branch_start_as_in_fix_up() -> None:
    """He's deviation for LeakyReLU times L^(−1/4), with L blocks of three convolutions."""
    stages: Any = discriminator(64, 2).stages
    first = [stage[0].widen for stage in stages if stage[0].widen.weight.shape[1] == 64]
    weights = torch.cat([layer.weight.flatten() for layer in first])
    blocks = 2 * len(stages)
    assert weights.std().item() == pytest.approx(math.sqrt(2 / (1 + 0.2**2) / 64) * blocks**-0.25, rel=0.03)


def test_convolutions_are_grouped_by_sixteen_channels() -> None:
    mixes = [m for m in generator().modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert mixes and all(m.in_channels // m.groups == 16 for m in mixes)


def test_its_penalty_reaches_every_weight_that_shapes_the_slope() -> None:
    d = discriminator(16)
    stages: Any = d.stages
    with torch.no_grad():
        for stage in stages:
            for block in stage:
                block.narrow.weight.normal_(0, 0.05)
    r1(d, torch.randn(2, 3, 16, 16)).backward()
    assert all(p.grad is not None and p.grad.any() for name, p in d.named_parameters() if name.endswith("weight"))
