"""A DCGAN that grows: what was learned at a small size is gone on with at twice that size.

Karras, Aila, Laine & Lehtinen 2018, "Progressive Growing of GANs" (arXiv:1710.10196), section 2, with the layers of
DCGAN (Radford, Metz & Chintala 2016, arXiv:1511.06434): fully grown, the networks are DCGAN's of that size.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config.registries import DISCRIMINATORS, GENERATORS
from impasto.config.types import Fraction, Positive, Width
from impasto.networks.dcgan import narrower, wider, widths
from impasto.networks.layers import initialise


class Growing(nn.Module):
    """A network of several stages, each for pictures twice as large as those of the one before.

    ``growth``, a buffer, says how many of them have been added to the first one; its fraction is how far the newest has
    been faded in. A moving average of the weights is one of the growth as well.
    """

    growth: Tensor

    def __init__(self, size: int, start: int) -> None:
        super().__init__()
        self.start, self.most = start, (size // start).bit_length() - 1
        self.register_buffer("growth", torch.zeros(()))
        self._growth = 0.0  # the same, which no device has to be waited for
        self.register_load_state_dict_post_hook(  # type: ignore[no-untyped-call]
            lambda network, _: network.grow(network.growth.item())
        )

    def grow(self, growth: float) -> None:
        """From 0, the first stage alone, to :attr:`most`, all of them."""
        self.growth.fill_(growth)
        self._growth = growth

    @property
    def grown(self) -> float:
        """How far it is."""
        return self._growth if self.training else self.growth.item()

    @property
    def side(self) -> int:
        """Of the pictures that it learns from now."""
        return self.start << self.stage()[0]

    def stage(self) -> tuple[int, float]:
        """The newest stage, and how far it has been faded in, 0…1."""
        stage = min(math.ceil(self.grown), self.most)
        return stage, min(self.grown - stage + 1, 1.0)


@GENERATORS.register("progressive")
class Generator(Growing):
    """Latents (B, latent) to pictures in −1…1: while it learns (B, 3, side, side), as large as its newest stage, and
    then always (B, 3, size, size), enlarged if it is not grown yet."""

    def __init__(self, size: int, latent: int, width: Width, max_width: Width, init_std: Positive, start: int) -> None:
        super().__init__(size, start)
        self.size = size
        channels = widths(size, width, max_width)  # of the maps of 4×4, 8×8, … size/2
        first = len(channels) - self.most
        self.trunk = nn.Sequential(
            nn.ConvTranspose2d(latent, channels[0], 4, 1, 0, bias=False),  # (B, C, 4, 4)
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
            *(layer for before, after in pairwise(channels[:first]) for layer in wider(before, after)),
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*wider(before, after)) for before, after in pairwise(channels[first - 1 :])
        )
        self.heads = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(count, 3, 4, 2, 1, bias=False), nn.Tanh())
            for count in channels[first - 1 :]
        )
        initialise(self, init_std)

    def forward(self, latents: Tensor) -> Tensor:
        newest, faded = self.stage()
        maps = before = self.trunk(latents[:, :, None, None])
        for stage in self.stages[:newest]:
            before, maps = maps, stage(maps)
        pictures: Tensor = self.heads[newest](maps)
        if newest and faded < 1:
            smaller = F.interpolate(self.heads[newest - 1](before), scale_factor=2.0, mode="nearest")
            pictures = torch.lerp(smaller.to(pictures.dtype), pictures, faded)
        if self.training or pictures.shape[-1] == self.size:
            return pictures
        return F.interpolate(pictures, size=(self.size, self.size), mode="bilinear")


@DISCRIMINATORS.register("progressive")
class Discriminator(Growing):
    """Pictures (B, 3, side, side) in −1…1, as large as its newest stage, to logits (B,), above 0 for real."""

    def __init__(
        self, size: int, width: Width, max_width: Width, slope: Fraction, init_std: Positive, start: int
    ) -> None:
        super().__init__(size, start)
        channels = widths(size, width, max_width)
        first = len(channels) - self.most
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(3, count, 4, 2, 1, bias=False), nn.LeakyReLU(slope, inplace=True))
            for count in channels[first - 1 :]
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*narrower(before, after, slope)) for after, before in pairwise(channels[first - 1 :])
        )
        self.trunk = nn.Sequential(
            *(layer for before, after in pairwise(channels[:first][::-1]) for layer in narrower(before, after, slope)),
            nn.Conv2d(channels[0], 1, 4, 1, 0, bias=False),  # (B, 1, 1, 1)
        )
        initialise(self, init_std)

    def forward(self, pictures: Tensor) -> Tensor:
        newest, faded = self.stage()
        maps = self.heads[newest](pictures)
        for stage in reversed(range(newest)):
            maps = self.stages[stage](maps)
            if stage == newest - 1 and faded < 1:
                maps = torch.lerp(self.heads[stage](F.avg_pool2d(pictures, 2)), maps, faded)
        logits: Tensor = self.trunk(maps)
        return logits.flatten()
