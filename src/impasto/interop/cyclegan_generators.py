"""Generators of pytorch-CycleGAN-and-pix2pix and CUT: inferred from their tensors, and built as impasto's networks.

Their checkpoints hold tensors by name and no configuration, so the architecture is inferred from the names, order and
shapes of the convolutions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.networks import build_generator
from impasto.networks.layers import Padding

SUPPORTED = "supported are ResNet and U-Net generators of pytorch-CycleGAN-and-pix2pix and CUT"
NormOption = Literal["auto", "none", "batch", "instance", "instance-affine"]
PaddingOption = Literal["auto", "reflect", "replicate", "zero"]

#: The tensors of one layer by name.
Layer = dict[str, Tensor]


class UnsupportedError(Exception):
    """The tensors resemble a generator of these tools, but something about it is not supported: the message."""


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


def infer(tensors: Mapping[str, Tensor], norm: NormOption = "auto", padding: PaddingOption = "auto") -> Inferred | None:
    """Infer the architecture of a generator from its tensors; None if they are of another kind of network.

    Args:
        tensors: by name.
        norm: the normalisation, where the tensors leave a choice: ``instance`` or ``none`` if they hold no norms;
            ``batch`` (with running statistics) or ``instance-affine`` (with those of each image) if they do.
        padding: of the residual blocks.

    Raises UnsupportedError.
    """
    layers: dict[str, Layer] = {}
    for name in sorted(tensors, key=_natural_order):
        layer, _, part = name.rpartition(".")
        layers.setdefault(layer, {})[part] = tensors[name]
    ranks = {name: layer["weight"].ndim for name, layer in layers.items() if "weight" in layer}
    if not set(ranks.values()) <= {1, 4}:
        return None
    convolutions = {name: layers[name] for name, rank in ranks.items() if rank == 4}
    norms = [layers[name] for name, rank in ranks.items() if rank == 1]
    shapes = [tuple(layer["weight"].shape) for layer in convolutions.values()]
    biased = any("bias" in layer for layer in list(convolutions.values())[:-1])
    if len(shapes) >= 4 and all(shape[2:] == (4, 4) for shape in shapes) and shapes[-1][0] > 1:
        chosen, assumed = _norm(norm, norms, biased)
        recipe, description = _unet(shapes, chosen)
    elif len(shapes) >= 6 and shapes[0][2:] == shapes[-1][2:] == (7, 7):
        chosen, assumed = _norm(norm, norms, biased)
        blurs = {layer["filt"].shape[-1] for layer in layers.values() if "filt" in layer and layer["filt"].ndim}
        padded, more = _padding(padding, list(convolutions)[3:-3])
        recipe, description = _resnet(shapes, chosen, padded, blurs)
        assumed += more
    else:
        return None
    used = norms if chosen in ("batch", "instance-affine") else []
    return Inferred(recipe, description, assumed, list(convolutions.values()), used)


def _natural_order(name: str) -> list[tuple[int, str]]:
    """Return a sorting key that puts ``model.10`` after ``model.9``."""
    return [(int(part), "") if part.isdecimal() and len(part) < 9 else (-1, part) for part in name.split(".")]


def _norm(option: NormOption, norms: list[Layer], biased: bool) -> tuple[str, tuple[str, ...]]:
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


def _padding(option: PaddingOption, blocks: list[str]) -> tuple[Padding, tuple[str, ...]]:
    """Return the padding of the residual blocks, whose convolutions have these names, and what is assumed of it.

    Zero padding is part of the convolution, and any other a layer before it, so the names begin at ``conv_block.0`` or
    ``conv_block.1``.
    """
    if option != "auto":
        return option, ()
    first = {name.rpartition("conv_block.")[2] for name in blocks[::2] if "conv_block." in name}
    if first == {"0"}:
        return "zero", ()
    if "0" in first:
        raise UnsupportedError("its residual blocks are padded in different ways")
    assumed = "residual blocks are padded by reflection; for padding_type replicate, add --padding replicate"
    return "reflect", (assumed,) if blocks else ()


def _resnet(shapes: list[tuple[int, ...]], norm: str, padding: Padding, blurs: set[int]) -> tuple[Recipe, str]:
    _require_rgb(shapes[0][1], shapes[-1][0])
    width, blocks = shapes[0][0], (len(shapes) - 6) // 2
    # a transposed convolution has its input channels first
    transposes = shapes[-3][:2] == (4 * width, 2 * width)
    if not blurs <= {3, 4} or (not transposes and 4 not in blurs):
        raise UnsupportedError("its down- or upsampling is of another kind")
    settings = {
        "generator.width": width,
        "generator.blocks": blocks,
        "generator.norm": norm,
        "generator.padding": padding,
        "generator.down": "mirrored-blur" if 3 in blurs else "stride",
        "generator.up": "transpose" if transposes else "blur",
        # unknown: whether it was trained with an identity loss
        **({"contrast.identity": False} if blurs else {"identity": 0.0}),
    }
    kind, recipe = ("an antialiased", "cut") if blurs else ("a", "cyclegan-resnet")
    padded = "" if padding == "reflect" or not blocks else f", {padding} padding"
    return _recipe(recipe, settings), f"{kind} ResNet of {blocks} blocks, {width} channels, {_named(norm)}{padded}"


def _unet(shapes: list[tuple[int, ...]], norm: str) -> tuple[Recipe, str]:
    _require_rgb(shapes[0][1], shapes[-1][1])
    width, depth = shapes[0][0], len(shapes) // 2
    settings = {
        "generator.width": width,
        "generator.max_width": max(shape[0] for shape in shapes[:depth]),
        "generator.depth": depth,
        "generator.norm": norm,
        "generator.dropout": 0.0,
        "identity": 0.0,
    }
    recipe = _recipe("cyclegan-unet", settings)
    return recipe, f"a U-Net for {1 << depth} pixels, {width} channels, {_named(norm)}"


def _named(norm: str) -> str:
    return "no norm" if norm == "none" else f"{norm} norm"


def _recipe(name: str, settings: Mapping[str, Any]) -> Recipe:
    try:
        return Recipe.load(name).replace(f"{setting}={value}" for setting, value in settings.items())
    except ImpastoError as error:
        raise UnsupportedError(str(error).rstrip(".")) from error


def _require_rgb(inputs: int, outputs: int) -> None:
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
