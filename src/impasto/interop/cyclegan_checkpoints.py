"""Generators of pytorch-CycleGAN-and-pix2pix and of CUT as styles.

Both save nothing but tensors by name. What is not written down is found in them: the order in which convolutions
follow each other, and their shapes, leave one network of ours that computes the same.
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
from impasto.inference.output import reserve
from impasto.networks import build_generator
from impasto.style import Card, Style, require_name

READ = "read are ResNet and U-Net generators of pytorch-CycleGAN-and-pix2pix and of CUT"
#: Names under which files keep their weights one level down.
WITHIN = ("state_dict", "model_state_dict", "netG", "netG_A", "G", "generator", "model", "params_ema", "params")

#: The tensors of a layer, by their names in it.
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
    """Makes a style of a generator that another tool saved.

    Args:
        file: ``latest_net_G.pth`` or another checkpoint, also as safetensors. No code in it is ever run.
        out: the style's file; if not given, in ``styles/``, where it is found by name.
        source, target: the domains, such as ``horses`` and ``zebras``: the file does not say.
        license: under which it may be used.
        overwrite: replace ``out``.

    Returns the style's file, and what the network is, in words.
    Raises :class:`impasto.errors.ImpastoError` for a file that holds no such generator, or an ``out`` that is taken.
    """
    file = Path(file).expanduser()
    out = Path("styles") / f"{_name(file)}.safetensors" if out is None else Path(out)
    if out.suffix != ".safetensors":
        raise ImpastoError(f"{out} is no name of a style: let it end in .safetensors.")
    require_name(out)
    tensors = _load(file)
    found = _inspect(tensors, file)
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
    return out, found.words


@dataclass(frozen=True)
class Found:
    """A generator: the recipe that has one of its kind, what is different in it, and its layers in their order."""

    recipe: str
    settings: dict[str, Any]
    words: str
    convolutions: list[Layer]
    norms: list[Layer]


def _name(file: Path) -> str:
    """A training's name: that of its folder, where the file has a name that all have."""
    return file.absolute().parent.name if re.fullmatch(r"(latest|\d+)_net_\w+", file.stem) else file.stem


def _load(file: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, without running any code that is in it."""
    if file.is_dir():
        raise ImpastoError(f"{file} is a folder: name the checkpoint in it.")
    if file.suffix in (".h5", ".keras"):
        raise ImpastoError(f"{file} is of Keras, which is not read: {READ}.")
    if not file.is_file():
        raise ImpastoError(f"There is no file {file}: check the path.")
    try:
        found: Any = (
            load_file(file)
            if file.suffix == ".safetensors"
            else torch.load(file, map_location="cpu", weights_only=True)
        )
    except pickle.UnpicklingError as error:
        if "weights only" in str(error).lower() or "unsupported" in str(error).lower():
            raise ImpastoError(
                f"{file} holds more than tensors, and nothing in it is run: save the generator's state_dict() alone."
            ) from error
        raise ImpastoError(f"{file} is no checkpoint of PyTorch, or a damaged one: {READ}.") from error
    except (RuntimeError, EOFError, OSError, KeyError, ValueError, SafetensorError, zipfile.BadZipFile) as error:
        raise ImpastoError(f"{file} is no checkpoint of PyTorch, or a damaged one: {READ}.") from error
    while isinstance(found, Mapping) and not any(isinstance(value, Tensor) for value in found.values()):
        if {"netG_A", "netG_B"} <= found.keys():
            raise ImpastoError(f"{file} holds two generators, netG_A and netG_B: save the one that is wanted alone.")
        found = next((found[name] for name in WITHIN if isinstance(found.get(name), Mapping)), None)
    if not isinstance(found, Mapping):
        raise ImpastoError(f"{file} holds no weights by name: {READ}.")
    tensors = {name.removeprefix("module."): value for name, value in found.items() if isinstance(value, Tensor)}
    if not all(value.isfinite().all() for value in tensors.values()):
        raise ImpastoError(f"{file} holds weights that are no numbers (NaN): its training broke, take an earlier one.")
    return tensors


def _inspect(tensors: dict[str, Tensor], file: Path) -> Found:
    """What generator the tensors are of."""
    layers: dict[str, Layer] = {}
    for name in sorted(tensors, key=_places):
        layer, _, part = name.rpartition(".")
        layers.setdefault(layer, {})[part] = tensors[name].float()
    convolutions = [layer for layer in layers.values() if "weight" in layer and layer["weight"].ndim == 4]
    norms = [layer for layer in layers.values() if "weight" in layer and layer["weight"].ndim == 1]
    shapes = [tuple(layer["weight"].shape) for layer in convolutions]
    blurs = [layer["filt"].shape[-1] for layer in layers.values() if "filt" in layer]
    if any("running_mean" not in layer for layer in norms):
        raise ImpastoError(
            f"{file} has a normalisation that is neither of batches nor a plain one of instances: {READ}."
        )
    norm = "batch" if norms else "instance"
    if len(shapes) >= 4 and all(shape[2:] == (4, 4) for shape in shapes) and shapes[-1][0] > 1:
        return _unet(shapes, norm, convolutions, norms, file)
    if len(shapes) >= 6 and shapes[0][2:] == shapes[-1][2:] == (7, 7):
        return _resnet(shapes, norm, blurs, convolutions, norms, file)
    judge = " It looks like a discriminator." if shapes and shapes[-1][0] == 1 else ""
    raise ImpastoError(f"{file} holds no generator that is known here: {READ}.{judge}")


def _places(name: str) -> list[tuple[int, str]]:
    """A sorting key: layers in the order in which they follow each other, ``model.10`` after ``model.9``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split(".")]


def _resnet(
    shapes: list[tuple[int, ...]],
    norm: str,
    blurs: list[int],
    convolutions: list[Layer],
    norms: list[Layer],
    file: Path,
) -> Found:
    _require_colours(shapes[0][1], shapes[-1][0], file)
    width, blocks = shapes[0][0], (len(shapes) - 6) // 2
    # What enlarges has its channels the other way round.
    transposes = shapes[-3][:2] == (4 * width, 2 * width)
    settings = {
        "generator.width": width,
        "generator.blocks": blocks,
        "generator.norm": norm,
        "generator.down": "mirrored-blur" if 3 in blurs else "stride",
        "generator.up": "transpose" if transposes else "blur",
        # Whether it leaves paintings what they are is not known.
        **({"contrast.identity": False} if blurs else {"identity": 0.0}),
    }
    kind, recipe = ("an antialiased", "cut") if blurs else ("a", "cyclegan-resnet")
    words = f"{kind} ResNet of {blocks} blocks, {width} channels, {norm} norm"
    return Found(recipe, settings, words, convolutions, norms)


def _unet(
    shapes: list[tuple[int, ...]],
    norm: str,
    convolutions: list[Layer],
    norms: list[Layer],
    file: Path,
) -> Found:
    _require_colours(shapes[0][1], shapes[-1][1], file)
    width, depth = shapes[0][0], len(shapes) // 2
    settings = {
        "generator.width": width,
        "generator.max_width": max(shape[0] for shape in shapes[:depth]),
        "generator.depth": depth,
        "generator.norm": norm,
        "generator.dropout": 0.0,
        "identity": 0.0,
    }
    words = f"a U-Net for {1 << depth} pixels, {width} channels, {norm} norm"
    return Found("cyclegan-unet", settings, words, convolutions, norms)


def _require_colours(read: int, painted: int, file: Path) -> None:
    if (read, painted) != (3, 3):
        raise ImpastoError(f"{file} makes {painted} channels of {read}: only pictures in colour are painted.")


def _fill(network: nn.Module, found: Found, file: Path) -> None:
    """Gives a network the weights, layer by layer.

    Where instances are normalised, theirs has a bias that is taken off again; ours has none.
    """
    ours = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    their_norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    wrong = ImpastoError(f"{file} is like {found.words}, but not one: {READ}.")
    if len(ours) != len(found.convolutions) or len(their_norms) != len(found.norms):
        raise wrong
    with torch.no_grad():
        for module, layer in zip(ours, found.convolutions, strict=True):
            lost = module.bias is None and "bias" in layer and found.norms
            if module.weight.shape != layer["weight"].shape or lost:
                raise wrong
            module.weight.copy_(layer["weight"])
            if module.bias is not None:
                module.bias.copy_(layer.get("bias", torch.zeros_like(module.bias)))
        for norm, layer in zip(their_norms, found.norms, strict=True):
            if norm.weight.shape != layer["weight"].shape:
                raise wrong
            norm.load_state_dict({"num_batches_tracked": torch.tensor(0), **layer})
