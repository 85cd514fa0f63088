"""What holds for every registered network, whatever it is: a new one needs settings here and no test of its own."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config.registries import DISCRIMINATORS, GENERATORS
from impasto.methods.discriminator_step import Reconstructing
from impasto.networks import build_discriminator, build_generator
from impasto.networks.progressive import ProgressiveNetwork

SIZE = 32
LATENT = 16

GENERATOR_SETTINGS: dict[str, dict[str, Any]] = {
    "dcgan": {"size": SIZE, "latent": LATENT, "width": 8, "max_width": 32, "init_std": 0.02},
    "progressive": {
        "size": SIZE,
        "latent": LATENT,
        "width": 8,
        "max_width": 32,
        "init_std": 0.02,
        "start": 16,
    },
    "fastgan": {"size": SIZE, "latent": LATENT, "width": 8},
    "r3gan": {"size": SIZE, "latent": LATENT, "width": 16, "max_width": 32, "blocks": 1},
    "resnet": {
        "width": 8,
        "blocks": 2,
        "norm": "instance",
        "activation": "relu",
        "down": "blur",
        "up": "bilinear",
        "residual": False,
        "init_std": 0.02,
    },
    "unet": {
        "width": 8,
        "max_width": 32,
        "depth": 4,
        "norm": "instance",
        "dropout": 0.0,
        "up": "transpose",
        "init_std": 0.02,
    },
    "cnn": {"width": 16, "depth": 4, "activation": "relu", "norm": "none", "init_std": 0.1},
    "edsr": {"width": 8, "body": 16, "blocks": 4},
    "feature-decoder": {"width": 8, "body": 16, "blocks": 1, "soften": 1},
}
DISCRIMINATOR_SETTINGS: dict[str, dict[str, Any]] = {
    "dcgan": {"size": SIZE, "width": 8, "max_width": 32, "slope": 0.2, "init_std": 0.02},
    "progressive": {"size": SIZE, "width": 8, "max_width": 32, "slope": 0.2, "init_std": 0.02, "start": 16},
    "fastgan": {"size": SIZE, "width": 8},
    "r3gan": {"size": SIZE, "width": 16, "max_width": 32, "blocks": 1},
    "cnn": {"width": 8, "depth": 3, "activation": "relu", "norm": "none", "init_std": 0.1},
    "patchgan": {
        "width": 8,
        "max_width": 32,
        "layers": 2,
        "norm": "instance",
        "spectral": True,
        "slope": 0.2,
        "init_std": 0.02,
    },
    "projected": {"width": 16, "pixels": 8},
}
#: Generators that paint from noise, at one size; the others paint from photos of any.
FROM_NOISE = {"dcgan", "progressive", "fastgan", "r3gan"}

generators = pytest.mark.parametrize("name", GENERATORS)
discriminators = pytest.mark.parametrize("name", DISCRIMINATORS)
networks = pytest.mark.parametrize(
    ("kind", "name"), [*(("generator", n) for n in GENERATORS), *(("discriminator", n) for n in DISCRIMINATORS)]
)


def built(kind: str, name: str) -> nn.Module:
    """The network, always with the same initial weights."""
    settings = GENERATOR_SETTINGS if kind == "generator" else DISCRIMINATOR_SETTINGS
    if name not in settings:
        pytest.fail(f"the {kind} {name!r} is registered, but {__name__} has no settings to test it with: add them")
    torch.manual_seed(0)
    build: Callable[..., nn.Module] = build_generator if kind == "generator" else build_discriminator
    network = build(name, **settings[name])
    if isinstance(network, ProgressiveNetwork):
        network.grow(0.5)  # while the newest stage is faded in, all are at work
    return network


def photos(count: int, height: int = SIZE, width: int = SIZE) -> Tensor:
    """Soft shapes in −1…1, other ones in every picture."""
    noise = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return F.interpolate(noise, (height, width), mode="bilinear")


def inputs(kind: str, name: str, count: int = 2) -> Tensor:
    if kind == "generator" and name in FROM_NOISE:
        return torch.randn(count, LATENT, generator=torch.Generator().manual_seed(1))
    return photos(count)


@generators
def test_pictures_come_out_of_a_generator(name: str) -> None:
    painted = built("generator", name)(inputs("generator", name))
    assert painted.shape == (2, 3, SIZE, SIZE) and painted.isfinite().all()


@pytest.mark.parametrize("size", [(1, 1), (17, 301), (31, 6), (64, 64)])
@pytest.mark.parametrize("name", [name for name in GENERATORS if name not in FROM_NOISE])
def test_a_photo_of_any_size_comes_back_painted(name: str, size: tuple[int, int]) -> None:
    painted = built("generator", name)(photos(1, *size))
    assert painted.shape == (1, 3, *size) and painted.isfinite().all()


@discriminators
def test_a_logit_or_a_map_of_logits_comes_out_of_a_discriminator(name: str) -> None:
    logits = built("discriminator", name)(photos(2))
    assert logits.shape[0] == 2 and logits.isfinite().all()


@networks
def test_every_parameter_learns(kind: str, name: str) -> None:
    network = built(kind, name)
    for weight in network.parameters():
        if not weight.any():  # a branch that begins with nothing would hide what lies before it
            nn.init.normal_(weight, std=0.02)
    outputs = network(inputs(kind, name))
    loss = F.mse_loss(outputs, torch.full_like(outputs, 0.5))
    if isinstance(network, Reconstructing):
        loss = loss + network.reconstruct(photos(2), torch.Generator())[1]
    loss.backward()
    for parameter_name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.isfinite().all() and parameter.grad.any(), parameter_name


@networks
def test_the_same_seed_makes_the_same_network_and_the_same_input_the_same_output(kind: str, name: str) -> None:
    one, other = built(kind, name).eval(), built(kind, name).eval()
    assert torch.equal(one(inputs(kind, name)), other(inputs(kind, name)))


@networks
def test_bfloat16_is_close_to_float32(kind: str, name: str) -> None:
    network = built(kind, name).eval()
    with torch.inference_mode():
        exact = network(inputs(kind, name))
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(inputs(kind, name))
    error = (rounded.float() - exact).pow(2).mean().sqrt() / exact.pow(2).mean().sqrt()
    # One rounding is off by up to 2⁻⁸ = 0.004, and there is one after every layer; 0.007 was seen.
    assert 0 < error < (0.04 if name == "projected" else 0.02)  # sixty layers deep, where 0.028 was seen


@networks
def test_a_copy_gives_the_same_output(kind: str, name: str) -> None:
    network = built(kind, name)
    network(inputs(kind, name))  # running statistics and singular vectors have moved on
    network.eval()
    loaded = built(kind, name)
    loaded.load_state_dict(network.state_dict())
    for other in (loaded.eval(), copy.deepcopy(network)):
        assert torch.equal(other(inputs(kind, name)), network(inputs(kind, name)))


@networks
def test_a_finished_network_looks_at_each_picture_alone(kind: str, name: str) -> None:
    network = built(kind, name).eval()
    batch = inputs(kind, name, 3)
    with torch.inference_mode():
        together, alone = network(batch), torch.cat([network(one[None]) for one in batch])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-4)


@generators
def test_a_generator_learns_two_pictures(name: str) -> None:
    network, given, wanted = built("generator", name), inputs("generator", name), photos(2).flip(0, 1) * 0.8
    losses = falling(network, lambda: F.l1_loss(network(given), wanted))
    assert losses[-1] < 0.7 * losses[0]


@discriminators
def test_a_discriminator_learns_to_tell_two_pictures_apart(name: str) -> None:
    network = built("discriminator", name)
    real, fake = photos(2).split(1)

    def loss() -> Tensor:
        logits = network(torch.cat([real, fake]))
        return F.softplus(-logits[0]).mean() + F.softplus(logits[1]).mean()

    losses = falling(network, loss)
    assert losses[-1] < 0.4 * losses[0]


def falling(network: nn.Module, loss: Callable[[], Tensor], steps: int = 25) -> list[float]:
    """The loss before each of some steps of Adam."""
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 3e-3)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        value = loss()
        value.backward()
        optimiser.step()
        losses.append(value.item())
    return losses
