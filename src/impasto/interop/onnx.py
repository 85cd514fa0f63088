"""A style's network as ONNX, checked against torch."""

import copy
import importlib.util
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from impasto.config.recipe import NoiseRecipe
from impasto.data.augment import to_float
from impasto.data.decode import decode
from impasto.data.sources import open_source
from impasto.errors import ImpastoError
from impasto.files import atomic_write
from impasto.inference.output import reserve
from impasto.inference.photo import pixels
from impasto.style import Style

#: How far a painting by ONNX Runtime may be from that of torch, in grey levels of 255: in float32, where what a norm
#: makes of a flat map magnifies rounding, and in float16.
FAR, FAR_HALF = 1.0, 4.0
#: Sizes at which it is checked, height and width: some are odd, none is that with which the network was traced.
SIZES = ((256, 256), (101, 174), (64, 240))
#: The size with which it is traced: nothing divides it, so that nothing is taken for granted.
TRACED = (67, 90)


@dataclass(frozen=True)
class Exported:
    """What came of it: how far its paintings are from torch's, in grey levels, at most and on average."""

    largest: float
    mean: float
    megabytes: float


def export(style: str | Path, out: str | Path, *, fp16: bool = False, overwrite: bool = False) -> Exported:
    """Writes the network of a style as ONNX, and checks that ONNX Runtime paints the same with it.

    It turns ``photos`` into ``paintings``, both float32 (batch, 3, height, width) in −1…1 and of any size; or
    ``latents``, normal numbers (batch, L), into ``paintings``. The style's card is in its metadata, as JSON under
    ``impasto``. What is done around the network (large photos from coarse to fine, brush, colours) is not in it.

    Args:
        style: the name of one that comes along, a style file or a run folder.
        out: the file, ending in .onnx.
        fp16: weights and maps in half precision; what follows the last convolution stays in float32.
        overwrite: replace the file.

    Raises :class:`impasto.errors.ImpastoError` if ``impasto[onnx]`` is not installed, ``out`` is taken, or the
    paintings differ: there is no file then.
    """
    out = Path(out)
    if out.suffix != ".onnx":
        raise ImpastoError(f"{out} is no name of an ONNX file: let it end in .onnx.")
    if not all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript", "onnxruntime")):
        raise ImpastoError("To export, install more: pip install onnx onnxruntime onnxscript")
    loaded = Style.load(style)
    reserve(out, file=True, overwrite=overwrite)
    with atomic_write(out) as part:
        _write(loaded, _halved(loaded.network) if fp16 else loaded.network, part)
        errors = np.concatenate([error.ravel() for error in _errors(loaded, part)])
        found = Exported(float(errors.max()), float(errors.mean()), part.stat().st_size / 1e6)
        most = FAR_HALF if fp16 else FAR
        if not found.largest <= most:
            raise ImpastoError(
                f"With ONNX the style paints up to {found.largest:.2f} grey levels away, {most} at most were allowed: "
                f"{out} was not written."
            )
    return found


def _write(style: Style, network: nn.Module, path: Path) -> None:
    recipe = style.recipe
    getattr(network, "fixed", None)  # read now: weights cannot be read while the network is traced
    auto = torch.export.Dim.AUTO
    if isinstance(recipe, NoiseRecipe):
        example, name, sizes = torch.zeros(3, recipe.latent), "latents", {0: auto}
    else:
        example, name, sizes = torch.zeros(3, 3, *TRACED), "photos", {0: auto, 2: auto, 3: auto}
    for logger in ("torch.onnx", "onnxscript"):
        logging.getLogger(logger).setLevel(logging.ERROR)  # they tell what was skipped, and is not needed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[name],
            output_names=["paintings"],
            dynamic_shapes=(sizes,),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    _name_sides(program.model.graph)
    card = style.card
    program.model.producer_name, program.model.producer_version = "impasto", card.impasto
    program.model.doc_string = f"{card.domains}, by impasto{f', under {card.license}' if card.license else ''}"
    program.model.metadata_props["impasto"] = card.model_dump_json()
    program.save(path)


def _name_sides(graph: Any) -> None:
    """Gives the sides of what goes in and comes out names that say what they are; torch's are numbers and formulas."""
    import onnx_ir

    names = ("batch", "channels", "height", "width")
    for value in (*graph.inputs, *graph.outputs):
        value.shape = onnx_ir.Shape(
            [side if isinstance(side, int) else name for side, name in zip(value.shape, names, strict=False)]
        )


def _errors(style: Style, path: Path) -> Iterator[NDArray[np.float32]]:
    """How far the paintings of some inputs are from torch's, in grey levels."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for given in _inputs(style):
        (found,) = session.run(None, {session.get_inputs()[0].name: given.numpy()})
        with torch.inference_mode():
            expected = style.network(given).clamp(-1, 1).numpy()
        yield np.abs(found.clip(-1, 1) - expected) * 127.5


def _inputs(style: Style) -> Iterator[Tensor]:
    """Real photos in several sizes, or latents. Whole photos: a part may be flat, and there is no telling what a norm
    of instances makes of that."""
    if isinstance(style.recipe, NoiseRecipe):
        for count in (1, 4):
            yield torch.randn(count, style.recipe.latent, generator=torch.Generator().manual_seed(count))
        return
    with open_source("sample:photos") as source:
        photos = [decode(entry.read()).image for entry in source.entries()]
    for number, (height, width) in enumerate(SIZES):
        some = np.stack([pixels(photo.resize((width, height))) for photo in photos[: number + 1]])
        yield to_float(torch.from_numpy(some))


def _halved(network: nn.Module) -> nn.Module:
    """A copy whose convolutions and norms are in float16, but for what follows the last one: near black and white it
    knows too few levels."""
    network = copy.deepcopy(network)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            module.half().register_forward_pre_hook(_narrow)
            if getattr(module, "out_channels", 0) == 3:
                module.register_forward_hook(_widen)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            module.half()
    return network


def _narrow(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(each.half() for each in inputs)


def _widen(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output.float()
