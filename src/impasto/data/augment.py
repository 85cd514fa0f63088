"""Random augmentations of training images, on their device."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto import parallel
from impasto.data.resampling import cubic, resample, sampling_matrices


def to_float(pixels: Tensor) -> Tensor:
    """Convert uint8 (B, H, W, 3) to float32 (B, 3, H, W) in −1…1."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def to_pixels(images: Tensor) -> Tensor:
    """Convert float (B, 3, H, W) in −1…1 to uint8 (B, H, W, 3), rounded and clipped."""
    return images.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def resize(images: Tensor, height: int, width: int | None = None) -> Tensor:
    """Resize images (B, 3, H, W) to (B, 3, height, width), bicubic with antialiasing, clipped to −1…1.

    ``width`` defaults to ``height``.
    """
    # Antialiased resizing is missing on MPS in some supported versions of torch.
    where = torch.device("cpu") if images.device.type == "mps" else images.device
    size = (height, height if width is None else width)
    resized = F.interpolate(images.to(where), size=size, mode="bicubic", antialias=True)
    return resized.clamp_(-1, 1).to(images.device)


def crop_and_flip(
    images: Tensor, size: int, scale: Sequence[float], flip: bool, rng: torch.Generator, rotate: float = 0.0
) -> Tensor:
    """Crop a random square of each image (B, 3, H, H) and resample it to (B, 3, size, size).

    The relative side of the square is uniform in ``scale``, its position uniform inside the image. With ``flip`` it is
    mirrored with probability 0.5; its rotation is uniform within ± ``rotate`` degrees, with reflection at the borders.
    Bicubic with antialiasing, clipped to −1…1, as :func:`resize`; scale 1 and size H leave the image unchanged.
    """
    count, device = parallel.whole(len(images)), images.device
    draws = torch.rand(4, count, device=device, generator=rng)
    side, across, down, mirror = parallel.part(draws, 1)
    side = scale[0] + (scale[1] - scale[0]) * side
    if rotate:
        angle = math.radians(rotate) * (2 * parallel.part(torch.rand(count, device=device, generator=rng)) - 1)
        centre = (1 - side) * (2 * torch.stack([across, down]) - 1)
        images = _rotate(images, angle, *centre)
    height = images.shape[2]
    step = side * height / size  # between two samples, in pixels
    left, top = (1 - side) * across * height, (1 - side) * down * height
    mirrored = (mirror < 0.5) & flip
    left, step_across = torch.where(mirrored, left + side * height, left), torch.where(mirrored, -step, step)
    places = torch.arange(size, device=device) + 0.5
    reach = 2 * max(1.0, scale[1] * height / size)
    rows, columns = (
        sampling_matrices(first[:, None] + each[:, None] * places, height, cubic, step.clamp_min(1), reach)
        for first, each in ((top, step), (left, step_across))
    )
    return resample(images, rows, columns).clamp_(-1, 1)


def _rotate(images: Tensor, angle: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Rotate each image (B, 3, H, H) by its angle in radians about its centre in −1…1, all (B,): (B, 3, 2H, 2H).

    At twice the resolution, where bilinear samples lose little of the finest detail.
    """
    cos, sin = angle.cos(), angle.sin()
    to_column = torch.stack([cos, -sin, across - cos * across + sin * down], 1)
    to_row = torch.stack([sin, cos, down - sin * across - cos * down], 1)
    larger = resize(images, 2 * images.shape[2])
    grid = F.affine_grid(torch.stack([to_column, to_row], 1), list(larger.shape), align_corners=False)
    return F.grid_sample(larger, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def colour_jitter(images: Tensor, strength: float, rng: torch.Generator) -> Tensor:
    """Vary brightness, contrast and saturation of each image (B, 3, H, W), −1…1, by up to the fraction ``strength``."""
    draws = torch.rand(3, parallel.whole(len(images)), 1, 1, 1, device=images.device, generator=rng)
    brightness, contrast, saturation = strength * (2 * parallel.part(draws, 1) - 1)
    grey = images.mean(1, keepdim=True)
    images = grey + (1 + saturation) * (images - grey)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (1 + contrast) * (images - mean) + brightness
    return images.clamp_(-1, 1)
