"""Export the network of a style to ONNX, and compare it with PyTorch."""

import copy
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from impasto.config.recipe import GenerationRecipe
from impasto.data.augment import to_float
from impasto.data.decode import decode
from impasto.data.sources import open_source
from impasto.errors import ImpastoError, require
from impasto.files import atomic_write, user_path
from impasto.inference.output import require_free, reserve
from impasto.inference.photo import pixels
from impasto.inference.precision import convert_module
from impasto.style import Style
from impasto.terminal import errors_alone

#: Largest accepted difference between ONNX Runtime and PyTorch in grey levels (of 255), in float32 and float16.
#: Normalisation of nearly constant maps magnifies rounding errors.
TOLERANCE, TOLERANCE_FP16 = 1.0, 4.0
#: Sizes of the check, (height, width): some are odd, none is the traced one.
CHECK_SIZES = ((256, 256), (101, 174), (64, 240))
#: Size of the traced example, coprime to all strides so that no size is specialised.
TRACE_SIZE = (67, 90)


@dataclass(frozen=True)
class Exported:
    """Difference of ONNX Runtime from PyTorch in grey levels of 255, maximum and mean, and the size of the file."""

    largest: float
    mean: float
    megabytes: float


def export(style: str | Path, out: str | Path, *, fp16: bool = False, overwrite: bool = False) -> Exported:
    """Write the network of a style as ONNX, and check that ONNX Runtime computes the same images.

    Its input is ``photos``, float32 (B, 3, H, W) in −1…1 of any size, or ``latents``, standard normal (B, L); its
    output is ``paintings``, (B, 3, H, W) in −1…1. The style's card is in the metadata, as JSON under ``impasto``.
    Processing around the network (large photos from coarse to fine, brush, colours) is not exported.

    Args:
        style: the name of a bundled style, a style file or a run folder.
        out: the file to write, ending in .onnx.
        fp16: store weights and compute in half precision, except after the last convolution.
        overwrite: replace the file.

    Raises ImpastoError if ``impasto[onnx]`` is not installed, ``out`` exists, ONNX cannot express the network, or the
    outputs differ; no file is written then.
    """
    out = user_path(out)
    if out.suffix != ".onnx":
        raise ImpastoError(f"{out} is not an ONNX file name: it must end in .onnx.")
    for module in ("onnx", "onnxscript", "onnxruntime"):
        require(module, "onnx")
    require_free(out, file=True, overwrite=overwrite)
    loaded = Style.load(style)
    reserve(out, file=True, overwrite=overwrite)
    with atomic_write(out) as part:
        _write(loaded, _half_precision(loaded.network) if fp16 else loaded.network, part)
        errors = np.concatenate([error.ravel() for error in _differences(loaded, part)])
        found = Exported(float(errors.max()), float(errors.mean()), part.stat().st_size / 1e6)
        tolerance = TOLERANCE_FP16 if fp16 else TOLERANCE
        if not found.largest <= tolerance:
            raise ImpastoError(
                f"ONNX Runtime differs from PyTorch by up to {found.largest:.2f} grey levels, more than {tolerance}: "
                f"{out} was not written."
            )
    return found


def _write(style: Style, network: nn.Module, path: Path) -> None:
    recipe = style.recipe
    getattr(network, "backbone", None)  # load the weights now: they cannot be loaded while tracing
    auto = torch.export.Dim.AUTO
    if isinstance(recipe, GenerationRecipe):
        example, name, sizes = torch.zeros(3, recipe.latent), "latents", {0: auto}
    else:
        example, name, sizes = torch.zeros(3, 3, *TRACE_SIZE), "photos", {0: auto, 2: auto, 3: auto}
    # The exporter's warnings are about optional passes.
    with warnings.catch_warnings(), errors_alone("torch.onnx"), errors_alone("onnxscript"):
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                network,
                (example,),
                input_names=[name],
                output_names=["paintings"],
                dynamic_shapes=(sizes,),
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise ImpastoError("The network of this style cannot be exported to ONNX.") from error
    assert program is not None
    _name_dimensions(program.model.graph)
    card = style.card
    program.model.producer_name, program.model.producer_version = "impasto", card.impasto
    program.model.doc_string = f"{card.domains}, by impasto{f', under {card.license}' if card.license else ''}"
    program.model.metadata_props["impasto"] = card.model_dump_json()
    program.save(path)


def _name_dimensions(graph: Any) -> None:
    """Name the dimensions of inputs and outputs; torch's names are numbers and formulas."""
    import onnx_ir

    names = ("batch", "channels", "height", "width")
    for value in (*graph.inputs, *graph.outputs):
        value.shape = onnx_ir.Shape(
            [size if isinstance(size, int) else name for size, name in zip(value.shape, names, strict=False)]
        )


def _differences(style: Style, path: Path) -> Iterator[NDArray[np.float32]]:
    """Yield the absolute differences between ONNX Runtime and PyTorch for some inputs, in grey levels."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch in _inputs(style):
        (found,) = session.run(None, {session.get_inputs()[0].name: batch.numpy()})
        with torch.inference_mode():
            expected = style.network(batch).clamp(-1, 1).numpy()
        yield np.abs(found.clip(-1, 1) - expected) * 127.5


def _inputs(style: Style) -> Iterator[Tensor]:
    """Yield real photos in several sizes, or latents. Photos are resized rather than cropped: a crop may be constant,
    where instance norm is ill-conditioned."""
    if isinstance(style.recipe, GenerationRecipe):
        for count in (1, 4):
            yield torch.randn(count, style.recipe.latent, generator=torch.Generator().manual_seed(count))
        return
    with open_source("sample:photos") as source:
        photos = [decode(entry.read()).image for entry in source.entries()]
    for number, (height, width) in enumerate(CHECK_SIZES):
        batch = np.stack([pixels(photo.resize((width, height))) for photo in photos[: number + 1]])
        yield to_float(torch.from_numpy(batch))


def _half_precision(network: nn.Module) -> nn.Module:
    """Return a copy with convolutions, linear layers and norms in float16, except what follows the last convolution:
    near black and white float16 has too few levels."""
    network = copy.deepcopy(network)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            convert_module(module, torch.float16)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            module.half()
    return network
