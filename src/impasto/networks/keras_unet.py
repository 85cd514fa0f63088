"""U-Net generator of TensorFlow's tutorials on pix2pix and CycleGAN (after Isola et al. 2017, arXiv:1611.07004), which
the tutorial of Kaggle's "I'm Something of a Painter Myself" trains with instance norm."""

from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import GENERATORS
from impasto.config.types import Fraction, Positive, Width
from impasto.networks.layers import InstanceNorm, Norm, initialise, norm
from impasto.networks.unet import SkipConnections


@GENERATORS.register("keras-unet")
class Generator(SkipConnections):
    """Images (B, 3, H, W) of any size in −1…1 to images of the same shape and range.

    It differs from ``unet`` in this: the innermost map is normalised too, ReLUs come after the normalisation, so that
    skip connections keep their negative values, and ``slope`` of the leaky ReLUs and ``epsilon`` of the norms are
    settings. Of 2^``depth`` pixels the innermost map is one pixel, of which instance norm leaves its shift.
    ValueError for an unknown ``norm`` (see ``layers``).
    """

    def __init__(
        self,
        width: Width,
        max_width: Width,
        depth: Annotated[int, Field(ge=2, le=10)],
        norm: Norm,
        dropout: Fraction,
        slope: Annotated[float, Field(ge=0, le=1)],
        epsilon: Positive,
        init_std: Positive,
    ) -> None:
        super().__init__(depth)
        widths = [min(width << level, max_width) for level in range(depth)]
        for level, (before, after) in enumerate(pairwise([3, *widths])):
            convolution = nn.Conv2d(before, after, 4, 2, 1, bias=False)  # (B, after, H/2, W/2)
            normalised = _norm("none" if level == 0 else norm, after, epsilon)
            self.downs.append(nn.Sequential(convolution, normalised, nn.LeakyReLU(slope)))
        for stage, level in enumerate(reversed(range(1, depth))):
            before = widths[level] if stage == 0 else 2 * widths[level]
            after = widths[level - 1]
            enlarged = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
            dropped = nn.Dropout(dropout if stage < 3 else 0.0)
            self.ups.append(nn.Sequential(enlarged, _norm(norm, after, epsilon), dropped, nn.ReLU()))
        self.ups.append(nn.ConvTranspose2d(2 * widths[0], 3, 4, 2, 1))
        initialise(self, init_std)


class _InstanceNorm(InstanceNorm):
    """Instance normalisation that also takes maps of one pixel, which torch refuses."""

    def forward(self, input: Tensor) -> Tensor:
        if input.shape[-2:] == (1, 1):
            return super().forward(torch.cat([input, input], dim=-1))[..., :1]  # the same mean and deviation
        return super().forward(input)


def _norm(name: str, channels: int, epsilon: float) -> nn.Module:
    if name.startswith("instance"):
        made: nn.Module = _InstanceNorm(channels, affine=name == "instance-affine")
    else:
        made = norm(name, channels)
    if isinstance(made, nn.GroupNorm | nn.BatchNorm2d):
        made.eps = epsilon
    return made
