"""The painter: photos into paintings without any normalisation, its strokes drawn from noise.

A residual network in the manner of those for super-resolution (Lim et al. 2017, EDSR, arXiv:1707.02921), a quarter
of the picture's size wide in its body. Three things are ours, each against a fault of translators:

- It paints over a softened photo instead of the photo, so that fine detail has to be painted and is not passed on.
- It is given noise (as Karras et al. 2019, arXiv:1812.04948, section 3.2). A network that is the same everywhere and
  sees a flat sky can only paint it with a pattern that repeats; with noise its strokes fall as they like. Noise enters
  after the body, where it can no longer decide what is painted, but how.
- Nothing is normalised over the picture. Instance normalisation blows up what little there is in a flat or dark one,
  and lets far parts of a picture change each other, so that it could not be painted in tiles.

After the last up-sampling three convolutions follow at full size, and every change of size is smoothed (Zhang 2019,
arXiv:1904.11486; Odena et al. 2016), so that there is nothing to leave a checkerboard.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from impasto.config.registries import GENERATORS
from impasto.config.types import Width
from impasto.networks.noise import noise_like

#: Pictures are padded to a multiple of this, and by this, so that borders are painted like the rest.
STRIDE = 4


@GENERATORS.register("edsr")
class Generator(nn.Module):
    """Photos (B, 3, H, W) in −1…1 to paintings of the same shape, for any H and W."""

    def __init__(self, width: Width, body: Width, blocks: Annotated[int, Field(ge=2, le=64)]) -> None:
        super().__init__()
        self.stem = _convolution(3, width, 5)  # (B, W, H, W)
        self.down_half = _convolution(width, 2 * width)
        self.down_quarter = _convolution(2 * width, body)
        self.body = nn.ModuleList(Residual(body) for _ in range(blocks))
        self.up_half = _convolution(body, 2 * width)
        self.skip_half = nn.Conv2d(2 * width, 2 * width, 1)
        self.at_half = _convolution(2 * width, 2 * width)
        self.up_full = nn.Conv2d(2 * width, width, 1)
        self.at_full = nn.Sequential(
            _convolution(width, width),
            nn.LeakyReLU(0.2, inplace=True),
            _convolution(width, width),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.paint = _convolution(width, 3)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.2)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.paint.weight, 0.0, 1e-3)
        self.grain = nn.ParameterList(
            nn.Parameter(torch.full((channels, 1, 1), 0.1)) for channels in (width, 2 * width)
        )  # how strongly noise enters at full and at half size

    def forward(self, photos: Tensor) -> Tensor:
        height, width = photos.shape[-2:]
        padded = _pad(photos)
        half, hidden = self._encode(padded)
        for block in self.body:
            hidden = block(hidden)
        hidden = _act(self.up_half(_enlarge(hidden)) + self.skip_half(half))
        hidden = _act(self.at_half(self._grained(hidden, 1)))
        hidden = self.at_full(self._grained(_enlarge(self.up_full(hidden)), 0))
        base = torch.atanh(0.98 * _soften(padded))
        painted: Tensor = torch.tanh(base + self.paint(hidden))
        return painted[..., STRIDE : STRIDE + height, STRIDE : STRIDE + width]

    def features(self, photos: Tensor) -> list[Tensor]:
        """Maps at a quarter of the size, of the encoder and of the body's first half, for losses that compare
        places."""
        _, hidden = self._encode(_pad(photos))
        found = [hidden]
        for number, block in enumerate(self.body[: len(self.body) // 2], 1):
            hidden = block(hidden)
            if number in {len(self.body) // 4, len(self.body) // 2}:
                found.append(hidden)
        return found

    def _encode(self, padded: Tensor) -> tuple[Tensor, Tensor]:
        full = _act(self.stem(padded))
        half = _act(self.down_half(F.avg_pool2d(full, 2)))
        return half, _act(self.down_quarter(F.avg_pool2d(half, 2)))

    def _grained(self, hidden: Tensor, level: int) -> Tensor:
        noise = noise_like(hidden, level, self.training)
        grained: Tensor = hidden + self.grain[level].to(hidden.dtype) * noise
        return grained


class Residual(nn.Module):
    """Two convolutions beside a path that stays open, weak at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.second = _convolution(width, width)
        self.gain = nn.Parameter(torch.full((width, 1, 1), 0.2))

    def forward(self, hidden: Tensor) -> Tensor:
        change: Tensor = self.second(_act(self.first(hidden)))
        return hidden + self.gain.to(hidden.dtype) * change


def _convolution(into: int, out: int, side: int = 3) -> nn.Conv2d:
    """A convolution that goes on with what is at the border: from zeros a network knows where that is, and paints it
    differently."""
    return nn.Conv2d(into, out, side, padding=side // 2, padding_mode="replicate")


def _act(hidden: Tensor) -> Tensor:
    return F.leaky_relu(hidden, 0.2)


def _enlarge(maps: Tensor) -> Tensor:
    """Twice as large, bilinear."""
    return F.interpolate(maps, scale_factor=2, mode="bilinear")


def _soften(pictures: Tensor) -> Tensor:
    """Without what is finer than some four pixels: two means over five by five, at each place, so that no grid is
    left."""
    for _ in range(2):
        pictures = F.avg_pool2d(F.pad(pictures, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    return pictures


def _pad(photos: Tensor) -> Tensor:
    """A border of :data:`STRIDE`, more at right and below so that both sides are multiples of it."""
    height, width = photos.shape[-2:]
    # Up to the next multiple, in positive numbers: ONNX has another remainder of negative ones.
    right, below = (2 * STRIDE - 1 - (side - 1) % STRIDE for side in (width, height))
    return F.pad(photos, (STRIDE, right, STRIDE, below), mode="replicate")
