import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.losses.penalties import r1
from impasto.networks.r3gan import Discriminator, Generator

#: (size, width, max_width, blocks): with and without changes of width, one and several groups.
ARCHITECTURES = [(16, 16, 16, 1), (16, 8, 64, 2), (32, 16, 64, 2), (64, 24, 48, 1)]


def generator(size: int = 32, width: int = 16, max_width: int = 64, blocks: int = 2) -> Generator:
    torch.manual_seed(0)
    return Generator(size=size, latent=24, width=width, max_width=max_width, blocks=blocks)


def discriminator(size: int = 32, width: int = 16, max_width: int = 64, blocks: int = 2) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(size=size, width=width, max_width=max_width, blocks=blocks)


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def randomised(network: nn.Module) -> dict[str, Tensor]:
    """Draw all weights anew, in float64, so that no residual branch is zero, and return the state dict."""
    network.double()
    for number, weight in enumerate(network.parameters()):
        fan_in = max(weight[0].numel(), 1)
        weight.data.copy_(noise(*weight.shape, seed=number) / math.sqrt(fan_in))
    return network.state_dict()


# The forward pass, written from the paper's text on the state dict alone.


def pointwise(maps: Tensor, weight: Tensor) -> Tensor:
    return torch.einsum("oi,bihw->bohw", weight[:, :, 0, 0], maps)


def leaky(maps: Tensor) -> Tensor:
    return torch.where(maps > 0, maps, 0.2 * maps)


def grouped_3x3(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A grouped 3×3 convolution as nine shifted matrix products per group."""
    height, width = maps.shape[2:]
    inputs = weight.shape[1]
    groups = maps.shape[1] // inputs
    padded = F.pad(maps, (1, 1, 1, 1))
    outputs = []
    for part, kernel in zip(padded.split(inputs, 1), weight.chunk(groups, 0), strict=True):
        taps = [
            torch.einsum(
                "oi,bihw->bohw", kernel[:, :, row, column], part[..., row : row + height, column:][..., :width]
            )
            for row in range(3)
            for column in range(3)
        ]
        outputs.append(torch.stack(taps).sum(0))
    return torch.cat(outputs, 1) + bias[:, None, None]


def block(state: dict[str, Tensor], name: str, maps: Tensor) -> Tensor:
    """Figure 5: 1×1 to twice the channels, grouped 3×3, 1×1 back, added to the input."""
    inner = leaky(pointwise(maps, state[f"{name}.widen.weight"]) + state[f"{name}.widen.bias"][:, None, None])
    inner = leaky(grouped_3x3(inner, state[f"{name}.mix.weight"], state[f"{name}.mix.bias"]))
    return maps + pointwise(inner, state[f"{name}.narrow.weight"])


def doubled(maps: Tensor) -> Tensor:
    """Bilinear upsampling: each new pixel is ¾ of its nearest old one and ¼ of the next, along each axis."""
    for dim in (2, 3):
        first, last = maps.narrow(dim, 0, 1), maps.narrow(dim, -1, 1)
        before = torch.cat([first, maps.narrow(dim, 0, maps.shape[dim] - 1)], dim)
        after = torch.cat([maps.narrow(dim, 1, maps.shape[dim] - 1), last], dim)
        pairs = torch.stack([0.75 * maps + 0.25 * before, 0.75 * maps + 0.25 * after], dim + 1)
        maps = pairs.flatten(dim, dim + 1)
    return maps


def matched(state: dict[str, Tensor], level: int, maps: Tensor) -> Tensor:
    name = f"matches.{level}.weight"
    return pointwise(maps, state[name]) if name in state else maps


def reference_generator(state: dict[str, Tensor], latents: Tensor, levels: int, blocks: int) -> Tensor:
    channels = latents @ state["scale.weight"].T
    maps = state["basis"][None] * channels[:, :, None, None]
    for level in range(levels):
        if level:
            maps = doubled(matched(state, level - 1, maps))
        for number in range(blocks):
            maps = block(state, f"stages.{level}.{number}", maps)
    return pointwise(maps, state["finish.weight"])


def reference_discriminator(state: dict[str, Tensor], images: Tensor, levels: int, blocks: int) -> Tensor:
    maps = pointwise(images, state["begin.weight"]) + state["begin.bias"][:, None, None]
    for level in range(levels):
        if level:
            smaller = (maps[..., ::2, :] + maps[..., 1::2, :]) / 2
            maps = matched(state, level - 1, (smaller[..., ::2] + smaller[..., 1::2]) / 2)
        for number in range(blocks):
            maps = block(state, f"stages.{level}.{number}", maps)
    return torch.einsum("bchw,chw,c->b", maps, state["gather"], state["head.weight"][0])


@pytest.mark.parametrize(("size", "width", "max_width", "blocks"), ARCHITECTURES)
def test_both_networks_equal_a_second_implementation(size: int, width: int, max_width: int, blocks: int) -> None:
    levels = int(math.log2(size)) - 1  # 4, 8, … size
    g, d = generator(size, width, max_width, blocks), discriminator(size, width, max_width, blocks)
    latents, images = noise(2, 24), noise(2, 3, size, size).tanh()
    state_g, state_d = randomised(g), randomised(d)
    with torch.no_grad():
        for found, expected in (
            (g(latents), reference_generator(state_g, latents, levels, blocks)),
            (d(images), reference_discriminator(state_d, images, levels, blocks)),
        ):
            assert found.std() > 1e-3
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_gradients_equal_finite_differences() -> None:
    g, d = generator(8, 4, 8, 1), discriminator(8, 4, 8, 1)
    randomised(g)
    randomised(d)
    assert torch.autograd.gradcheck(g, noise(1, 24).requires_grad_(), fast_mode=True)
    assert torch.autograd.gradcheck(d, noise(1, 3, 8, 8).requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("size", [16, 64, 128])
def test_the_discriminator_takes_images_of_the_generators_size(size: int) -> None:
    images = generator(size)(torch.randn(2, 24))
    assert images.shape == (2, 3, size, size)
    assert discriminator(size)(images).shape == (2,)


def test_both_networks_have_equal_residual_stages_and_no_normalisation() -> None:
    g, d = generator(), discriminator()
    for network in (g, d):
        assert not any("norm" in type(module).__name__.lower() for module in network.modules())
    blocks = [sum(p.numel() for p in network.stages.parameters()) for network in (g, d)]
    assert blocks[0] == blocks[1] > 0.5 * sum(p.numel() for p in g.parameters())


def test_initial_blocks_are_the_identity_and_both_networks_preserve_the_scale() -> None:
    g, d = generator(), discriminator()
    maps = torch.randn(2, 64, 4, 4)
    assert torch.equal(g.stages[0](maps), maps)
    with torch.no_grad():
        images = g(torch.randn(64, 24))
        logits = discriminator()(torch.randn(256, 3, 32, 32))
    assert 0.2 < images.std() < 2
    assert 0.05 < logits.std() < 2
    assert d(images).isfinite().all()


def test_the_first_layers_of_a_branch_have_fixup_initialisation() -> None:
    """He's deviation for LeakyReLU times L^(−1/4), with L blocks of three convolutions."""
    stages: Any = discriminator(64).stages
    first = [stage[0].widen for stage in stages if stage[0].widen.weight.shape[1] == 64]
    weights = torch.cat([layer.weight.flatten() for layer in first])
    blocks = 2 * len(stages)
    assert weights.std().item() == pytest.approx(math.sqrt(2 / (1 + 0.2**2) / 64) * blocks**-0.25, rel=0.03)


def test_groups_have_sixteen_channels() -> None:
    mixes = [m for m in generator().modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert mixes and all(m.in_channels // m.groups == 16 for m in mixes)


def test_the_r1_penalty_has_a_gradient_for_every_weight() -> None:
    d = discriminator(16)
    stages: Any = d.stages
    with torch.no_grad():
        for stage in stages:
            for each in stage:
                each.narrow.weight.normal_(0, 0.05)
    r1(d, torch.randn(2, 3, 16, 16)).backward()
    assert all(p.grad is not None and p.grad.any() for name, p in d.named_parameters() if name.endswith("weight"))


def test_checkpoints_with_the_head_under_its_earlier_name_load() -> None:
    saved = discriminator(16)
    state = {name.replace("head.", "judge."): value for name, value in saved.state_dict().items()}
    assert "judge.weight" in state
    torch.manual_seed(9)
    loaded, within = Discriminator(16, 16, 64, 2), nn.Sequential(Discriminator(16, 16, 64, 2))
    loaded.load_state_dict(copy.deepcopy(state))
    within.load_state_dict({f"0.{name}": value for name, value in state.items()})
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded(images), saved(images)) and torch.equal(within(images), saved(images))
