"""Properties of every registered network. A new network needs settings here."""

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
    "keras-unet": {
        "width": 8,
        "max_width": 32,
        "depth": 4,
        "norm": "instance-affine",
        "dropout": 0.0,
        "slope": 0.3,
        "epsilon": 1e-3,
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
#: Generators from noise; the others translate images of any size.
FROM_NOISE = {"dcgan", "progressive", "fastgan", "r3gan"}

generators = pytest.mark.parametrize("name", GENERATORS)
discriminators = pytest.mark.parametrize("name", DISCRIMINATORS)
networks = pytest.mark.parametrize(
    ("kind", "name"), [*(("generator", n) for n in GENERATORS), *(("discriminator", n) for n in DISCRIMINATORS)]
)


def built(kind: str, name: str) -> nn.Module:
    """Build the network, always with the same initial weights."""
    settings = GENERATOR_SETTINGS if kind == "generator" else DISCRIMINATOR_SETTINGS
    if name not in settings:
        pytest.fail(f"add settings for the registered {kind} {name!r} to {__name__}")
    torch.manual_seed(0)
    build: Callable[..., nn.Module] = build_generator if kind == "generator" else build_discriminator
    network = build(name, **settings[name])
    if isinstance(network, ProgressiveNetwork):
        network.grow(0.5)  # during a fade-in all stages are used
    return network


def photos(count: int, height: int = SIZE, width: int = SIZE) -> Tensor:
    """Smooth random images in −1…1."""
    noise = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return F.interpolate(noise, (height, width), mode="bilinear")


def inputs(kind: str, name: str, count: int = 2) -> Tensor:
    if kind == "generator" and name in FROM_NOISE:
        return torch.randn(count, LATENT, generator=torch.Generator().manual_seed(1))
    return photos(count)


@generators
def test_a_generator_returns_finite_images(name: str) -> None:
    painted = built("generator", name)(inputs("generator", name))
    assert painted.shape == (2, 3, SIZE, SIZE) and painted.isfinite().all()


@pytest.mark.parametrize("size", [(1, 1), (17, 301), (31, 6), (64, 64)])
@pytest.mark.parametrize("name", [name for name in GENERATORS if name not in FROM_NOISE])
def test_a_translator_returns_images_of_the_input_size(name: str, size: tuple[int, int]) -> None:
    painted = built("generator", name)(photos(1, *size))
    assert painted.shape == (1, 3, *size) and painted.isfinite().all()


@discriminators
def test_a_discriminator_returns_finite_logits_for_each_image(name: str) -> None:
    logits = built("discriminator", name)(photos(2))
    assert logits.shape[0] == 2 and logits.isfinite().all()


@networks
def test_every_parameter_has_a_gradient(kind: str, name: str) -> None:
    network = built(kind, name)
    for weight in network.parameters():
        if not weight.any():  # a zero-initialised branch has no gradient for its first layers
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
def test_networks_of_the_same_seed_are_equal(kind: str, name: str) -> None:
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
    # A rounding error is up to 2⁻⁸ = 0.004 after each layer; measured: up to 0.007.
    assert 0 < error < (0.04 if name == "projected" else 0.02)  # sixty layers; measured: 0.028


@networks
def test_copies_have_the_same_output(kind: str, name: str) -> None:
    network = built(kind, name)
    network(inputs(kind, name))  # changes running statistics and singular vectors
    network.eval()
    loaded = built(kind, name)
    loaded.load_state_dict(network.state_dict())
    for other in (loaded.eval(), copy.deepcopy(network)):
        assert torch.equal(other(inputs(kind, name)), network(inputs(kind, name)))


@networks
def test_images_of_a_batch_are_independent_in_evaluation_mode(kind: str, name: str) -> None:
    network = built(kind, name).eval()
    batch = inputs(kind, name, 3)
    with torch.inference_mode():
        together, alone = network(batch), torch.cat([network(one[None]) for one in batch])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-4)


@generators
def test_a_generator_can_fit_two_images(name: str) -> None:
    network, given, wanted = built("generator", name), inputs("generator", name), photos(2).flip(0, 1) * 0.8
    losses = falling(network, lambda: F.l1_loss(network(given), wanted))
    assert losses[-1] < 0.7 * losses[0]


@discriminators
def test_a_discriminator_can_separate_two_images(name: str) -> None:
    network = built("discriminator", name)
    real, fake = photos(2).split(1)

    def loss() -> Tensor:
        logits = network(torch.cat([real, fake]))
        return F.softplus(-logits[0]).mean() + F.softplus(logits[1]).mean()

    losses = falling(network, loss)
    assert losses[-1] < 0.4 * losses[0]


def falling(network: nn.Module, loss: Callable[[], Tensor], steps: int = 25) -> list[float]:
    """Return the loss before each step of Adam."""
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 3e-3)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        value = loss()
        value.backward()
        optimiser.step()
        losses.append(value.item())
    return losses


@networks
def test_the_smallest_size_is_the_declared_one(kind: str, name: str) -> None:
    """Of the sizes that a recipe may have; a projected discriminator with each of its backbones."""
    registry, settings = (
        (GENERATORS, GENERATOR_SETTINGS) if kind == "generator" else (DISCRIMINATORS, DISCRIMINATOR_SETTINGS)
    )
    variants: list[dict[str, Any]] = (
        [{"backbones": ("lite0",)}, {"backbones": ("lite1", "lite0")}] if name == "projected" else [{}]
    )
    declared = max(16, getattr(registry[name], "min_size", 1))
    for variant in variants:
        given = settings[name] | variant
        sizes = [size for size in (16, 32, 64) if _trains(registry[name], given, kind == "generator", size)]
        assert sizes == [size for size in (16, 32, 64) if size >= declared]


def _trains(network: type[nn.Module], settings: dict[str, Any], generator: bool, size: int) -> bool:
    """Whether a network has a finite output and gradients in training at a size."""
    sized = {name: value for name, value in {"size": size, "start": size // 2}.items() if name in settings}
    latents = "latent" in settings
    try:
        module = network(**settings | sized).train()
        if isinstance(module, ProgressiveNetwork):
            module.grow(1.0)
        output = module(torch.randn(2, LATENT) if latents else torch.rand(2, 3, size, size) * 2 - 1)
        output.float().square().sum().backward()
    except (RuntimeError, KeyError, IndexError, ValueError):
        return False
    return bool(output.isfinite().all()) and (not generator or output.shape == (2, 3, size, size))


@discriminators
def test_discriminators_with_batch_norm_say_so(name: str) -> None:
    def contains_batch_norm(settings: dict[str, Any]) -> bool:
        return any(isinstance(each, nn.BatchNorm2d) for each in build_discriminator(name, **settings).modules())

    settings = DISCRIMINATOR_SETTINGS[name]
    assert contains_batch_norm(settings) == getattr(DISCRIMINATORS[name], "normalises_batch", False)
    if "norm" in settings:
        assert contains_batch_norm(settings | {"norm": "batch"})
