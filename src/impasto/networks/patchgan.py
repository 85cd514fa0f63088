"""PatchGAN (Isola et al. 2017, arXiv:1611.07004): a discriminator of overlapping patches."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import DISCRIMINATORS
from impasto.config.types import Fraction, Positive, Width
from impasto.networks.layers import Norm, apply_spectral_norm, initialise, norm, pad


@DISCRIMINATORS.register("patchgan")
class Discriminator(nn.Module):
    """Images (B, 3, H, W) of any size in −1…1 to logits (B, h, w), one per patch, above 0 for real.

    ``layers`` 4×4 convolutions of stride 2, two of stride 1, LeakyReLU between, norm after each but the first and the
    last; from ``width`` channels doubled up to ``max_width``. The receptive field of a logit is 16, 34, 70, 142 or 286
    pixels for 1 to 5 ``layers`` (section 6.1.2: 70). ``spectral`` applies spectral normalisation to all convolutions.
    ValueError for an unknown ``norm`` (see ``layers``).
    """

    def __init__(
        self,
        width: Width,
        max_width: Width,
        layers: Annotated[int, Field(ge=1, le=6)],
        norm: Norm,
        spectral: bool,
        slope: Fraction,
        init_std: Positive,
    ) -> None:
        super().__init__()
        widths = [min(width << level, max_width) for level in range(layers + 1)]
        # Three pixels remain after the strided layers: each of both convolutions of stride 1 takes one.
        self._min_side = 3 << layers
        stages: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.LeakyReLU(slope, inplace=True)]
        for level, (before, after) in enumerate(pairwise(widths), 1):
            stages += _stage(before, after, 2 if level < layers else 1, norm, slope)
        self.layers = nn.Sequential(*stages, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        initialise(self, init_std)
        if spectral:
            apply_spectral_norm(self)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(pad(images, multiple=1, minimum=self._min_side))  # (B, 1, h, w)
        return logits.squeeze(1)


def _stage(before: int, after: int, stride: int, norm_name: str, slope: float) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, 4, stride, 1, bias=norm_name == "none")
    return [convolution, norm(norm_name, after), nn.LeakyReLU(slope, inplace=True)]
