"""Random augmentations of training images, on their device."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


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
    mirrored with probability 0.5; its rotation is uniform within ± ``rotate`` degrees. Bilinear with reflection
    padding; scale 1 and size H leave the image unchanged.
    """
    count, device = images.shape[0], images.device
    side, across, down, mirror = torch.rand(4, count, device=device, generator=rng)
    side = scale[0] + (scale[1] - scale[0]) * side
    angle = torch.zeros_like(side)
    if rotate:
        angle = math.radians(rotate) * (2 * torch.rand(count, device=device, generator=rng) - 1)
    width = torch.where(mirror < 0.5, -side, side) if flip else side
    theta = torch.zeros(count, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 0, 1] = width * angle.cos(), -side * angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = width * angle.sin(), side * angle.cos()
    theta[:, 0, 2] = (1 - side) * (2 * across - 1)
    theta[:, 1, 2] = (1 - side) * (2 * down - 1)
    grid = F.affine_grid(theta, [count, 3, size, size], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def colour_jitter(images: Tensor, strength: float, rng: torch.Generator) -> Tensor:
    """Vary brightness, contrast and saturation of each image (B, 3, H, W), −1…1, by up to the fraction ``strength``."""
    brightness, contrast, saturation = strength * (
        2 * torch.rand(3, len(images), 1, 1, 1, device=images.device, generator=rng) - 1
    )
    grey = images.mean(1, keepdim=True)
    images = grey + (1 + saturation) * (images - grey)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (1 + contrast) * (images - mean) + brightness
    return images.clamp_(-1, 1)
