"""What the export formats share: the traced example, half precision, and how an exported network is run."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from impasto.config.recipe import GenerationRecipe
from impasto.inference.precision import convert_module
from impasto.style import Style

#: Runs an exported network: inputs to outputs, both float32.
Run = Callable[[Tensor], NDArray[np.float32]]

#: Size of the traced example, coprime to all strides so that no size is specialised.
TRACE_SIZE = (67, 90)


def traced_input(style: Style) -> tuple[str, Tensor, dict[int, Any]]:
    """Return the name of a network's input, an example of it, and its dynamic sizes."""
    getattr(style.network, "backbone", None)  # load the weights now: they cannot be loaded while tracing
    auto = torch.export.Dim.AUTO
    if isinstance(style.recipe, GenerationRecipe):
        return "latents", torch.zeros(3, style.recipe.latent), {0: auto}
    return "photos", torch.zeros(3, 3, *TRACE_SIZE), {0: auto, 2: auto, 3: auto}


def half_precision(network: nn.Module) -> nn.Module:
    """Return a copy with convolutions, linear layers and norms in float16, except what follows the last convolution:
    near black and white float16 has too few levels."""
    network = copy.deepcopy(network)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            convert_module(module, torch.float16)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            module.half()
    return network
