"""Residual translator without normalisation and with injected noise, after EDSR (Lim et al. 2017, arXiv:1707.02921).

The residual blocks work at a quarter of the image size. Differences from EDSR, each against an artefact of translators:

- The output is added to a blurred copy of the photo, so fine detail must be generated and is not copied.
- Noise is injected (Karras et al. 2019, arXiv:1812.04948, section 3.2). Without it, a convolutional network can only
  fill a flat region with a periodic pattern. It is injected after the residual blocks, so it affects texture, not
  content.
- There is no normalisation. Instance normalisation amplifies noise in flat or dark images and makes distant parts of an
  image depend on each other, which rules out tiled inference.

Three convolutions at full resolution follow the last upsampling, and every change of resolution is low-pass filtered
(Zhang 2019, arXiv:1904.11486; Odena et al. 2016), against checkerboard artefacts.
"""

from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import GENERATORS
from impasto.config.types import Width
from impasto.networks.layers import convolution, enlarge, initialise_kaiming
from impasto.networks.noise import noise_like

#: Images are padded to a multiple of this, and by at least this on each side, so that borders look like the interior.
STRIDE = 4


@GENERATORS.register("edsr")
class Generator(nn.Module):
    """Images (B, 3, H, W) in −1…1 to images of the same shape and range, for any H and W."""

    supports_bfloat16: ClassVar[bool] = True  #: its convolutions may run in bfloat16 at inference

    def __init__(self, width: Width, body: Width, blocks: Annotated[int, Field(ge=2, le=64)]) -> None:
        super().__init__()
        self.stem = convolution(3, width, 5)  # (B, W, H, W)
        self.down_half = convolution(width, 2 * width)
        self.down_quarter = convolution(2 * width, body)
        self.body = nn.ModuleList(Residual(body) for _ in range(blocks))
        self.up_half = convolution(body, 2 * width)
        self.skip_half = nn.Conv2d(2 * width, 2 * width, 1)
        self.at_half = convolution(2 * width, 2 * width)
        self.up_full = nn.Conv2d(2 * width, width, 1)
        self.at_full = nn.Sequential(
            convolution(width, width),
            nn.LeakyReLU(0.2, inplace=True),
            convolution(width, width),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.paint = convolution(width, 3)
        initialise_kaiming(self, self.paint)
        self.grain = nn.ParameterList(
            nn.Parameter(torch.full((channels, 1, 1), 0.1)) for channels in (width, 2 * width)
        )  # per-channel noise strength at full and at half resolution

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        padded = _pad_to_stride(images)
        half, hidden = self._encode(padded)
        for block in self.body:
            hidden = block(hidden)
        hidden = _leaky_relu(self.up_half(enlarge(hidden)) + self.skip_half(half))
        hidden = _leaky_relu(self.at_half(self._add_noise(hidden, 1)))
        hidden = self.at_full(self._add_noise(enlarge(self.up_full(hidden)), 0))
        base = torch.atanh(0.98 * _blur(padded))
        output: Tensor = torch.tanh(base + self.paint(hidden))
        return output[..., STRIDE : STRIDE + height, STRIDE : STRIDE + width]

    def features(self, images: Tensor) -> list[Tensor]:
        """Return encoder features for PatchNCE: maps (B, body, H', W') at a quarter of the padded size, of the encoder,
        after a quarter and after half of the residual blocks."""
        _, hidden = self._encode(_pad_to_stride(images))
        taps = [hidden]
        for number, block in enumerate(self.body[: len(self.body) // 2], 1):
            hidden = block(hidden)
            if number in {len(self.body) // 4, len(self.body) // 2}:
                taps.append(hidden)
        return taps

    def _encode(self, padded: Tensor) -> tuple[Tensor, Tensor]:
        full = _leaky_relu(self.stem(padded))
        half = _leaky_relu(self.down_half(F.avg_pool2d(full, 2)))
        return half, _leaky_relu(self.down_quarter(F.avg_pool2d(half, 2)))

    def _add_noise(self, hidden: Tensor, level: int) -> Tensor:
        noise = noise_like(hidden, level, self.training)
        noisy: Tensor = hidden + self.grain[level].to(hidden.dtype) * noise
        return noisy


class Residual(nn.Module):
    """Residual block of two convolutions, scaled by a learned gain per channel that starts at 0.2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = convolution(width, width)
        self.second = convolution(width, width)
        self.gain = nn.Parameter(torch.full((width, 1, 1), 0.2))

    def forward(self, hidden: Tensor) -> Tensor:
        change: Tensor = self.second(_leaky_relu(self.first(hidden)))
        return hidden + self.gain.to(hidden.dtype) * change


def _leaky_relu(hidden: Tensor) -> Tensor:
    return F.leaky_relu(hidden, 0.2)


def _blur(images: Tensor) -> Tensor:
    """Remove detail finer than about four pixels: two 5×5 box filters of stride 1, which leave no grid."""
    for _ in range(2):
        images = F.avg_pool2d(F.pad(images, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    return images


def _pad_to_stride(images: Tensor) -> Tensor:
    """Pad by :data:`STRIDE` on each side, and more at the right and bottom up to a multiple of it."""
    height, width = images.shape[-2:]
    # Rounded up in positive numbers, since ONNX has a different remainder of negative ones.
    right, below = (2 * STRIDE - 1 - (side - 1) % STRIDE for side in (width, height))
    return F.pad(images, (STRIDE, right, STRIDE, below), mode="replicate")
