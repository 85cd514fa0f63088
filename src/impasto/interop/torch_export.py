"""Networks as PyTorch programs (``torch.export``), which run without impasto."""

import warnings
from pathlib import Path

import torch
from torch.fx.experimental import _config as fx_config

from impasto.errors import ImpastoError
from impasto.interop.exported_network import Run, half_precision, traced_input
from impasto.style import Style

#: Without this, which newer versions of torch have, layouts that some sizes have are guarded against, such as that of a
#: crop that cuts nothing off.
SETTINGS = {"backed_size_oblivious": True} if hasattr(fx_config, "backed_size_oblivious") else {}


def write(style: Style, precision: str, path: Path) -> None:
    """Write a program with its style's card in the extra file ``impasto.json``.

    Raises ImpastoError if the network cannot be traced.
    """
    _, example, sizes = traced_input(style)
    network = half_precision(style.network) if precision == "float16" else style.network
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch itself, about its own formats
        try:
            with fx_config.patch(SETTINGS):  # type: ignore[attr-defined]
                program = torch.export.export(network, (example,), dynamic_shapes=(sizes,))
        except (torch._dynamo.exc.TorchDynamoException, RuntimeError, ValueError) as error:
            raise ImpastoError("The network of this style cannot be exported by torch.export.") from error
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # with paths of this computer
        with path.open("wb") as file:
            torch.export.save(program, file, extra_files={"impasto.json": style.card.model_dump_json()})


def open_network(path: Path) -> Run:
    """Return the function that the program computes on the CPU."""
    with warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")
        network = torch.export.load(file).module()
    return lambda batch: network(batch).detach().numpy()
