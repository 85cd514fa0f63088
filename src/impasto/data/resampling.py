"""Separable resampling of a batch in which each image has its own position and scale.

A resampled image is R · image · Cᵀ, where a row of R or C holds the weights of all pixels in one sample. As products of
matrices it is differentiable any number of times, which ``grid_sample`` is not.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Kernel = Callable[[Tensor], Tensor]  #: distances in units of the kernel's width to weights, not normalised


def cubic(distance: Tensor) -> Tensor:
    """Keys' cubic convolution kernel with a = −½, as in torch's antialiased bicubic resizing; 0 from distance 2 on."""
    x = distance.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def triangle(distance: Tensor) -> Tensor:
    """The kernel of linear interpolation; 0 from distance 1 on."""
    return (1 - distance.abs()).clamp_min(0)


def sampling_matrices(centres: Tensor, pixels: int, kernel: Kernel, width: Tensor, reach: float) -> Tensor:
    """Return the weights (B, N, ``pixels``) of the pixels of a row in N samples; each sample's sum is 1.

    Args:
        centres: (B, N), positions of the samples in 0…``pixels``; the centre of pixel j is at j + ½.
        pixels: of the row.
        kernel: weights by distance. Pixels beyond the ends of the row have none.
        width: (B,), of the kernel in pixels; the distance between samples makes it a low-pass filter against aliasing.
        reach: distance in pixels from which on the kernel is 0, at most.
    """
    first = (centres - reach - 0.5).ceil()[:, :, None]
    taps = first + torch.arange(math.floor(2 * reach) + 1, device=centres.device)  # (B, N, K)
    weights = kernel((taps + 0.5 - centres[:, :, None]) / width[:, None, None])
    weights = weights * ((taps >= 0) & (taps < pixels))
    weights = weights / weights.sum(2, keepdim=True)
    matrices = torch.zeros(*centres.shape, pixels, device=centres.device, dtype=weights.dtype)
    return matrices.scatter_add_(2, taps.clamp(0, pixels - 1).long(), weights)


def resample(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Resample images (B, C, H, W) by matrices (B, H', H) and (B, W', W) to (B, C, H', W'), without autocast."""
    count, channels, height, width = images.shape
    with torch.autocast(images.device.type, enabled=False):
        # As one product an image, which is faster than one a channel.
        across = images.reshape(count, channels * height, width) @ columns.mT
        resampled: Tensor = rows[:, None] @ across.view(count, channels, height, -1)
    return resampled
