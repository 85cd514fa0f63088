"""FastGAN (Liu, Zhu, Song & Elgammal 2021, arXiv:2101.04775): a GAN for few pictures and few hours.

The generator's large maps are gated by its small ones (skip-layer excitation, section 3.1), which spreads what is
learned at 4×4 through all sizes at the cost of a few numbers. The discriminator must be able to draw again what it sees
(section 3.2), so that it looks at the picture rather than learning few pictures by heart.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config.registries import DISCRIMINATORS, GENERATORS
from impasto.config.types import Width
from impasto.networks.layers import constrain, initialise

INIT_STD = 0.02
#: Channels of the maps of each side, in those of the map of 128 (from the figures of the paper's models).
SHARES = {4: 16.0, 8: 8.0, 16: 4.0, 32: 2.0, 64: 2.0, 128: 1.0, 256: 0.5, 512: 0.25, 1024: 0.125}
#: A map is gated by the one a sixteenth of its side, if that is at least 4.
REACH = 16
#: Side of the map that the discriminator judges by, and that pictures are drawn again from.
SEEN = 8
#: Largest side of what is drawn again.
DRAWN = 128


def _channels(side: int, width: int) -> int:
    return max(int(SHARES[side] * width), 4)


class Excitation(nn.Module):
    """Scales the channels of large maps (B, ``large``, H, W) by what small ones (B, ``small``, h, w) show: equation 1.

    Squeezed to 4×4, then two convolutions down to a number in 0…1 for each channel.
    """

    def __init__(self, small: int, large: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(4),
            nn.Conv2d(small, large, 4),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(large, large, 1),
            nn.Sigmoid(),
        )

    def forward(self, small: Tensor, large: Tensor) -> Tensor:
        gated: Tensor = large * self.gate(small)
        return gated


def _up(before: int, after: int) -> nn.Sequential:
    """Maps (B, ``before``, H, W) to (B, ``after``, 2H, 2W)."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), *_convolved(before, after))


def _convolved(before: int, after: int) -> list[nn.Module]:
    """3×3, normalised over the batch, half of the channels gating the other half."""
    return [nn.Conv2d(before, 2 * after, 3, padding=1, bias=False), nn.BatchNorm2d(2 * after), nn.GLU(dim=1)]


@GENERATORS.register("fastgan")
class Generator(nn.Module):
    """Latents (B, latent) to pictures (B, 3, size, size) in −1…1, ``width`` channels wide at 128×128.

    Without the noise that is added to the maps elsewhere: what a latent paints is the same each time. Nor are weights
    divided by their largest singular value: behind each convolution BatchNorm takes their scale out again.
    """

    def __init__(self, size: int, latent: int, width: Width) -> None:
        super().__init__()
        sides = [side for side in SHARES if side <= size]
        channels = {side: _channels(side, width) for side in sides}
        self.begin = nn.Sequential(
            nn.ConvTranspose2d(latent, 2 * channels[4], 4, bias=False),  # (B, 2C, 4, 4)
            nn.BatchNorm2d(2 * channels[4]),
            nn.GLU(dim=1),
        )
        self.grow, self.gates = nn.ModuleDict(), nn.ModuleDict()
        for number, (before, after) in enumerate(pairwise(sides)):
            layers: list[nn.Module] = [*_up(channels[before], channels[after])]
            if number % 2:  # every second size has two convolutions
                layers += _convolved(channels[after], channels[after])
            self.grow[str(after)] = nn.Sequential(*layers)
            if after // REACH >= 4:
                self.gates[str(after)] = Excitation(channels[after // REACH], channels[after])
        self.finish = nn.Conv2d(channels[sides[-1]], 3, 3, padding=1, bias=False)
        initialise(self, INIT_STD)

    def forward(self, latents: Tensor) -> Tensor:
        maps = self._maps(latents)
        return torch.tanh(self.finish(maps[max(maps)]))

    def mix(self, forms: Tensor, manners: Tensor) -> Tensor:
        """The pictures of the latents ``forms`` with the gates of ``manners``: section 4.3, "style mixing"."""
        maps = self._maps(forms, self._maps(manners))
        return torch.tanh(self.finish(maps[max(maps)]))

    def _maps(self, latents: Tensor, gating: Mapping[int, Tensor] | None = None) -> dict[int, Tensor]:
        """By their sides; the gates look at ``gating``, those of other latents, or at these themselves."""
        maps = {4: self.begin(latents[:, :, None, None])}
        for name, grow in self.grow.items():
            side = int(name)
            maps[side] = grow(maps[side // 2])
            if name in self.gates:
                maps[side] = self.gates[name]((gating or maps)[side // REACH], maps[side])
        return maps


class _Down(nn.Module):
    """Maps (B, ``before``, H, W) to (B, ``after``, H/2, W/2): the mean of two ways, one that convolves twice and one
    that averages."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.sharp = nn.Sequential(
            nn.Conv2d(before, after, 4, 2, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.smooth = nn.Sequential(
            nn.AvgPool2d(2),
            nn.Conv2d(before, after, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2, inplace=True),
        )

    def forward(self, maps: Tensor) -> Tensor:
        mean: Tensor = (self.sharp(maps) + self.smooth(maps)) / 2
        return mean


@DISCRIMINATORS.register("fastgan")
class Discriminator(nn.Module):
    """Pictures (B, 3, size, size) in −1…1 to logits (B, 5, 5), above 0 for real; ``width`` channels at 128×128.

    ``reconstruct`` also draws real pictures again, for the loss of section 3.2.
    """

    min_size: ClassVar[int] = 32

    def __init__(self, size: int, width: Width) -> None:
        super().__init__()
        sides = [side for side in reversed(SHARES) if SEEN <= side <= size // 2]
        channels = {side: _channels(side, width) for side in sides}
        self.begin = nn.Sequential(
            nn.Conv2d(3, channels[sides[0]], 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)
        )
        self.down = nn.ModuleList(_Down(channels[before], channels[after]) for before, after in pairwise(sides))
        self.judge = nn.Sequential(
            nn.Conv2d(channels[SEEN], channels[SEEN], 1, bias=False),
            nn.BatchNorm2d(channels[SEEN]),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(channels[SEEN], 1, 4, bias=False),  # (B, 1, 5, 5)
        )
        self.drawn = min(size // 2, DRAWN)
        self.whole = _drawing(channels[SEEN], self.drawn)
        self.part = _drawing(channels[2 * SEEN], self.drawn)
        initialise(self, INIT_STD)
        constrain(self)

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.judge(self._maps(pictures)[1])
        return logits.squeeze(1)

    def reconstruct(self, pictures: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The logits of pictures, and how far they are from what is drawn again: of each the whole from the map of 8×8,
        and one quarter of it, the same of all, from that quarter of the map of 16×16. The mean absolute difference
        stands for the paper's perceptual one, which takes a network larger than this."""
        larger, smaller = self._maps(pictures)
        corner = torch.randint(SEEN + 1, (2,), device=rng.device, generator=rng)  # a row and a column of the larger map
        step = pictures.shape[-1] // (2 * SEEN)  # pixels to a place of it
        seen, shown = _cut(larger, corner, SEEN), _cut(pictures, step * corner, step * SEEN)
        loss = self._apart(self.whole(smaller), pictures) + self._apart(self.part(seen), shown)
        return self.judge(smaller).squeeze(1), loss

    def _maps(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Of 16×16 and of 8×8."""
        maps = [self.begin(pictures)]
        for down in self.down:
            maps.append(down(maps[-1]))
        return maps[-2], maps[-1]

    def _apart(self, drawn: Tensor, pictures: Tensor) -> Tensor:
        return F.l1_loss(drawn.float(), F.adaptive_avg_pool2d(pictures.float(), self.drawn))


def _cut(maps: Tensor, corner: Tensor, side: int) -> Tensor:
    """The square of maps (B, C, H, W) that begins at ``corner``, (2,), which is never looked at: no device waits."""
    across = torch.arange(side, device=maps.device)
    return maps.index_select(2, corner[0] + across).index_select(3, corner[1] + across)


def _drawing(channels: int, side: int) -> nn.Sequential:
    """Maps (B, ``channels``, 8, 8) to pictures (B, 3, side, side) in −1…1."""
    layers: list[nn.Module] = []
    for _ in range((side // SEEN).bit_length() - 1):
        layers.append(_up(channels, channels // 2))
        channels //= 2
    return nn.Sequential(*layers, nn.Conv2d(channels, 3, 3, padding=1, bias=False), nn.Tanh())
