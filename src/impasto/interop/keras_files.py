"""Read the weights of Keras files (``.h5``, ``.weights.h5``, ``.keras``) with h5py, without TensorFlow and without
running code."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.errors import MALFORMED, ImpastoError, require
from impasto.files import mistaken_download
from impasto.interop.architectures.base import Options
from impasto.networks.checkpoint_reader import MAX_BYTES, MAX_DEPTH, MAX_NAME

#: Longest configuration that is read, in bytes: that of the tutorial's U-Net has 50,000.
MAX_CONFIG = 10_000_000
#: Parts of names that containers add.
CONTAINERS = ("model_weights", "layers", "_layer_checkpoint_dependencies", "vars")
#: Names of a norm's variables in the order in which Keras stores them without names; a norm without running statistics
#: has the first two.
NORM = ("gamma", "beta", "moving_mean", "moving_variance")
#: Other names of these, in TensorFlow's tutorials.
RENAMED = {"scale": "gamma", "offset": "beta"}


def is_keras(file: Path) -> bool:
    """Whether the name is that of a Keras file."""
    return file.suffix in (".h5", ".hdf5", ".keras")


def read_keras(file: Path, options: Options) -> tuple[dict[str, Tensor], Options]:
    """Return the tensors of a Keras file by dotted name (``….kernel``, ``….bias``, ``….gamma``), convolution kernels in
    torch's order, and the options with what its configuration says.

    Raises ImpastoError if it is missing, too large, damaged or of another kind, or h5py is not installed.
    """
    h5py = require("h5py", "keras")
    if not file.is_file():
        raise ImpastoError(f"{file} does not exist; check the path.")
    if reason := mistaken_download(file):
        raise ImpastoError(f"{file} is not a Keras file: {reason}.")
    try:
        weights, config = _content(file)
        with h5py.File(weights, "r") as opened:
            tensors = dict(_tensors(opened, file))
            config = config or _text(opened.attrs.get("model_config", ""))
        return tensors, _configured(options, config)
    except ImpastoError:
        raise
    except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, *MALFORMED) as error:
        raise ImpastoError(f"{file} is not a Keras file, or is damaged: save it again.") from error


def _content(file: Path) -> tuple[Path | io.BytesIO, str]:
    """Return the HDF5 file, or that in a ``.keras`` archive, and the configuration beside it."""
    if not zipfile.is_zipfile(file):
        return file, ""
    with zipfile.ZipFile(file) as archive:
        weights, config = archive.getinfo("model.weights.h5"), archive.getinfo("config.json")
        if weights.file_size > MAX_BYTES or config.file_size > MAX_CONFIG:
            raise ImpastoError(f"{file} is larger than {MAX_BYTES / 1e9:.0f} GB: it is no generator.")
        return io.BytesIO(archive.read(weights)), archive.read(config).decode()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _tensors(opened: Any, file: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of each layer. Links to other files are not followed."""
    layers: dict[tuple[str, ...], dict[str, Any]] = {}
    total = 0
    for path, dataset in _datasets(opened, (), set()):
        total += dataset.nbytes
        if total > MAX_BYTES:
            raise ImpastoError(f"{file} is larger than {MAX_BYTES / 1e9:.0f} GB: it is no generator.")
        *layer, name = (part for part in path if part not in CONTAINERS)
        layers.setdefault(tuple(layer), {})[name.partition(":")[0]] = dataset
    for place, variables in layers.items():
        for name, dataset in _named(variables).items():
            tensor = torch.from_numpy(dataset[()].astype("float32"))
            # (height, width, in, out), or of a transposed convolution (…, out, in), to torch's order of either
            yield ".".join((*place, name)), tensor.permute(3, 2, 0, 1).contiguous() if tensor.ndim == 4 else tensor


def _datasets(group: Any, place: tuple[str, ...], entered: set[int]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the datasets of numbers that lie in this file, by path. A group that several links lead to is entered once;
    ``entered`` has the addresses of those that were."""
    h5py = require("h5py", "keras")
    for name in group:
        here = (*place, name)
        if isinstance(group.get(name, getlink=True), h5py.HardLink) and len(here) < MAX_DEPTH and len(name) < MAX_NAME:
            found = group[name]
            if isinstance(found, h5py.Group):
                # The state of the optimiser and the metrics is no part of the network.
                skipped = place == () and name in ("optimizer", "optimizer_weights", "metrics")
                address = h5py.h5o.get_info(found.id).addr
                if not skipped and address not in entered:
                    entered.add(address)
                    yield from _datasets(found, here, entered)
            elif found.dtype.kind == "f" and found.shape and not found.external and not found.is_virtual:
                yield here, found


def _named(variables: dict[str, Any]) -> dict[str, Any]:
    """Name a layer's variables that are only numbered."""
    if not all(name.isdecimal() for name in variables):
        return {RENAMED.get(name, name): dataset for name, dataset in variables.items()}
    numbered = [variables[name] for name in sorted(variables, key=int)]
    return dict(zip(("kernel", "bias") if len(numbered[0].shape) > 1 else NORM, numbered, strict=False))


def _configured(options: Options, config: str) -> Options:
    """Add the slope of leaky ReLUs and the epsilon of norms to options, if all layers have the same."""
    if not config or len(config) > MAX_CONFIG:
        return options
    slopes, epsilons = set[float](), set[float]()
    waiting = [json.loads(config)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
            kind, settings = str(value.get("class_name", "")), value.get("config")
            if isinstance(settings, dict):
                slope = settings.get("negative_slope", settings.get("alpha"))
                if kind.endswith("LeakyReLU") and slope is not None:
                    slopes |= {float(slope)}
                if kind.endswith("Normalization") and "epsilon" in settings:
                    epsilons |= {float(settings["epsilon"])}
        elif isinstance(value, list):
            waiting += value
    return replace(
        options,
        slope=round(slopes.pop(), 6) if len(slopes) == 1 else None,
        epsilon=epsilons.pop() if len(epsilons) == 1 else None,
    )
