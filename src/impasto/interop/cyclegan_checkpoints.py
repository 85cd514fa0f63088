"""Import generators of pytorch-CycleGAN-and-pix2pix and CUT as styles.

Their checkpoints hold tensors by name and no configuration, so the architecture is inferred from the order and shapes
of the convolutions.
"""

import hashlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from impasto._version import __version__
from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.files import user_path
from impasto.inference.output import require_free, reserve
from impasto.networks import build_generator
from impasto.style import Card, Style, require_name

SUPPORTED = "supported are ResNet and U-Net generators of pytorch-CycleGAN-and-pix2pix and CUT"
#: Keys under which checkpoints nest their state dict.
NESTED = ("state_dict", "model_state_dict", "netG", "netG_A", "G", "generator", "model", "params_ema", "params")

#: The tensors of one layer by name.
Layer = dict[str, Tensor]


def import_style(
    file: str | Path,
    out: str | Path | None = None,
    *,
    source: str = "images",
    target: str = "images",
    license: str = "",
    overwrite: bool = False,
) -> tuple[Path, str]:
    """Convert a generator checkpoint of another tool into a style.

    Args:
        file: ``latest_net_G.pth`` or another checkpoint, or safetensors. It is loaded without running code.
        out: the style file to write; default ``styles/NAME.safetensors``, where it is found by name.
        source, target: the domains, such as ``horses`` and ``zebras``, which the checkpoint does not state.
        license: SPDX identifier.
        overwrite: replace ``out``.

    Returns the style file and a description of the network.
    Raises ImpastoError if the file holds no supported generator or ``out`` exists.
    """
    file = user_path(file)
    out = Path("styles") / f"{_name(file)}.safetensors" if out is None else Path(out)
    if out.suffix != ".safetensors":
        raise ImpastoError(f"{out} is not a style file name: it must end in .safetensors.")
    require_name(out)
    require_free(out, file=True, overwrite=overwrite)
    tensors = _load(file)
    found = _infer(tensors, file)
    recipe = Recipe.load(found.recipe).replace(f"{name}={value}" for name, value in found.settings.items())
    network = build_generator(**recipe.generator_kwargs())
    _fill(network, found, file)
    card = Card(
        task="translation",
        source=source,
        target=target,
        recipe=recipe.values(),
        target_data={"name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "pictures": 0},
        steps=0,
        pictures=0,
        seconds=0.0,
        seed=0,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        impasto=__version__,
        license=license,
        imported=file.name,
    )
    reserve(out, file=True, overwrite=overwrite)
    Style(network.eval(), card).save(out)
    return out, found.description


@dataclass(frozen=True)
class Inferred:
    """An inferred generator: a recipe with the same architecture, the settings that differ, and the layers in order."""

    recipe: str
    settings: dict[str, Any]
    description: str
    convolutions: list[Layer]
    norms: list[Layer]


def _name(file: Path) -> str:
    """Return the name of the experiment: of the folder, if the file has a generic name such as ``latest_net_G``."""
    return file.absolute().parent.name if re.fullmatch(r"(latest|\d+)_net_\w+", file.stem) else file.stem


def _load(file: Path) -> dict[str, Tensor]:
    """Load the tensors of a checkpoint by name, without running code."""
    if file.is_dir():
        raise ImpastoError(f"{file} is a folder; give the path of a checkpoint in it.")
    if file.suffix in (".h5", ".keras"):
        raise ImpastoError(f"{file} is a Keras file, which is not supported: {SUPPORTED}.")
    if not file.is_file():
        raise ImpastoError(f"{file} does not exist; check the path.")
    try:
        found: Any = (
            load_file(file)
            if file.suffix == ".safetensors"
            else torch.load(file, map_location="cpu", weights_only=True)
        )
    except pickle.UnpicklingError as error:
        if "weights only" in str(error).lower() or "unsupported" in str(error).lower():
            raise ImpastoError(
                f"{file} holds pickled objects, which are not loaded; save only the generator's state_dict()."
            ) from error
        raise ImpastoError(f"{file} is not a PyTorch checkpoint, or is damaged: {SUPPORTED}.") from error
    except (RuntimeError, EOFError, OSError, KeyError, ValueError, SafetensorError, zipfile.BadZipFile) as error:
        raise ImpastoError(f"{file} is not a PyTorch checkpoint, or is damaged: {SUPPORTED}.") from error
    while isinstance(found, Mapping) and not any(isinstance(value, Tensor) for value in found.values()):
        if {"netG_A", "netG_B"} <= found.keys():
            raise ImpastoError(f"{file} holds two generators, netG_A and netG_B; save one of them on its own.")
        found = next((found[name] for name in NESTED if isinstance(found.get(name), Mapping)), None)
    if not isinstance(found, Mapping):
        raise ImpastoError(f"{file} holds no state dict: {SUPPORTED}.")
    tensors = {name.removeprefix("module."): value for name, value in found.items() if isinstance(value, Tensor)}
    if not all(value.isfinite().all() for value in tensors.values()):
        raise ImpastoError(f"{file} holds NaN or Inf weights; use an earlier checkpoint.")
    return tensors


def _infer(tensors: dict[str, Tensor], file: Path) -> Inferred:
    """Infer the architecture from the tensors."""
    layers: dict[str, Layer] = {}
    for name in sorted(tensors, key=_natural_order):
        layer, _, part = name.rpartition(".")
        layers.setdefault(layer, {})[part] = tensors[name].float()
    convolutions = [layer for layer in layers.values() if "weight" in layer and layer["weight"].ndim == 4]
    norms = [layer for layer in layers.values() if "weight" in layer and layer["weight"].ndim == 1]
    shapes = [tuple(layer["weight"].shape) for layer in convolutions]
    blurs = [layer["filt"].shape[-1] for layer in layers.values() if "filt" in layer]
    if any("running_mean" not in layer for layer in norms):
        raise ImpastoError(
            f"{file} has normalisation layers other than batch norm and plain instance norm: {SUPPORTED}."
        )
    norm = "batch" if norms else "instance"
    if len(shapes) >= 4 and all(shape[2:] == (4, 4) for shape in shapes) and shapes[-1][0] > 1:
        return _unet(shapes, norm, convolutions, norms, file)
    if len(shapes) >= 6 and shapes[0][2:] == shapes[-1][2:] == (7, 7):
        return _resnet(shapes, norm, blurs, convolutions, norms, file)
    hint = " It looks like a discriminator." if shapes and shapes[-1][0] == 1 else ""
    raise ImpastoError(f"{file} holds no supported generator: {SUPPORTED}.{hint}")


def _natural_order(name: str) -> list[tuple[int, str]]:
    """Return a sorting key that puts ``model.10`` after ``model.9``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split(".")]


def _resnet(
    shapes: list[tuple[int, ...]],
    norm: str,
    blurs: list[int],
    convolutions: list[Layer],
    norms: list[Layer],
    file: Path,
) -> Inferred:
    _require_rgb(shapes[0][1], shapes[-1][0], file)
    width, blocks = shapes[0][0], (len(shapes) - 6) // 2
    # a transposed convolution has its input channels first
    transposes = shapes[-3][:2] == (4 * width, 2 * width)
    settings = {
        "generator.width": width,
        "generator.blocks": blocks,
        "generator.norm": norm,
        "generator.down": "mirrored-blur" if 3 in blurs else "stride",
        "generator.up": "transpose" if transposes else "blur",
        # unknown: whether it was trained with an identity loss
        **({"contrast.identity": False} if blurs else {"identity": 0.0}),
    }
    kind, recipe = ("an antialiased", "cut") if blurs else ("a", "cyclegan-resnet")
    description = f"{kind} ResNet of {blocks} blocks, {width} channels, {norm} norm"
    return Inferred(recipe, settings, description, convolutions, norms)


def _unet(
    shapes: list[tuple[int, ...]],
    norm: str,
    convolutions: list[Layer],
    norms: list[Layer],
    file: Path,
) -> Inferred:
    _require_rgb(shapes[0][1], shapes[-1][1], file)
    width, depth = shapes[0][0], len(shapes) // 2
    settings = {
        "generator.width": width,
        "generator.max_width": max(shape[0] for shape in shapes[:depth]),
        "generator.depth": depth,
        "generator.norm": norm,
        "generator.dropout": 0.0,
        "identity": 0.0,
    }
    description = f"a U-Net for {1 << depth} pixels, {width} channels, {norm} norm"
    return Inferred("cyclegan-unet", settings, description, convolutions, norms)


def _require_rgb(inputs: int, outputs: int, file: Path) -> None:
    if (inputs, outputs) != (3, 3):
        raise ImpastoError(f"{file} maps {inputs} channels to {outputs}; only RGB generators (3 to 3) are supported.")


def _fill(network: nn.Module, found: Inferred, file: Path) -> None:
    """Copy the weights into a network, layer by layer.

    Their convolutions before instance norm have a bias, which the norm cancels; ours have none.
    """
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    mismatch = ImpastoError(f"{file} resembles {found.description}, but its layers differ: {SUPPORTED}.")
    if len(convolutions) != len(found.convolutions) or len(norms) != len(found.norms):
        raise mismatch
    with torch.no_grad():
        for module, layer in zip(convolutions, found.convolutions, strict=True):
            lost_bias = module.bias is None and "bias" in layer and found.norms
            if module.weight.shape != layer["weight"].shape or lost_bias:
                raise mismatch
            module.weight.copy_(layer["weight"])
            if module.bias is not None:
                module.bias.copy_(layer.get("bias", torch.zeros_like(module.bias)))
        for norm, layer in zip(norms, found.norms, strict=True):
            if norm.weight.shape != layer["weight"].shape:
                raise mismatch
            norm.load_state_dict({"num_batches_tracked": torch.tensor(0), **layer})
