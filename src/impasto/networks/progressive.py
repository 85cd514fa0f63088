"""Progressively growing DCGAN.

Karras, Aila, Laine & Lehtinen 2018, "Progressive Growing of GANs" (arXiv:1710.10196), section 2, with the layers of
DCGAN (Radford, Metz & Chintala 2016, arXiv:1511.06434): fully grown, the networks are DCGANs of the full size.
"""

import math
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config.registries import DISCRIMINATORS, GENERATORS
from impasto.config.types import Fraction, Positive, Width
from impasto.networks.dcgan import downsampling_stage, upsampling_stage, widths
from impasto.networks.layers import initialise


class ProgressiveNetwork(nn.Module):
    """A network of several stages, each for images of twice the size of the stage before.

    The buffer ``growth`` is the number of stages added to the first one; its fraction is the fade-in weight α of the
    newest. As a buffer it is part of checkpoints and follows the weights into their moving average.
    """

    growth: Tensor

    def __init__(self, size: int, start: int) -> None:
        super().__init__()
        self.start_size, self.max_growth = start, (size // start).bit_length() - 1
        self.register_buffer("growth", torch.zeros(()))
        self._growth = 0.0  # the same on the host, to read without device synchronisation
        self.register_load_state_dict_post_hook(  # type: ignore[no-untyped-call]
            lambda network, _: network.grow(network.growth.item())
        )

    def grow(self, growth: float) -> None:
        """Set the growth: 0 for the first stage alone, up to :attr:`max_growth` for all stages."""
        self.growth.fill_(growth)
        self._growth = growth

    @property
    def current_growth(self) -> float:
        """The growth, 0…:attr:`max_growth`."""
        return self._growth if self.training else self.growth.item()

    @property
    def image_size(self) -> int:
        """Side of the images of the newest stage."""
        return self.start_size << self.newest_stage()[0]

    def newest_stage(self) -> tuple[int, float]:
        """Return the index of the newest stage and its fade-in weight α, 0…1."""
        stage = min(math.ceil(self.current_growth), self.max_growth)
        return stage, min(self.current_growth - stage + 1, 1.0)


@GENERATORS.register("progressive")
class Generator(ProgressiveNetwork):
    """Latents (B, latent) to images in −1…1.

    In training mode the images have the size of the newest stage; in evaluation mode they are (B, 3, size, size),
    enlarged where the network is not fully grown.
    """

    def __init__(self, size: int, latent: int, width: Width, max_width: Width, init_std: Positive, start: int) -> None:
        super().__init__(size, start)
        self.size = size
        channels = widths(size, width, max_width)  # of the maps of 4×4, 8×8, … size/2
        first = len(channels) - self.max_growth
        self.trunk = nn.Sequential(
            nn.ConvTranspose2d(latent, channels[0], 4, 1, 0, bias=False),  # (B, C, 4, 4)
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
            *(layer for before, after in pairwise(channels[:first]) for layer in upsampling_stage(before, after)),
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*upsampling_stage(before, after)) for before, after in pairwise(channels[first - 1 :])
        )
        self.heads = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(count, 3, 4, 2, 1, bias=False), nn.Tanh())
            for count in channels[first - 1 :]
        )
        initialise(self, init_std)

    def forward(self, latents: Tensor) -> Tensor:
        newest, alpha = self.newest_stage()
        maps = before = self.trunk(latents[:, :, None, None])
        for stage in self.stages[:newest]:
            before, maps = maps, stage(maps)
        images: Tensor = self.heads[newest](maps)
        if newest and alpha < 1:
            smaller = F.interpolate(self.heads[newest - 1](before), scale_factor=2.0, mode="nearest")
            images = torch.lerp(smaller.to(images.dtype), images, alpha)
        if self.training or images.shape[-1] == self.size:
            return images
        return F.interpolate(images, size=(self.size, self.size), mode="bilinear")


@DISCRIMINATORS.register("progressive")
class Discriminator(ProgressiveNetwork):
    """Images (B, 3, S, S) in −1…1, S the size of the newest stage, to logits (B,), above 0 for real."""

    normalises_batch: ClassVar[bool] = True

    def __init__(
        self, size: int, width: Width, max_width: Width, slope: Fraction, init_std: Positive, start: int
    ) -> None:
        super().__init__(size, start)
        channels = widths(size, width, max_width)
        first = len(channels) - self.max_growth
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(3, count, 4, 2, 1, bias=False), nn.LeakyReLU(slope, inplace=True))
            for count in channels[first - 1 :]
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*downsampling_stage(before, after, slope))
            for after, before in pairwise(channels[first - 1 :])
        )
        self.trunk = nn.Sequential(
            *(
                layer
                for before, after in pairwise(channels[:first][::-1])
                for layer in downsampling_stage(before, after, slope)
            ),
            nn.Conv2d(channels[0], 1, 4, 1, 0, bias=False),  # (B, 1, 1, 1)
        )
        initialise(self, init_std)

    def forward(self, images: Tensor) -> Tensor:
        newest, alpha = self.newest_stage()
        maps = self.heads[newest](images)
        for stage in reversed(range(newest)):
            maps = self.stages[stage](maps)
            if stage == newest - 1 and alpha < 1:
                maps = torch.lerp(self.heads[stage](F.avg_pool2d(images, 2)), maps, alpha)
        logits: Tensor = self.trunk(maps)
        return logits.flatten()
