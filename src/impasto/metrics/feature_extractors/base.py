"""The contract of a feature network, and shared helpers."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from impasto.config.registries import FEATURE_EXTRACTORS as FEATURE_EXTRACTORS
from impasto.device import choose_precision


class FeatureExtractor(ABC):
    """A fixed pretrained network that maps each image to one vector.

    Computes without gradients, in bfloat16 where the device is faster with it and in float32 elsewhere, unless
    ``precision`` (``auto``, ``bf16``, ``fp32``) is given; pools, and returns, float32. The features of an image do not
    depend on the rest of the batch, up to rounding. The caller chooses the batch size.
    """

    name: str  #: that it is registered under; a network with other weights than the published ones appends to it
    dimension: ClassVar[int]
    #: Architecture and training data in one word, such as ``efficientnet``: networks that are trained against features
    #: of this family are not scored by it.
    family: ClassVar[str] = ""
    #: Whether the weights are part of an installed package, so that no file may be given.
    installed: ClassVar[bool] = True
    #: Increase whenever the same images and weights give other features than before.
    version: ClassVar[int] = 1

    #: Cache key: weights, precision and version.
    identity: str

    def __init__(self, device: torch.device, weights: Path | None = None, precision: str = "auto") -> None:
        self.device = device
        self.dtype = torch.bfloat16 if choose_precision(precision, device) == "bf16-mixed" else torch.float32

    @abstractmethod
    def features(self, pixels: Tensor) -> Tensor:
        """Map uint8 images (B, S, S, 3), S ≥ 16, on any device to float32 (B, dimension) on the network's device."""

    def probabilities(self, features: Tensor) -> Tensor | None:
        """Map float features (N, dimension) to class probabilities (N, classes); None without a classifier."""
        return None

    def _identify(self, digest: str) -> None:
        precision = "bf16" if self.dtype == torch.bfloat16 else "fp32"
        self.identity = f"{self.name}-v{self.version}-{digest[:12]}-{precision}-{self.device.type}"

    def _freeze(self, module: nn.Module) -> None:
        """Move a module to device, precision and memory format, in evaluation mode and without gradients."""
        module.requires_grad_(False).eval()
        module.to(self.device, self.dtype)
        for parameter in module.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def _planes(self, pixels: Tensor, side: int | None = None) -> Tensor:
        """Return images as float32 (B, 3, S, S) in 0…255 on the device, resized to ``side`` by antialiased bicubic."""
        # MPS lacks this resize in some supported versions of torch.
        device = torch.device("cpu") if side and self.device.type == "mps" else self.device
        planes = pixels.to(device).permute(0, 3, 1, 2).float()
        if side and planes.shape[-2:] != (side, side):
            planes = F.interpolate(planes, (side, side), mode="bicubic", antialias=True).clamp_(0, 255)
        return planes.to(self.device)


def fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Return a convolution with its batch normalisation folded in."""
    return fuse_conv_bn_eval(convolution.eval(), norm.eval())


def pooled(maps: Tensor) -> Tensor:
    """Return spatial means of maps (B, C, H, W), accumulated in float32: (B, C)."""
    return maps.mean((2, 3), dtype=torch.float32)
