"""Bicubic resampling of images, as a whole or window by window with identical results."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from impasto.config.types import Pixels
from impasto.inference.photo import pixels


@dataclass(frozen=True)
class CubicTaps:
    """Taps of a bicubic interpolation along one axis (Keys 1981, a = −0.75, as ``torch.nn.functional.interpolate``).
    Each output row or column is computed in the same way, bit by bit, whichever others are computed with it.

    Attributes:
        support: input rows or columns that are needed.
        indices: the four taps of each output within ``support``, (4, N).
        weights: their weights, (4, N).
    """

    support: slice
    indices: Tensor
    weights: Tensor

    @classmethod
    def of(cls, first: int, last: int, length: int, source_length: int) -> "CubicTaps":
        """Return the taps of outputs ``first`` to ``last`` of ``length``, from an input of ``source_length``."""
        centres = (torch.arange(first, last, dtype=torch.float64) + 0.5) * (source_length / length) - 0.5
        base = centres.floor()
        offsets = torch.arange(-1, 3)[:, None]
        indices = (base.long() + offsets).clamp_(0, source_length - 1)
        begin, end = int(indices.min()), int(indices.max()) + 1
        return cls(slice(begin, end), indices - begin, _cubic((centres - base - offsets).abs()).float())

    def resample(self, images: Tensor, dim: int) -> Tensor:
        """Resample images (B, C, H, W), already cut to ``support``, along ``dim``."""
        shape = [1, 1, 1, 1]
        shape[dim] = -1
        parts = (
            images.index_select(dim, indices.to(images.device)) * weights.to(images.device).view(shape)
            for indices, weights in zip(self.indices, self.weights, strict=True)
        )
        first, second, third, fourth = parts
        result: Tensor = first.add_(second).add_(third).add_(fourth)
        return result


def _cubic(distance: Tensor) -> Tensor:
    near = (1.25 * distance - 2.25) * distance.square() + 1
    far = ((-0.75 * distance + 3.75) * distance - 6) * distance + 3
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0))


def resize(images: Pixels, height: int, width: int) -> Pixels:
    """Resize images, uint8 (B, H, W, 3): bicubic with antialiasing."""
    if images.shape[1:3] == (height, width):
        return images
    resized = (Image.fromarray(each).resize((width, height), Image.Resampling.BICUBIC) for each in images)
    return np.stack([pixels(each) for each in resized])
