"""The contract of a feature network, and what all of them share."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from impasto.device import choose_precision


class FeatureExtractor(ABC):
    """A fixed, trained network that turns each picture into one vector.

    It computes without gradients, in bfloat16 where the device gains by that and in float32 elsewhere, unless
    ``precision`` (``auto``, ``bf16``, ``fp32``) says otherwise; it pools, and answers, in float32. The features of a
    picture do not depend on its companions in the batch, up to rounding. How many fit into a batch is the caller's
    affair.
    """

    name: str
    dimension: ClassVar[int]
    #: Whether the weights come with a package that impasto installs, so that no file may be given.
    installed: ClassVar[bool] = True
    #: To be counted up whenever the same pictures and weights give other features than before.
    version: ClassVar[int] = 1

    #: Names the weights, the precision and the way of computing: features of equal identity are the same features.
    identity: str

    def __init__(self, device: torch.device, weights: Path | None = None, precision: str = "auto") -> None:
        self.device = device
        self.dtype = torch.bfloat16 if choose_precision(precision, device) == "bf16-mixed" else torch.float32

    @abstractmethod
    def features(self, pixels: Tensor) -> Tensor:
        """Of uint8 pictures (B, S, S, 3), S ≥ 16, on any device: float32 (B, dimension) on the network's device."""

    def probabilities(self, features: Tensor) -> Tensor | None:
        """Of float features (N, dimension): (N, classes), each row a distribution; None without a classifier."""
        return None

    def _identify(self, digest: str) -> None:
        precision = "bf16" if self.dtype == torch.bfloat16 else "fp32"
        self.identity = f"{self.name}-v{self.version}-{digest[:12]}-{precision}-{self.device.type}"

    def _settle(self, module: nn.Module) -> None:
        """Brings a module to where and how it computes; nothing in it changes, or is differentiated, any more."""
        module.requires_grad_(False).eval()
        module.to(self.device, self.dtype)
        for parameter in module.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def _planes(self, pixels: Tensor, side: int | None = None) -> Tensor:
        """Pictures as float32 (B, 3, S, S) in 0…255 on the device, resized to ``side`` by antialiased bicubic."""
        # MPS cannot resize so in every torch that we support.
        device = torch.device("cpu") if side and self.device.type == "mps" else self.device
        planes = pixels.to(device).permute(0, 3, 1, 2).float()
        if side and planes.shape[-2:] != (side, side):
            planes = F.interpolate(planes, (side, side), mode="bicubic", antialias=True).clamp_(0, 255)
        return planes.to(self.device)


def fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that does what a convolution and its settled batch normalisation do."""
    return fuse_conv_bn_eval(convolution.eval(), norm.eval())


def pooled(maps: Tensor) -> Tensor:
    """Spatial means of maps (B, C, H, W), summed in float32: (B, C)."""
    return maps.mean((2, 3), dtype=torch.float32)
