"""The residual painter of Johnson et al. 2016 (arXiv:1603.08155), as CycleGAN has it (Zhu et al. 2017,
arXiv:1703.10593)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import GENERATORS
from impasto.config.types import Positive, Width
from impasto.networks.layers import Activation, Down, Norm, Up, activation, downsample, initialise, norm, pad, upsample


class Block(nn.Module):
    """Maps (B, C, H, W), both sides from 2 up, and what two 3×3 convolutions add to them; nothing follows the sum."""

    def __init__(self, width: int, norm_name: str, activation_name: str) -> None:
        super().__init__()
        bias = norm_name == "none"
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect", bias=bias),
            norm(norm_name, width),
            activation(activation_name),
            nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect", bias=bias),
            norm(norm_name, width),
        )

    def forward(self, maps: Tensor) -> Tensor:
        added: Tensor = self.layers(maps)
        return maps + added


@GENERATORS.register("resnet")
class Generator(nn.Module):
    """Pictures (B, 3, H, W) of any size in −1…1 to pictures of the same shape and range.

    A 7×7 convolution to ``width`` channels, two downsamplings that double them, ``blocks`` residual blocks, two
    upsamplings, a 7×7 convolution to colours, tanh. With ``residual`` the network paints over the photo instead of
    painting it anew, tanh(atanh(0.98 · photo) + r), and begins with r near zero: at the photo itself.
    ValueError for an unknown ``norm``, ``activation``, ``down`` or ``up`` (see ``layers``).
    """

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
    ) -> None:
        super().__init__()
        self.residual = residual
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, padding=3, padding_mode="reflect", bias=norm == "none"),
            *_after(norm, activation, width),
        )
        self.downs = nn.ModuleList(
            downsample(down, w, 2 * w, *_after(norm, activation, 2 * w), bias=norm == "none")
            for w in (width, 2 * width)
        )  # (B, 2·width, H/2, W/2), (B, 4·width, H/4, W/4)
        self.blocks = nn.ModuleList(Block(4 * width, norm, activation) for _ in range(blocks))
        self.ups = nn.Sequential(
            *(upsample(up, 2 * w, w, *_after(norm, activation, w), bias=norm == "none") for w in (2 * width, width))
        )
        self.colours = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")
        initialise(self, init_std)
        if residual:
            nn.init.normal_(self.colours.weight, 0.0, init_std / 100)

    def forward(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[-2:]
        maps = self.stem(_padded(pictures))
        for layer in (*self.downs, *self.blocks):
            maps = layer(maps)
        painted: Tensor = self.colours(self.ups(maps))[..., :height, :width]
        if self.residual:
            # A resized photo may overshoot the range a little, where atanh has no value.
            painted = painted + torch.atanh(0.98 * pictures.clamp(-1, 1))
        return torch.tanh(painted)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """What the encoder makes of pictures (B, 3, H, W), for PatchNCE (CUT: Park et al. 2020, arXiv:2007.15651): the
        pictures, the maps after each downsampling, after the first residual block and after the middle one. Five maps;
        fewer with less than two blocks. Nothing behind the last one is computed."""
        maps = self.stem(_padded(pictures))
        taps = [pictures]
        for down in self.downs:
            maps = down(maps)
            taps.append(maps)
        middle = len(self.blocks) // 2
        for index, block in enumerate(self.blocks[: middle + 1]):
            maps = block(maps)
            if index in (0, middle):
                taps.append(maps)
        return taps


def _after(norm_name: str, activation_name: str, channels: int) -> tuple[nn.Module, nn.Module]:
    return norm(norm_name, channels), activation(activation_name)


def _padded(pictures: Tensor) -> Tensor:
    # Two halvings leave 2 of 8 pixels: the least that a residual block can reflect.
    return pad(pictures, multiple=4, least=8)
