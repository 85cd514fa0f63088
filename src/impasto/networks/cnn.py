"""Plain convolutional generator and discriminator: the baseline for all other networks."""

from itertools import pairwise
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import DISCRIMINATORS, GENERATORS
from impasto.config.types import Positive, Width
from impasto.networks.layers import Activation, Norm, activation, initialise, norm, pad


@GENERATORS.register("cnn")
class Generator(nn.Module):
    """Images (B, 3, H, W) of any size in −1…1 to images of the same shape: ``depth`` 3×3 convolutions at full
    resolution, with norm and activation between them.

    The output has no activation, so values may leave −1…1: clamp them for display.
    ValueError for an unknown ``activation`` or ``norm`` (see ``layers``).
    """

    supports_bfloat16: ClassVar[bool] = True  #: its convolutions may run in bfloat16 at inference

    def __init__(
        self,
        width: Width,
        depth: Annotated[int, Field(ge=2, le=64)],
        activation: Activation,
        norm: Norm,
        init_std: Positive,
    ) -> None:
        super().__init__()
        widths = [3] + [width] * (depth - 1)
        layers = [_stage(before, after, 1, activation, norm) for before, after in pairwise(widths)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 3, 3, 1, 1))
        initialise(self, init_std)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        # Normalisation over positions needs more than one pixel.
        output: Tensor = self.layers(pad(images, multiple=1, minimum=2))
        return output[..., :height, :width]


@DISCRIMINATORS.register("cnn")
class Discriminator(nn.Module):
    """Images (B, 3, H, W) of any size in −1…1 to logits (B,), above 0 for real: ``depth`` 3×3 convolutions of stride 2,
    from ``width`` channels doubled up to eight times, norm (not after the first) and activation, global average
    pooling, a linear layer.

    The sigmoid is part of the loss, which computes it together with the logarithm, without overflow.
    ValueError for an unknown ``activation`` or ``norm`` (see ``layers``).
    """

    def __init__(
        self,
        width: Width,
        depth: Annotated[int, Field(ge=2, le=16)],
        activation: Activation,
        norm: Norm,
        init_std: Positive,
    ) -> None:
        super().__init__()
        widths = [3] + [width << min(level, 3) for level in range(depth)]
        self._min_side = 2 << depth
        self.layers = nn.Sequential(
            *(
                _stage(before, after, 2, activation, norm if level else "none")
                for level, (before, after) in enumerate(pairwise(widths))
            )
        )
        self.logit = nn.Linear(widths[-1], 1)
        initialise(self, init_std)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.layers(pad(images, multiple=1, minimum=self._min_side))  # (B, C, ≥ 2, ≥ 2)
        logits: Tensor = self.logit(maps.mean(dim=(2, 3)))
        return logits.flatten()


def _stage(before: int, after: int, stride: int, activation_name: str, norm_name: str) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, 3, stride, 1, bias=norm_name == "none")
    return nn.Sequential(convolution, norm(norm_name, after), activation(activation_name))
