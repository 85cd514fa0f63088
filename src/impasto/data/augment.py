"""Variation of pictures, on the device where they lie."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def to_float(pixels: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) in −1…1."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def to_pixels(pictures: Tensor) -> Tensor:
    """Float (B, 3, H, W) in −1…1 to uint8 (B, H, W, 3), rounded to the nearest; out of range is clipped."""
    return pictures.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def shrink(pictures: Tensor, height: int, width: int | None = None) -> Tensor:
    """Pictures (B, 3, H, W) to (B, 3, height, width), square if no width is given: bicubic and antialiased, kept in
    −1…1."""
    # MPS cannot resize so in every torch that we support.
    where = torch.device("cpu") if pictures.device.type == "mps" else pictures.device
    size = (height, height if width is None else width)
    shrunk = F.interpolate(pictures.to(where), size=size, mode="bicubic", antialias=True)
    return shrunk.clamp_(-1, 1).to(pictures.device)


def crop_and_flip(
    pictures: Tensor, size: int, scale: Sequence[float], flip: bool, rng: torch.Generator, rotate: float = 0.0
) -> Tensor:
    """A random square of each picture (B, 3, H, H), resampled to (B, 3, size, size).

    Its side is a uniform ``scale`` of H, its place uniform within the picture; every second one is mirrored
    where ``flip``; it is turned by at most ``rotate`` degrees, uniformly. Bilinear, reflected at the border; with
    scale 1 and size H the picture comes back unchanged.
    """
    count, device = pictures.shape[0], pictures.device
    side, across, down, mirror = torch.rand(4, count, device=device, generator=rng)
    side = scale[0] + (scale[1] - scale[0]) * side
    turn = torch.zeros_like(side)
    if rotate:
        turn = math.radians(rotate) * (2 * torch.rand(count, device=device, generator=rng) - 1)
    wide = torch.where(mirror < 0.5, -side, side) if flip else side
    theta = torch.zeros(count, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 0, 1] = wide * turn.cos(), -side * turn.sin()
    theta[:, 1, 0], theta[:, 1, 1] = wide * turn.sin(), side * turn.cos()
    theta[:, 0, 2] = (1 - side) * (2 * across - 1)
    theta[:, 1, 2] = (1 - side) * (2 * down - 1)
    grid = F.affine_grid(theta, [count, 3, size, size], align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def recolour(pictures: Tensor, strength: float, rng: torch.Generator) -> Tensor:
    """Pictures (B, 3, H, W) in −1…1, each with its own change of brightness, contrast and saturation by up to the
    fraction ``strength``."""
    bright, contrast, saturation = strength * (
        2 * torch.rand(3, len(pictures), 1, 1, 1, device=pictures.device, generator=rng) - 1
    )
    grey = pictures.mean(1, keepdim=True)
    pictures = grey + (1 + saturation) * (pictures - grey)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    pictures = mean + (1 + contrast) * (pictures - mean) + bright
    return pictures.clamp_(-1, 1)
