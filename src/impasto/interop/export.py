"""Export the network of a style to the format of another runtime, and compare it with PyTorch on real photos."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.config.recipe import GenerationRecipe
from impasto.data.augment import to_float
from impasto.data.decode import decode
from impasto.data.sources import open_source
from impasto.errors import ImpastoError, require
from impasto.files import atomic_write, user_path
from impasto.inference.output import require_free, reserve
from impasto.inference.photo import pixels
from impasto.interop import onnx, openvino, torch_export
from impasto.interop.exported_network import Run
from impasto.style import Style

Precision = Literal["float32", "float16", "int8"]

#: Largest accepted difference from PyTorch in grey levels (of 255). Normalisation of nearly constant maps magnifies
#: rounding errors.
TOLERANCES: dict[Precision, float] = {"float32": 1.0, "float16": 4.0, "int8": 32.0}
#: Sizes of the check, (height, width): some are odd, none is the traced one.
CHECK_SIZES = ((256, 256), (101, 174), (64, 240))


@dataclass(frozen=True)
class Format:
    """A file format of networks.

    Attributes:
        runtime: the program that runs it, for messages.
        requires: optional packages, and the extra that installs them.
        precisions: those that can be written.
        write: writes a style in a precision into the given files.
        open: returns what runs these files: a batch of inputs to a batch of outputs.
        companions: suffixes of further files that belong to the first.
    """

    runtime: str
    requires: tuple[tuple[str, str], ...]
    precisions: tuple[Precision, ...]
    write: Callable[..., None]
    open: Callable[..., Run]
    companions: tuple[str, ...] = ()


_ONNX = tuple((module, "onnx") for module in ("onnx", "onnxscript", "onnxruntime"))
#: By suffix.
FORMATS = {
    ".onnx": Format("ONNX Runtime", _ONNX, get_args(Precision), onnx.write, onnx.open_network),
    ".pt2": Format("torch.export", (), ("float32", "float16"), torch_export.write, torch_export.open_network),
    ".xml": Format(
        "OpenVINO",
        (*_ONNX, ("openvino", "openvino")),
        ("float32", "float16"),
        openvino.write,
        openvino.open_network,
        (".bin",),
    ),
}


@dataclass(frozen=True)
class Exported:
    """Difference of the runtime from PyTorch in grey levels of 255, maximum and mean, and the size of the files."""

    runtime: str
    largest: float
    mean: float
    megabytes: float

    def __str__(self) -> str:
        return (
            f"{self.megabytes:.1f} MB; {self.runtime} differs from PyTorch by at most {self.largest:.2g} of 255 grey "
            f"levels, {self.mean:.2g} on average"
        )


def export(
    style: str | Path, out: str | Path, *, precision: Precision = "float32", overwrite: bool = False
) -> Exported:
    """Write the network of a style for another runtime, and check that it computes the same images.

    The suffix chooses the format: ``.onnx`` (ONNX), ``.pt2`` (``torch.export``) or ``.xml`` (OpenVINO, with its weights
    beside it in ``.bin``). The input is ``photos``, float32 (B, 3, H, W) in −1…1 of any size, or ``latents``, standard
    normal (B, L); the output is ``paintings``, (B, 3, H, W) in −1…1. The style's card is in the file, as JSON.
    Processing around the network (large photos, brush, colours, moods) is not exported.

    Args:
        style: the name of a bundled style, a style file or a run folder.
        out: the file to write.
        precision: ``float16`` stores weights in half precision, and computes in it where the runtime can, except after
            the last convolution; OpenVINO only stores them. ``int8`` (ONNX) quantises the convolutions that were
            trained, but the last one.
        overwrite: replace the file.

    Raises ImpastoError if an optional package is not installed, ``out`` exists or has another suffix, the format cannot
    express the network, or the outputs differ; no file is written then.
    """
    out = user_path(out)
    chosen = FORMATS.get(out.suffix)
    if chosen is None:
        raise ImpastoError(f"{out} has no suffix of a format: it must end in {', '.join(FORMATS)}.")
    if precision not in chosen.precisions:
        raise ImpastoError(f"{out.suffix} files are not written in {precision}: use {' or '.join(chosen.precisions)}.")
    for module, extra in chosen.requires:
        require(module, extra)
    files = [out, *(out.with_suffix(suffix) for suffix in chosen.companions)]
    for file in files:
        require_free(file, file=True, overwrite=overwrite)
    loaded = Style.load(style)
    for file in files:
        reserve(file, file=True, overwrite=overwrite)
    with ExitStack() as stack:
        parts = [stack.enter_context(atomic_write(file)) for file in files]
        chosen.write(loaded, precision, *parts)
        errors = np.concatenate([error.ravel() for error in _differences(loaded, chosen.open(*parts))])
        megabytes = sum(part.stat().st_size for part in parts) / 1e6
        found = Exported(chosen.runtime, float(errors.max()), float(errors.mean()), megabytes)
        if not found.largest <= TOLERANCES[precision]:
            raise ImpastoError(
                f"{found.runtime} differs from PyTorch by up to {found.largest:.2f} grey levels, more than "
                f"{TOLERANCES[precision]}: {out} was not written."
            )
    return found


def _differences(style: Style, run: Run) -> Iterator[NDArray[np.float32]]:
    """Yield the absolute differences between a runtime and PyTorch for some inputs, in grey levels."""
    for batch in _inputs(style):
        found = run(batch)
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
