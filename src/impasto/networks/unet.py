"""U-Net generator of pix2pix (Isola et al. 2017, arXiv:1611.07004)."""

from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import GENERATORS
from impasto.config.types import Fraction, Positive, Width
from impasto.networks.layers import Norm, Up, initialise, norm, pad, upsample


class SkipConnections(nn.Module):
    """Encoder and decoder of as many stages, each of which halves or doubles the sides, with skip connections, on
    images (B, 3, H, W) of any size. Subclasses fill ``downs`` and ``ups``."""

    supports_bfloat16: ClassVar[bool] = True  #: its convolutions may run in bfloat16 at inference

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.stride = 1 << depth
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        maps = pad(images, multiple=self.stride, minimum=self.stride)
        skips = []
        for down in self.downs:
            maps = down(maps)
            skips.append(maps)
        skips.pop()
        for up in self.ups:
            maps = up(maps)
            if skips:
                maps = torch.cat([skips.pop(), maps], dim=1)
        return torch.tanh(maps)[..., :height, :width]


@GENERATORS.register("unet")
class Generator(SkipConnections):
    """Images (B, 3, H, W) of any size in −1…1 to images of the same shape and range.

    An encoder of ``depth`` 4×4 convolutions of stride 2, from ``width`` channels doubled up to ``max_width``, and a
    decoder of as many stages with skip connections (section 6.1.1: ``depth`` 8 for 256 pixels). The first three decoder
    stages have dropout with probability ``dropout``, active in training mode only. Sides are padded to multiples of
    2^``depth``, which is costly for small or odd sizes.
    ValueError for an unknown ``norm`` or ``up`` (see ``layers``).
    """

    def __init__(
        self,
        width: Width,
        max_width: Width,
        depth: Annotated[int, Field(ge=2, le=10)],
        norm: Norm,
        dropout: Fraction,
        up: Up,
        init_std: Positive,
    ) -> None:
        super().__init__(depth)
        widths = [min(width << level, max_width) for level in range(depth)]
        for level, (before, after) in enumerate(pairwise([3, *widths])):
            # The innermost map may be a single pixel, which instance normalisation would set to zero.
            self.downs.append(_down(before, after, "none" if level in (0, depth - 1) else norm))
        for stage, level in enumerate(reversed(range(1, depth))):
            before = widths[level] if stage == 0 else 2 * widths[level]
            self.ups.append(_up(up, before, widths[level - 1], norm, dropout if stage < 3 else 0.0))
        self.ups.append(_up(up, widths[0] if depth == 1 else 2 * widths[0], 3, "none", 0.0))
        initialise(self, init_std)


def _down(before: int, after: int, norm_name: str) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, 4, 2, 1, bias=norm_name == "none")  # (B, after, H/2, W/2)
    return nn.Sequential(convolution, norm(norm_name, after), nn.LeakyReLU(0.2, inplace=True))


def _up(name: str, before: int, after: int, norm_name: str, dropout: float) -> nn.Sequential:
    bias = norm_name == "none"
    resize = (
        nn.ConvTranspose2d(before, after, 4, 2, 1, bias=bias)
        if name == "transpose"
        else upsample(name, before, after, bias=bias)
    )
    # Not in place: the innermost maps are the output of an activation that needs it for its gradient.
    return nn.Sequential(nn.ReLU(), resize, norm(norm_name, after), nn.Dropout(dropout))
