"""FastGAN (Liu, Zhu, Song & Elgammal 2021, arXiv:2101.04775): a GAN for small data sets and short trainings.

The generator's large feature maps are gated by small ones (skip-layer excitation, section 3.1), which gives gradients a
short path through all resolutions at little cost. The discriminator is also trained as an autoencoder on real images
(section 3.2), a regularisation against overfitting to few images.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config.registries import DISCRIMINATORS, GENERATORS
from impasto.config.types import Width
from impasto.networks.layers import apply_spectral_norm, initialise
from impasto.networks.state_dict import rename_keys

INIT_STD = 0.02
#: Channels of the maps of each side, as multiples of those at 128 (from the figures of the paper's models).
CHANNEL_MULTIPLIERS = {4: 16.0, 8: 8.0, 16: 4.0, 32: 2.0, 64: 2.0, 128: 1.0, 256: 0.5, 512: 0.25, 1024: 0.125}
#: Skip-layer excitation: a map is gated by the one of 1/16 of its side, if that is at least 4.
EXCITATION_RATIO = 16
#: Side of the discriminator's last feature map.
FEATURE_SIDE = 8
#: Largest side of the autoencoder's reconstructions.
MAX_RECONSTRUCTION_SIDE = 128


def _channels(side: int, width: int) -> int:
    return max(int(CHANNEL_MULTIPLIERS[side] * width), 4)


class Excitation(nn.Module):
    """Skip-layer excitation, equation 1: scale the channels of large maps (B, ``large``, H, W) by a gate computed from
    small ones (B, ``small``, h, w).

    The small maps are pooled to 4×4; two convolutions turn them into one number in 0…1 per channel.
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


class Glu(nn.Module):
    """Gated linear unit (Dauphin et al. 2017, arXiv:1612.08083) over channels: maps (B, 2C, H, W) to (B, C, H, W). On a
    CPU the gradient of torch's is never in channels-last, in which a BatchNorm before it is ten times as fast."""

    def forward(self, maps: Tensor) -> Tensor:
        values, gates = maps.chunk(2, 1)
        return values * gates.sigmoid()


def _upsampling_stage(before: int, after: int) -> nn.Sequential:
    """Maps (B, ``before``, H, W) to (B, ``after``, 2H, 2W)."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), *_convolution(before, after))


def _convolution(before: int, after: int) -> list[nn.Module]:
    """3×3 convolution, BatchNorm and GLU."""
    return [nn.Conv2d(before, 2 * after, 3, padding=1, bias=False), nn.BatchNorm2d(2 * after), Glu()]


@GENERATORS.register("fastgan")
class Generator(nn.Module):
    """Latents (B, latent) to images (B, 3, size, size) in −1…1, ``width`` channels wide at 128×128.

    Differences from the paper and its code: there is no noise injection, so the image is a function of the latent.
    There is no spectral normalisation, since the BatchNorm after each convolution removes the scale of its weights.
    There is no second output at 128×128, which only the discriminator's branch for small images needs.
    """

    def __init__(self, size: int, latent: int, width: Width) -> None:
        super().__init__()
        sides = [side for side in CHANNEL_MULTIPLIERS if side <= size]
        channels = {side: _channels(side, width) for side in sides}
        self.begin = nn.Sequential(
            nn.ConvTranspose2d(latent, 2 * channels[4], 4, bias=False),  # (B, 2C, 4, 4)
            nn.BatchNorm2d(2 * channels[4]),
            Glu(),
        )
        self.grow, self.gates = nn.ModuleDict(), nn.ModuleDict()
        for number, (before, after) in enumerate(pairwise(sides)):
            layers: list[nn.Module] = [*_upsampling_stage(channels[before], channels[after])]
            if number % 2:  # every second resolution has two convolutions
                layers += _convolution(channels[after], channels[after])
            self.grow[str(after)] = nn.Sequential(*layers)
            if after // EXCITATION_RATIO >= 4:
                self.gates[str(after)] = Excitation(channels[after // EXCITATION_RATIO], channels[after])
        self.finish = nn.Conv2d(channels[sides[-1]], 3, 3, padding=1, bias=False)
        initialise(self, INIT_STD)

    def forward(self, latents: Tensor) -> Tensor:
        maps = self._maps(latents)
        return torch.tanh(self.finish(maps[max(maps)]))

    def mix(self, structures: Tensor, appearances: Tensor) -> Tensor:
        """Return images (B, 3, size, size) of the latents ``structures`` (B, latent), gated by the maps of
        ``appearances`` (B, latent): style mixing, section 4.3."""
        maps = self._maps(structures, self._maps(appearances))
        return torch.tanh(self.finish(maps[max(maps)]))

    def _maps(self, latents: Tensor, gating: Mapping[int, Tensor] | None = None) -> dict[int, Tensor]:
        """Return all feature maps by their sides, gated by ``gating`` or else by themselves."""
        maps = {4: self.begin(latents[:, :, None, None])}
        for name, grow in self.grow.items():
            side = int(name)
            maps[side] = grow(maps[side // 2])
            if name in self.gates:
                maps[side] = self.gates[name]((gating or maps)[side // EXCITATION_RATIO], maps[side])
        return maps


class _Down(nn.Module):
    """Maps (B, ``before``, H, W) to (B, ``after``, H/2, W/2): the mean of two branches, one of two convolutions, one of
    average pooling and a 1×1 convolution."""

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
    """Images (B, 3, size, size) in −1…1 to logits (B, 5, 5), above 0 for real; ``width`` channels at 128×128.

    :meth:`reconstruct` also returns the autoencoder loss of section 3.2.

    Differences from the paper and its code: there is one head, on the 8×8 map. The authors' code has a second branch,
    with a head of its own, that sees every image at 128×128, and a third decoder for it. There is no skip-layer
    excitation between the discriminator's maps, and reconstructions are compared by L1 (see :meth:`reconstruct`).
    """

    min_size: ClassVar[int] = 32
    normalises_batch: ClassVar[bool] = True

    def __init__(self, size: int, width: Width) -> None:
        super().__init__()
        sides = [side for side in reversed(CHANNEL_MULTIPLIERS) if FEATURE_SIDE <= side <= size // 2]
        channels = {side: _channels(side, width) for side in sides}
        self.begin = nn.Sequential(
            nn.Conv2d(3, channels[sides[0]], 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)
        )
        self.down = nn.ModuleList(_Down(channels[before], channels[after]) for before, after in pairwise(sides))
        self.head = nn.Sequential(
            nn.Conv2d(channels[FEATURE_SIDE], channels[FEATURE_SIDE], 1, bias=False),
            nn.BatchNorm2d(channels[FEATURE_SIDE]),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(channels[FEATURE_SIDE], 1, 4, bias=False),  # (B, 1, 5, 5)
        )
        self.reconstruction_side = min(size // 2, MAX_RECONSTRUCTION_SIDE)
        self.image_decoder = _decoder(channels[FEATURE_SIDE], self.reconstruction_side)
        self.crop_decoder = _decoder(channels[2 * FEATURE_SIDE], self.reconstruction_side)
        initialise(self, INIT_STD)
        apply_spectral_norm(self)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self._maps(images)[1])
        return logits.squeeze(1)

    def reconstruct(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the logits (B, 5, 5) of images and the autoencoder loss, a scalar.

        The whole image is decoded from the 8×8 map, and a random quarter of it, at the same position for the whole
        batch, from the corresponding quarter of the 16×16 map. The distance is L1 instead of the paper's perceptual
        one, which needs a pretrained network.
        """
        larger, smaller = self._maps(images)
        # Row and column of the quarter in the larger map; 1 cell is ``stride`` pixels.
        corner = torch.randint(FEATURE_SIDE + 1, (2,), device=rng.device, generator=rng)
        stride = images.shape[-1] // (2 * FEATURE_SIDE)
        cropped_map = _crop(larger, corner, FEATURE_SIDE)
        cropped_image = _crop(images, stride * corner, stride * FEATURE_SIDE)
        loss = self._distance(self.image_decoder(smaller), images)
        loss = loss + self._distance(self.crop_decoder(cropped_map), cropped_image)
        return self.head(smaller).squeeze(1), loss

    def _maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of 16×16 and of 8×8."""
        maps = [self.begin(images)]
        for down in self.down:
            maps.append(down(maps[-1]))
        return maps[-2], maps[-1]

    def _distance(self, reconstruction: Tensor, images: Tensor) -> Tensor:
        return F.l1_loss(reconstruction.float(), F.adaptive_avg_pool2d(images.float(), self.reconstruction_side))

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        rename_keys(state, prefix, {"judge.": "head.", "whole.": "image_decoder.", "part.": "crop_decoder."})
        super()._load_from_state_dict(state, prefix, *args)


def _crop(maps: Tensor, corner: Tensor, side: int) -> Tensor:
    """Crop a square from maps (B, C, H, W) at ``corner`` (2,), a tensor on the device, without synchronisation."""
    offsets = torch.arange(side, device=maps.device)
    return maps.index_select(2, corner[0] + offsets).index_select(3, corner[1] + offsets)


def _decoder(channels: int, side: int) -> nn.Sequential:
    """Maps (B, ``channels``, 8, 8) to images (B, 3, side, side) in −1…1."""
    layers: list[nn.Module] = []
    for _ in range((side // FEATURE_SIDE).bit_length() - 1):
        layers.append(_upsampling_stage(channels, channels // 2))
        channels //= 2
    return nn.Sequential(*layers, nn.Conv2d(channels, 3, 3, padding=1, bias=False), nn.Tanh())
