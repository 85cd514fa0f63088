"""A discriminator that looks through networks trained on photographs.

Sauer et al. 2021, "Projected GANs Converge Faster" (arXiv:2111.01007): feature maps of a fixed EfficientNet-Lite at
four sizes, their channels mixed at random, then each size into the next larger one (section 3.2, cross-channel and
cross-scale mixing), and a small head on each. Such maps show what people see more than pixels do, which teaches within
minutes. A second backbone contradicts what pleases the first one alone. What no backbone sees, a checkerboard of
pixels, a last head on the pixels themselves does.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from impasto.config.registries import DISCRIMINATORS
from impasto.config.types import Width
from impasto.networks.pretrained.efficientnet import CHANNELS, Stages

#: The least side of the part that the head on the pixels looks at.
CROP = 64


#: The fixed networks that it can use.
Backbone = Literal["lite0", "lite1"]


@DISCRIMINATORS.register("projected")
class Discriminator(nn.Module):
    """Pictures (B, 3, H, W) in −1…1, H and W at least 32, to logits (B, heads, ⌈H/4⌉, ⌈W/4⌉), above 0 for real.

    ``width`` channels are mixed of each stage of each of the ``backbones``; the head on the pixels begins with
    ``pixels`` channels and is left out with 0. Each head has an equal weight in a mean: the smaller maps' logits are
    repeated.
    """

    feature_family: ClassVar[str] = "efficientnet"
    sees_plain: ClassVar[bool] = True  #: whether it is also given pictures as they are before augmentation

    def __init__(
        self,
        width: Width,
        pixels: Annotated[int, Field(ge=0, le=512)],
        backbones: Annotated[tuple[Backbone, ...], Field(min_length=1)] = ("lite1",),
    ) -> None:
        super().__init__()
        self.views = nn.ModuleList(Projection(backbone, width) for backbone in backbones)
        self.pixels = _pixel_head(pixels) if pixels else None

    def forward(self, pictures: Tensor, plain: Tensor | None = None) -> Tensor:
        """``plain`` are the same pictures before augmentation, for the head on the pixels: resampling hides a
        checkerboard."""
        logits = [each for view in self.views for each in view(pictures)]
        size = logits[0].shape[-2:]
        if self.pixels is not None:
            logits.append(self.pixels(pictures if plain is None else _crop(plain)))
        return torch.cat([F.interpolate(each.float(), size=size, mode="nearest") for each in logits], 1)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in list(state):  # as it was called when there was one backbone
            if name.startswith(prefix) and name[len(prefix) :].startswith(("mix", "blend", "heads.")):
                state[f"{prefix}views.0.{name[len(prefix) :]}"] = state.pop(name)
        super()._load_from_state_dict(state, prefix, *args)


class Projection(nn.Module):
    """One backbone and its heads: pictures (B, 3, H, W) to logits (B, 1, h, w) at 1/4, 1/8, 1/16 and 1/32 of the
    size."""

    def __init__(self, backbone: str, width: int) -> None:
        super().__init__()
        self._stages = (Stages(backbone),)  # in a tuple: fixed, so neither parameters nor part of a checkpoint
        for level, channels in enumerate(CHANNELS):
            self.register_buffer(f"mix{level}", _random(width, channels, 1))
            self.register_buffer(f"blend{level}", _random(width, width, 3))
        self.heads = nn.ModuleList(_head(width) for _ in CHANNELS)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        stages: list[Tensor] = self._stages[0](pictures)
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


def _crop(pictures: Tensor) -> Tensor:
    """A part at random, half as wide and high where that is at least :data:`CROP`: enough for patches of 20 pixels."""
    for dim in (2, 3):
        side = pictures.shape[dim]
        kept = max(side // 2, min(side, CROP))
        first = torch.randint(side - kept + 1, (1,), device=pictures.device)
        pictures = pictures.index_select(dim, first + torch.arange(kept, device=pictures.device))
    return pictures


def _random(out: int, into: int, side: int) -> Tensor:
    return nn.init.kaiming_normal_(torch.empty(out, into, side, side), nonlinearity="linear")


def _head(width: int) -> nn.Module:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(0.2, inplace=True),
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(0.2, inplace=True),
        spectral_norm(nn.Conv2d(width, 1, 1)),
    )


def _pixel_head(width: int) -> nn.Module:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(3, width, 3, padding=1)),
        nn.LeakyReLU(0.2, inplace=True),
        spectral_norm(nn.Conv2d(width, width, 4, 2, 1)),  # (B, W, H/2, W/2)
        nn.LeakyReLU(0.2, inplace=True),
        spectral_norm(nn.Conv2d(width, 2 * width, 4, 2, 1)),
        nn.LeakyReLU(0.2, inplace=True),
        spectral_norm(nn.Conv2d(2 * width, 1, 3, padding=1)),
    )
