"""Residual generator of Johnson et al. 2016 (arXiv:1603.08155), as in CycleGAN (Zhu et al. 2017,
arXiv:1703.10593)."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import GENERATORS
from impasto.config.types import Positive, Width
from impasto.networks.layers import (
    Activation,
    Convolution,
    Down,
    Norm,
    Padding,
    Up,
    activation,
    downsample,
    initialise,
    norm,
    pad,
    padded_convolution,
    upsample,
)


class Block(nn.Module):
    """Residual block of two 3×3 convolutions on maps (B, C, H, W), both sides at least 2, without activation after the
    sum."""

    def __init__(self, width: int, norm_name: str, activation_name: str, padding: Padding = "reflect") -> None:
        super().__init__()
        bias = norm_name == "none"
        self.layers = nn.Sequential(
            padded_convolution(width, padding, bias=bias),
            norm(norm_name, width),
            activation(activation_name),
            padded_convolution(width, padding, bias=bias),
            norm(norm_name, width),
        )

    def forward(self, maps: Tensor) -> Tensor:
        change: Tensor = self.layers(maps)
        return maps + change


@GENERATORS.register("resnet")
class Generator(nn.Module):
    """Images (B, 3, H, W) of any size in −1…1 to images of the same shape and range.

    A 7×7 convolution to ``width`` channels, two downsamplings that double them, ``blocks`` residual blocks, two
    upsamplings, a 7×7 convolution to RGB, tanh. With ``residual`` the output is a residual on the input x,
    tanh(atanh(0.98 x) + r), with r near zero at initialisation. ``padding`` is that of the residual blocks
    (``padding_type`` in CycleGAN's code); the 7×7 convolutions pad by reflection.
    ValueError for an unknown ``norm``, ``activation``, ``down`` or ``up`` (see ``layers``).
    """

    supports_bfloat16: ClassVar[bool] = True  #: its convolutions may run in bfloat16 at inference

    def __init__(
        self,
        width: Width,
        blocks: Annotated[int, Field(ge=0, le=64)],
        norm: Norm,
        activation: Activation,
        down: Down,
        up: Up,
        residual: bool,
        init_std: Positive,
        padding: Padding = "reflect",
    ) -> None:
        super().__init__()
        self.residual = residual
        self.stem = nn.Sequential(
            Convolution(3, width, 7, padding=3, padding_mode="reflect", bias=norm == "none"),
            *_norm_act(norm, activation, width),
        )
        self.downs = nn.ModuleList(
            downsample(down, w, 2 * w, *_norm_act(norm, activation, 2 * w), bias=norm == "none")
            for w in (width, 2 * width)
        )  # (B, 2·width, H/2, W/2), (B, 4·width, H/4, W/4)
        self.blocks = nn.ModuleList(Block(4 * width, norm, activation, padding) for _ in range(blocks))
        self.ups = nn.Sequential(
            *(upsample(up, 2 * w, w, *_norm_act(norm, activation, w), bias=norm == "none") for w in (2 * width, width))
        )
        self.colours = Convolution(width, 3, 7, padding=3, padding_mode="reflect")
        initialise(self, init_std)
        if residual:
            nn.init.normal_(self.colours.weight, 0.0, init_std / 100)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        maps = self.stem(_pad(images))
        for layer in (*self.downs, *self.blocks):
            maps = layer(maps)
        output: Tensor = self.colours(self.ups(maps))[..., :height, :width]
        if self.residual:
            # Resampled inputs may overshoot −1…1 a little, where atanh is undefined.
            output = output + torch.atanh(0.98 * images.clamp(-1, 1))
        return torch.tanh(output)

    def features(self, images: Tensor) -> list[Tensor]:
        """Return encoder features of images (B, 3, H, W) for PatchNCE (CUT: Park et al. 2020, arXiv:2007.15651): the
        images, the maps after each downsampling, after the first residual block and after the middle one. These are
        five maps, fewer with less than two blocks. Later layers are not computed."""
        maps = self.stem(_pad(images))
        taps = [images]
        for down in self.downs:
            maps = down(maps)
            taps.append(maps)
        middle = len(self.blocks) // 2
        for index, block in enumerate(self.blocks[: middle + 1]):
            maps = block(maps)
            if index in (0, middle):
                taps.append(maps)
        return taps


def _norm_act(norm_name: str, activation_name: str, channels: int) -> tuple[nn.Module, nn.Module]:
    return norm(norm_name, channels), activation(activation_name)


def _pad(images: Tensor) -> Tensor:
    # Two downsamplings leave 2 of 8 pixels, the minimum for the reflection padding of a residual block.
    return pad(images, multiple=4, minimum=8)
