"""R3GAN (Huang, Gokaslan, Kuleshov & Tompkin 2024, "The GAN is dead; long live the GAN!", arXiv:2501.05441): a modern
GAN baseline without tricks.

Generator and discriminator are mirrored residual networks: inverted bottlenecks with grouped convolutions, LeakyReLU,
no normalisation, and Fixup initialisation (Zhang, Dauphin & Ma 2019, arXiv:1901.09321). Training is stable through the
loss: relativistic, with R1 and R2 penalties.
"""

import math
from itertools import pairwise
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import DISCRIMINATORS, GENERATORS
from impasto.config.types import Width
from impasto.networks.state_dict import rename_keys

GROUP_WIDTH = 16  #: channels per group of the grouped convolutions
EXPANSION = 2  #: channels inside a block, as a multiple of those outside
SLOPE = 0.2
LAYERS = 3  #: convolutions of a block


def _widths(size: int, width: int, max_width: int) -> list[int]:
    """Return the channels at 4×4, 8×8, … size: ``width`` at the largest map, doubled at each halving up to
    ``max_width``."""
    return [min(width << k, max_width) for k in reversed(range(size.bit_length() - 2))]


class _Block(nn.Module):
    """Residual block on maps (B, C, H, W), the identity at initialisation."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        inner = EXPANSION * channels
        self.widen = nn.Conv2d(channels, inner, 1)
        self.mix = nn.Conv2d(inner, inner, 3, padding=1, groups=max(inner // GROUP_WIDTH, 1))
        self.narrow = nn.Conv2d(inner, channels, 1, bias=False)
        for layer in (self.widen, self.mix):
            _initialise(layer, blocks ** (-1 / (2 * LAYERS - 2)))
        nn.init.zeros_(self.narrow.weight)

    def forward(self, maps: Tensor) -> Tensor:
        inner = F.leaky_relu(self.widen(maps), SLOPE)
        inner = F.leaky_relu(self.mix(inner), SLOPE)
        output: Tensor = maps + self.narrow(inner)
        return output


def _initialise(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> None:
    """Initialise with Kaiming's deviation (He et al. 2015) for LeakyReLU, times ``gain``; biases 0."""
    deviation = math.sqrt(2 / (1 + SLOPE**2) / (layer.weight[0].numel()))
    nn.init.normal_(layer.weight, 0.0, gain * deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _match_channels(before: int, after: int) -> nn.Module:
    """Return a linear 1×1 convolution of gain 1 where the number of channels changes, else the identity."""
    if before == after:
        return nn.Identity()
    layer = nn.Conv2d(before, after, 1, bias=False)
    nn.init.normal_(layer.weight, 0.0, before**-0.5)
    return layer


@GENERATORS.register("r3gan")
class Generator(nn.Module):
    """Latents (B, latent) to images (B, 3, size, size) in about −1…1, unbounded.

    The latent scales the channels of a learned 4×4 map; ``blocks`` residual blocks follow at each resolution.
    """

    def __init__(
        self, size: int, latent: int, width: Width, max_width: Width, blocks: Annotated[int, Field(ge=1, le=16)]
    ) -> None:
        super().__init__()
        widths = _widths(size, width, max_width)
        total = blocks * len(widths)
        self.basis = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.scale = nn.Linear(latent, widths[0], bias=False)
        nn.init.normal_(self.scale.weight, 0.0, latent**-0.5)
        self.stages = nn.ModuleList(nn.Sequential(*(_Block(each, total) for _ in range(blocks))) for each in widths)
        self.matches = nn.ModuleList(_match_channels(before, after) for before, after in pairwise(widths))
        self.finish = nn.Conv2d(widths[-1], 3, 1, bias=False)
        nn.init.normal_(self.finish.weight, 0.0, widths[-1] ** -0.5)

    def forward(self, latents: Tensor) -> Tensor:
        maps = self.stages[0](self.basis * self.scale(latents)[:, :, None, None])  # (B, C, 4, 4)
        for match, stage in zip(self.matches, self.stages[1:], strict=True):
            maps = stage(F.interpolate(match(maps), scale_factor=2, mode="bilinear"))
        images: Tensor = self.finish(maps)
        return images


@DISCRIMINATORS.register("r3gan")
class Discriminator(nn.Module):
    """Images (B, 3, size, size) in −1…1 to logits (B,), higher for real: the mirrored generator."""

    def __init__(self, size: int, width: Width, max_width: Width, blocks: Annotated[int, Field(ge=1, le=16)]) -> None:
        super().__init__()
        widths = _widths(size, width, max_width)[::-1]
        total = blocks * len(widths)
        self.begin = nn.Conv2d(3, widths[0], 1)
        _initialise(self.begin)
        self.stages = nn.ModuleList(nn.Sequential(*(_Block(each, total) for _ in range(blocks))) for each in widths)
        self.matches = nn.ModuleList(_match_channels(before, after) for before, after in pairwise(widths))
        # A depthwise 4×4 convolution, written as a product and a sum: torch computes the second derivative of grouped
        # convolutions channel by channel.
        self.gather = nn.Parameter(torch.randn(widths[-1], 4, 4) / 4)
        self.head = nn.Linear(widths[-1], 1, bias=False)
        nn.init.normal_(self.head.weight, 0.0, widths[-1] ** -0.5)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stages[0](self.begin(images))
        for match, stage in zip(self.matches, self.stages[1:], strict=True):
            maps = stage(match(F.avg_pool2d(maps, 2)))
        logits: Tensor = self.head((maps * self.gather).sum((2, 3)))
        return logits.squeeze(1)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        rename_keys(state, prefix, {"judge.": "head."})
        super()._load_from_state_dict(state, prefix, *args)
