"""Projected discriminator: pretrained features instead of pixels.

Sauer et al. 2021, "Projected GANs Converge Faster" (arXiv:2111.01007): feature maps of a fixed EfficientNet-Lite at
four resolutions, mixed by fixed random convolutions across channels and across scales (section 3.2), and a small
trained head on each. Differences from the paper: a second backbone makes it harder to fool the first one alone, and a
head on the pixels themselves detects what no backbone does, such as checkerboard artefacts.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import DISCRIMINATORS
from impasto.config.types import Width
from impasto.networks.layers import spectral_norm
from impasto.networks.pretrained.efficientnet import CHANNELS, Stages
from impasto.networks.state_dict import rename_keys

#: Smallest side of the crop for the pixel head.
MIN_CROP = 64

#: Names of the pretrained backbones.
Backbone = Literal["lite0", "lite1"]


@DISCRIMINATORS.register("projected")
class Discriminator(nn.Module):
    """Images (B, 3, H, W) in −1…1, H and W at least 32, to logits (B, heads, ⌈H/4⌉, ⌈W/4⌉), above 0 for real.

    Each stage of each of the ``backbones`` is mixed into ``width`` channels. The pixel head starts with ``pixels``
    channels; 0 leaves it out. The logits of smaller maps are repeated, so that each head has the same weight in a mean.
    """

    feature_family: ClassVar[str] = "efficientnet"
    min_size: ClassVar[int] = 32  #: of the images in training
    takes_unaugmented: ClassVar[bool] = True  #: whether ``forward`` also takes the images before augmentation

    def __init__(
        self,
        width: Width,
        pixels: Annotated[int, Field(ge=0, le=512)],
        backbones: Annotated[tuple[Backbone, ...], Field(min_length=1)] = ("lite1",),
    ) -> None:
        super().__init__()
        self.views = nn.ModuleList(Projection(backbone, width) for backbone in backbones)
        self.pixels = _pixel_head(pixels) if pixels else None

    def forward(self, images: Tensor, unaugmented: Tensor | None = None) -> Tensor:
        """``unaugmented`` are the same images before augmentation, for the pixel head: resampling hides checkerboard
        artefacts."""
        logits = [each for view in self.views for each in view(images)]
        size = logits[0].shape[-2:]
        if self.pixels is not None:
            logits.append(self.pixels(images if unaugmented is None else _random_crop(unaugmented)))
        return torch.cat([F.interpolate(each.float(), size=size, mode="nearest") for each in logits], 1)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        # Names in checkpoints with a single backbone.
        rename_keys(state, prefix, {name: f"views.0.{name}" for name in ("mix", "blend", "heads.")})
        super()._load_from_state_dict(state, prefix, *args)


class Projection(nn.Module):
    """One backbone and its heads: images (B, 3, H, W) to logits (B, 1, h, w) at 1/4, 1/8, 1/16 and 1/32 of the
    size."""

    def __init__(self, backbone: str, width: int) -> None:
        super().__init__()
        self._stages = (Stages(backbone),)  # in a tuple: fixed, so neither parameters nor part of a checkpoint
        for level, channels in enumerate(CHANNELS):
            self.register_buffer(f"mix{level}", _random_kernel(width, channels, 1))
            self.register_buffer(f"blend{level}", _random_kernel(width, width, 3))
        self.heads = nn.ModuleList(_head(width) for _ in CHANNELS)

    def forward(self, images: Tensor) -> list[Tensor]:
        stages: list[Tensor] = self._stages[0](images)
        logits: list[Tensor] = []
        coarser: Tensor | None = None
        for level in reversed(range(len(stages))):
            mixed = F.conv2d(stages[level], self.get_buffer(f"mix{level}"))
            if coarser is not None:
                mixed = mixed + F.interpolate(coarser, size=mixed.shape[-2:], mode="bilinear").to(mixed.dtype)
            coarser = F.conv2d(mixed, self.get_buffer(f"blend{level}"), padding=1)
            logits.append(self.heads[level](coarser))
        return logits[::-1]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Projection":
        self._stages[0]._apply(fn, recurse)  # type: ignore[no-untyped-call]  # to another device or memory format
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


def _random_crop(images: Tensor) -> Tensor:
    """Crop images (B, C, H, W) at a random position, the same for the batch, to half of each side but no less than
    :data:`MIN_CROP` where the image has as many pixels."""
    for dim in (2, 3):
        side = images.shape[dim]
        cropped = max(side // 2, min(side, MIN_CROP))
        first = torch.randint(side - cropped + 1, (1,), device=images.device)
        images = images.index_select(dim, first + torch.arange(cropped, device=images.device))
    return images


def _random_kernel(out_channels: int, in_channels: int, side: int) -> Tensor:
    return nn.init.kaiming_normal_(torch.empty(out_channels, in_channels, side, side), nonlinearity="linear")


def _head(width: int) -> nn.Module:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(0.2, inplace=True),
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(0.2, inplace=True),
        spectral_norm(nn.Conv2d(width, 1, 1)),
    )


def _pixel_head(width: int) -> nn.Module:
    """Patch discriminator with a receptive field of 20 pixels, which fits into every crop."""
    return nn.Sequential(
        spectral_norm(nn.Conv2d(3, width, 3, padding=1)),
        nn.LeakyReLU(0.2, inplace=True),
        spectral_norm(nn.Conv2d(width, width, 4, 2, 1)),  # (B, W, H/2, W/2)
        nn.LeakyReLU(0.2, inplace=True),
        spectral_norm(nn.Conv2d(width, 2 * width, 4, 2, 1)),
        nn.LeakyReLU(0.2, inplace=True),
        spectral_norm(nn.Conv2d(2 * width, 1, 3, padding=1)),
    )
