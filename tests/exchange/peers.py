"""Generators as pytorch-CycleGAN-and-pix2pix and CUT lay them out: the same layers under the same numbers."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]


class Down(nn.Module):
    """CUT's antialiased subsampling."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("filt", (row[:, None] * row / 16).repeat(channels, 1, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        return F.conv2d(F.pad(maps, (1, 1, 1, 1), "reflect"), self.filt, stride=2, groups=maps.shape[1])


class Up(nn.Module):
    """CUT's antialiased enlarging."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("filt", (row[:, None] * row / 16).repeat(channels, 1, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        padded = F.pad(maps, (1, 1, 1, 1), "replicate")
        return F.conv_transpose2d(padded, self.filt, stride=2, padding=2, groups=maps.shape[1])[..., 1:-1, 1:-1]


class ResnetBlock(nn.Module):
    def __init__(self, channels: int, norm: Norm, bias: bool, dropout: bool) -> None:
        super().__init__()
        first = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), norm(channels), nn.ReLU(True)]
        second = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), norm(channels)]
        self.conv_block = nn.Sequential(*first, *([nn.Dropout(0.5)] if dropout else []), *second)

    def forward(self, maps: Tensor) -> Tensor:
        added: Tensor = self.conv_block(maps)
        return maps + added


class Resnet(nn.Module):
    def __init__(
        self, width: int, blocks: int, norm: Norm, bias: bool, dropout: bool, soft_down: bool, soft_up: bool
    ) -> None:
        super().__init__()
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7, bias=bias), norm(width), nn.ReLU(True)]
        for here in (width, 2 * width):
            convolution = nn.Conv2d(here, 2 * here, 3, 1 if soft_down else 2, 1, bias=bias)
            layers += [convolution, norm(2 * here), nn.ReLU(True), *([Down(2 * here)] if soft_down else [])]
        layers += [ResnetBlock(4 * width, norm, bias, dropout) for _ in range(blocks)]
        for here in (2 * width, width):
            if soft_up:
                layers += [Up(2 * here), nn.Conv2d(2 * here, here, 3, 1, 1, bias=bias)]
            else:
                layers += [nn.ConvTranspose2d(2 * here, here, 3, 2, 1, 1, bias=bias)]
            layers += [norm(here), nn.ReLU(True)]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())

    def forward(self, pictures: Tensor) -> Tensor:
        painted: Tensor = self.model(pictures)
        return painted


class UnetBlock(nn.Module):
    """One stage down and up, and all deeper ones in between."""

    def __init__(
        self, outer: int, inner: int, within: nn.Module | None, norm: Norm, bias: bool, dropout: bool, outermost: bool
    ) -> None:
        super().__init__()
        self.outermost = outermost
        down = nn.Conv2d(3 if outermost else outer, inner, 4, 2, 1, bias=bias)
        if outermost:
            up = nn.ConvTranspose2d(2 * inner, 3, 4, 2, 1)
            layers: list[nn.Module] = [down, within or nn.Identity(), nn.ReLU(True), up, nn.Tanh()]
        elif within is None:
            up = nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=bias)
            layers = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True), up, norm(outer)]
        else:
            up = nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1, bias=bias)
            layers = [nn.LeakyReLU(0.2, True), down, norm(inner), within, nn.ReLU(True), up, norm(outer)]
            layers += [nn.Dropout(0.5)] if dropout else []
        self.model = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        painted: Tensor = self.model(maps)
        return painted if self.outermost else torch.cat([maps, painted], 1)


class Unet(nn.Module):
    def __init__(self, width: int, depth: int, norm: Norm, bias: bool, dropout: bool) -> None:
        super().__init__()
        widths = [min(width << level, 8 * width) for level in range(depth)]
        block: UnetBlock | None = None
        for level in reversed(range(1, depth)):
            block = UnetBlock(widths[level - 1], widths[level], block, norm, bias, dropout and level > 3, False)
        self.model = UnetBlock(3, widths[0], block, norm, bias, False, True)

    def forward(self, pictures: Tensor) -> Tensor:
        painted: Tensor = self.model(pictures)
        return painted
