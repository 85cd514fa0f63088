"""Tiny recipes of every method, and batches of noise for them."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from impasto.data.loader import Batch, Batches, Loader
from impasto.device import Precision, open_fabric
from impasto.methods import METHODS, Method
from impasto.recipe import Recipe

M = TypeVar("M", bound=Method)
SIZE, COUNT = 16, 2
CPU = torch.device("cpu")
_PATCH = ["discriminator.width=4", "discriminator.max_width=8", "discriminator.layers=1", "discriminator.init_std=0.2"]
_RESNET = ["generator.width=4", "generator.blocks=2", "generator.init_std=0.2"]
_CNN = ["generator.width=4", "generator.depth=3", "generator.init_std=0.2"]
_CNN += ["discriminator.width=4", "discriminator.depth=2", "discriminator.init_std=0.2"]
_FSESIM = ["generator.width=4", "generator.body=8", "generator.blocks=1", "generator.soften=1", "structure.places=9"]
_DCGAN = ["latent=6", "generator.width=8", "generator.max_width=16", "discriminator.width=8"]
#: A shipped recipe of each method, and what makes it small.
TINY: dict[str, tuple[str, list[str]]] = {
    "gan": ("dcgan-64", _DCGAN),
    "progressive": ("dcgan-progressive", [*_DCGAN, "doublings=1"]),
    "plain": ("cnn", _CNN),
    "cyclegan": ("cyclegan-resnet", [*_RESNET, *_PATCH]),
    "cut": ("cut", [*_RESNET, *_PATCH, "contrast.patches=9"]),
    "fsesim": ("monet", ["size=32", "half=0", *_FSESIM, "discriminator.width=4", "discriminator.pixels=4"]),
}


def tiny(method: str, *settings: str) -> Recipe:
    """A recipe of that method that takes milliseconds a step."""
    name, small = TINY[method]
    return Recipe.load(name).replace([f"size={SIZE}", f"batch={COUNT}", *small, *settings])


def build(method: str, *settings: str, precision: Precision = "32-true", seed: int = 0) -> Method:
    """The method of a tiny recipe, with the weights of that seed, prepared for five paintings."""
    return _prepared(METHODS[method], tiny(method, *settings), open_fabric(CPU, precision), seed)


def made(kind: type[M], fabric: Fabric, *settings: str) -> M:
    """The same as ``build``, by its class, in the precision of ``fabric``."""
    name = next(name for name, each in METHODS.items() if each is kind)
    return _prepared(kind, tiny(name, *settings), fabric, 0)


def _prepared(kind: type[M], recipe: Recipe, fabric: Fabric, seed: int) -> M:
    torch.manual_seed(seed)
    method = kind(recipe, fabric)
    five = pictures(recipe, recipe.size)
    method.prepare([method.style()], Batches(five, five))
    return method


def pictures(recipe: Recipe, side: int) -> Loader:
    """Five pictures of noise, kept at that size."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, side, side, 3), dtype=np.uint8)
    return Loader(pixels, np.arange(5), recipe.size, COUNT, recipe.augment, 0, CPU)


@contextmanager
def float64() -> Iterator[Fabric]:
    """Inside, all is float64, where Adam's division by a small root does not enlarge roundings."""
    torch.set_default_dtype(torch.float64)
    try:
        yield Fabric(accelerator="cpu", devices=1, precision="64-true")
    finally:
        torch.set_default_dtype(torch.float32)


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Uniform in −1…1."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def batch(step: int = 0, *, count: int = COUNT, seed: int = 0, size: int = SIZE, progress: float = 0.0) -> Batch:
    """Noise for paintings and for photos, other noise at each step, and the step's random numbers."""
    paintings, photos = noise(2, count, 3, size, size, seed=1000 * seed + step)
    return Batch(paintings, photos, torch.Generator().manual_seed(step), step, progress)


def pair(step: int = 0) -> Batch:
    """Always the same two paintings and two photos, with the random numbers of the step."""
    one = batch()
    return Batch(one.paintings, one.photos, torch.Generator().manual_seed(step), step)


def plain(network: nn.Module) -> nn.Module:
    """A copy of a network without Fabric around it."""
    copied = copy.deepcopy(network.module)
    assert isinstance(copied, nn.Module)
    return copied


def state(network: nn.Module) -> dict[str, Tensor]:
    """A copy of all that a network is."""
    return copy.deepcopy(network.state_dict())


def unchanged(network: nn.Module, before: dict[str, Tensor]) -> bool:
    """Whether it is what it was, to the last bit."""
    now = network.state_dict()
    return all(torch.equal(now[name], value) for name, value in before.items())


def agree(network: nn.Module, expected: nn.Module, atol: float, rtol: float) -> None:
    """Asserts that all parameters are near the expected ones."""
    found = network.state_dict()
    for name, value in expected.named_parameters():
        assert torch.allclose(found[name], value, atol=atol, rtol=rtol), name
