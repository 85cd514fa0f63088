"""DCGAN (Radford, Metz & Chintala 2016, arXiv:1511.06434), for image sizes that are powers of two, 16 or more."""

from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from impasto.config.registries import DISCRIMINATORS, GENERATORS
from impasto.config.types import Fraction, Positive, Width
from impasto.networks.layers import initialise


def widths(size: int, width: int, max_width: int) -> list[int]:
    """Return the channels of the maps of 4×4, 8×8, … size/2: ``width`` at the largest, doubled at each halving up to
    ``max_width``."""
    layers = size.bit_length() - 3
    return [min(width << k, max_width) for k in reversed(range(layers))]


def upsampling_stage(before: int, after: int) -> list[nn.Module]:
    """Return the generator's layers from maps (B, ``before``, H, W) to (B, ``after``, 2H, 2W)."""
    return [
        nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]


def downsampling_stage(before: int, after: int, slope: float) -> list[nn.Module]:
    """Return the discriminator's layers from maps (B, ``before``, H, W) to (B, ``after``, H/2, W/2)."""
    return [
        nn.Conv2d(before, after, 4, 2, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.LeakyReLU(slope, inplace=True),
    ]


@GENERATORS.register("dcgan")
class Generator(nn.Module):
    """Latents (B, latent) to images (B, 3, size, size) in −1…1: fractionally strided 4×4 convolutions,
    BatchNorm and ReLU after each but the last, tanh at the end."""

    def __init__(self, size: int, latent: int, width: Width, max_width: Width, init_std: Positive) -> None:
        super().__init__()
        channels = widths(size, width, max_width)
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent, channels[0], 4, 1, 0, bias=False),  # (B, C, 4, 4)
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
        ]
        for before, after in pairwise(channels):
            layers += upsampling_stage(before, after)
        layers += [nn.ConvTranspose2d(channels[-1], 3, 4, 2, 1, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialise(self, init_std)

    def forward(self, latents: Tensor) -> Tensor:
        images: Tensor = self.layers(latents[:, :, None, None])
        return images


@DISCRIMINATORS.register("dcgan")
class Discriminator(nn.Module):
    """Images (B, 3, size, size) in −1…1 to logits (B,), above 0 for real: strided 4×4 convolutions, LeakyReLU,
    BatchNorm after each but the first and the last."""

    normalises_batch: ClassVar[bool] = True

    def __init__(self, size: int, width: Width, max_width: Width, slope: Fraction, init_std: Positive) -> None:
        super().__init__()
        channels = widths(size, width, max_width)[::-1]
        layers: list[nn.Module] = [
            nn.Conv2d(3, channels[0], 4, 2, 1, bias=False),  # (B, C, H/2, W/2)
            nn.LeakyReLU(slope, inplace=True),
        ]
        for before, after in pairwise(channels):
            layers += downsampling_stage(before, after, slope)
        layers.append(nn.Conv2d(channels[-1], 1, 4, 1, 0, bias=False))  # (B, 1, 1, 1)
        self.layers = nn.Sequential(*layers)
        initialise(self, init_std)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits.flatten()
