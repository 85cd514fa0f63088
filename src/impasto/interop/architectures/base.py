"""Generators of other tools: a registry of architectures, each inferred from the tensors of a checkpoint and built as
one of impasto's networks.

Checkpoints hold tensors by name and seldom a configuration, so an architecture is inferred from the names, order and
shapes of its layers.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from impasto.config.recipe import Recipe
from impasto.config.registry import Registry
from impasto.errors import ImpastoError
from impasto.networks import build_generator

NormOption = Literal["auto", "none", "batch", "instance", "instance-affine"]
PaddingOption = Literal["auto", "reflect", "replicate", "zero"]

#: The tensors of one layer by name.
Layer = dict[str, Tensor]


class UnsupportedError(Exception):
    """The tensors resemble a generator of these tools, but something about it is not supported: the message."""


@dataclass(frozen=True)
class Options:
    """What a user knows of a generator, or a file says of it besides its tensors.

    Attributes:
        norm: the normalisation, where the tensors leave a choice: ``instance`` or ``none`` if they hold no norms;
            ``batch`` (with running statistics) or ``instance-affine`` (with those of each image) if they do.
        padding: of the residual blocks.
        slope, epsilon: of leaky ReLUs and norms; None if unknown.
    """

    norm: NormOption = "auto"
    padding: PaddingOption = "auto"
    slope: float | None = None
    epsilon: float | None = None


@dataclass(frozen=True)
class Inferred:
    """An inferred generator.

    Attributes:
        recipe: of the same architecture.
        description: of the network, such as ``a ResNet of 9 blocks, 64 channels, instance norm``.
        assumed: sentences on what the tensors do not tell.
        convolutions, norms: the layers in order.
    """

    recipe: Recipe
    description: str
    assumed: tuple[str, ...]
    convolutions: list[Layer]
    norms: list[Layer]


@dataclass(frozen=True)
class Architecture:
    """A kind of generator.

    Attributes:
        title: such as ``ResNet of pytorch-CycleGAN-and-pix2pix and CUT``.
        detect: infers such a generator from its layers; None if they are of another kind of network, UnsupportedError
            if something about it is not supported.
    """

    title: str
    detect: Callable[[dict[str, Layer], Options], Inferred | None]


ARCHITECTURES: Registry[Architecture] = Registry(
    "architecture", "impasto.interop.architectures", "impasto.architectures"
)


def infer(tensors: Mapping[str, Tensor], options: Options) -> Inferred | None:
    """Infer the architecture of a generator from its tensors by name; None if they are of another kind of network.

    Raises UnsupportedError.
    """
    layers = _layers(tensors)
    for architecture in ARCHITECTURES.values():
        found = architecture.detect(layers, options)
        if found is not None:
            return found
    return None


def supported() -> str:
    """Return which generators are supported, as a part of a message."""
    return f"Supported are: {'; '.join(architecture.title for architecture in ARCHITECTURES.values())}"


def _layers(tensors: Mapping[str, Tensor]) -> dict[str, Layer]:
    """Return the layers by name, in order, each with its tensors."""
    layers: dict[str, Layer] = {}
    for name in sorted(tensors, key=_natural_order):
        layer, _, part = name.rpartition(".")
        layers.setdefault(layer, {})[part] = tensors[name]
    return layers


def _natural_order(name: str) -> list[tuple[int, str]]:
    """Return a sorting key that puts ``model.10`` after ``model.9``, and ``conv2d_10`` after ``conv2d_9``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def layers_in_order(layers: dict[str, Layer]) -> tuple[dict[str, Layer], list[Layer]] | None:
    """Return the convolutions by name and the norms; None if there are layers of other kinds."""
    ranks = {name: layer["weight"].ndim for name, layer in layers.items() if "weight" in layer}
    if not set(ranks.values()) <= {1, 4}:
        return None
    return {name: layers[name] for name, rank in ranks.items() if rank == 4}, [
        layers[name] for name, rank in ranks.items() if rank == 1
    ]


def has_biases(convolutions: dict[str, Layer]) -> bool:
    """Whether a convolution has a bias, besides the last one."""
    return any("bias" in layer for layer in list(convolutions.values())[:-1])


def used_norms(norm: str, norms: list[Layer]) -> list[Layer]:
    """Return the norms that have tensors in impasto's network."""
    return norms if norm in ("batch", "instance-affine") else []


def infer_norm(option: NormOption, norms: list[Layer], biased: bool) -> tuple[str, tuple[str, ...]]:
    """Return the normalisation, and what is assumed of it.

    Their convolutions have a bias before instance norm (which has no tensors), and none without norm.
    """
    if not norms:
        if option not in ("auto", "none", "instance"):
            raise UnsupportedError("it has no tensors of norms: --norm can be instance or none")
        return (option if option != "auto" else "instance" if biased else "none"), ()
    if any("running_mean" not in layer for layer in norms) and option != "instance-affine":
        raise UnsupportedError(
            "it has norms without running statistics; if they are instance norms, add --norm instance-affine"
        )
    if option not in ("auto", "batch", "instance-affine"):
        raise UnsupportedError("it has tensors of norms: --norm can be batch or instance-affine")
    running = (
        "batch norm uses its running statistics; for those of each image, as in pix2pix's test.py without --eval, add "
        "--norm instance-affine"
    )
    return ("batch", (running,)) if option == "auto" else (option, ())


def named_norm(norm: str) -> str:
    return "no norm" if norm == "none" else f"{norm} norm"


def derived_recipe(name: str, settings: Mapping[str, Any]) -> Recipe:
    try:
        return Recipe.load(name).replace(f"{setting}={value}" for setting, value in settings.items())
    except ImpastoError as error:
        raise UnsupportedError(str(error).rstrip(".")) from error


def require_rgb(inputs: int, outputs: int) -> None:
    if (inputs, outputs) != (3, 3):
        raise UnsupportedError(f"it maps {inputs} channels to {outputs}; only RGB generators (3 to 3) are supported")


def build(found: Inferred) -> nn.Module:
    """Build the network in evaluation mode, with these weights in float32.

    Their convolutions before instance norm have a bias, which the norm cancels; ours have none.
    """
    network = build_generator(**found.recipe.generator_kwargs())
    for module, layer in _pairs(network, found):
        module.load_state_dict(_values(module, layer))
    return network.eval()


def require_fit(found: Inferred) -> None:
    """Raise UnsupportedError if the layers differ from those of the recipe's network, which takes no memory here."""
    with torch.device("meta"):
        network = build_generator(**found.recipe.generator_kwargs())
    for module, layer in _pairs(network, found):
        expected, given = module.state_dict(), _values(module, layer)
        # Running statistics include the bias of the convolution before.
        lost_bias = module.bias is None and "bias" in layer and found.recipe.value("generator.norm") == "batch"
        shapes = [{name: tensor.shape for name, tensor in state.items()} for state in (expected, given)]
        if shapes[0] != shapes[1] or lost_bias:
            raise UnsupportedError("its layers differ")


def _pairs(network: nn.Module, found: Inferred) -> list[tuple[Any, Layer]]:
    """Return each convolution and norm of a network with its layer."""
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d | nn.ConvTranspose2d)]
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d | nn.GroupNorm) and each.affine]
    if len(convolutions) != len(found.convolutions) or len(norms) != len(found.norms):
        raise UnsupportedError("its layers differ")
    return [*zip(convolutions, found.convolutions, strict=True), *zip(norms, found.norms, strict=True)]


def _values(module: nn.Module, layer: Layer) -> Layer:
    """Return a layer's tensors that a module has, in float32; a missing bias is zero, as is the count of batches."""
    zeros = {"num_batches_tracked": torch.tensor(0)}
    if isinstance(module.bias, Tensor):
        zeros["bias"] = torch.zeros(module.bias.shape)
    given = zeros | {name: tensor.float() for name, tensor in layer.items() if name != "num_batches_tracked"}
    return {name: given[name] for name in module.state_dict() if name in given}
