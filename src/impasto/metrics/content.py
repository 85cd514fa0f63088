"""How much of a photo is still in its painting."""

import functools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.metrics.feature_extractors.perceptual import directions
from impasto.metrics.feature_extractors.vgg16 import SMALLEST, VGG16

BLOCK = 1 << 18  #: pixels of photos, and as many of paintings, that are in the network at once: four of 256×256


def content(
    photos: NDArray[np.uint8], paintings: NDArray[np.uint8], device: torch.device | None = None
) -> dict[str, NDArray[np.float64]]:
    """Compares each photo with its painting, both uint8 (N, S, S, 3), S ≥ 24, at that size: by measure, (N,) numbers.

    ``SSIM`` is 1 for the same picture, and about 0 where no structure is left: Wang et al. 2004, "Image Quality
    Assessment", over Gaussian windows with σ = 1.5 that lie wholly inside, as the mean of the three colours.
    ``ST-LPIPS[vgg16]`` is 0 for the same picture, and hardly minds small shifts: Ghildyal & Liu 2022,
    "Shift-tolerant Perceptual Similarity Metric" (arXiv:2207.13686). Both are symmetric. Computed on
    ``device``, or without one on the CPU.
    """
    if photos.shape != paintings.shape:
        raise ValueError(f"pairs differ in number or size: {photos.shape} and {paintings.shape}")
    side = min(photos.shape[1:3])
    if side < SMALLEST:
        raise ImpastoError(f"Content cannot be compared at {side} pixels: take pictures of at least {SMALLEST}.")
    network = VGG16(device or torch.device("cpu"))
    found: dict[str, list[Tensor]] = {"SSIM": [torch.empty(0)], "ST-LPIPS[vgg16]": [torch.empty(0)]}
    size = max(1, BLOCK // side**2)
    for first in range(0, len(photos), size):
        pair = [torch.from_numpy(pixels[first : first + size]).to(network.device) for pixels in (photos, paintings)]
        found["SSIM"].append(structural_similarity(*pair).cpu())
        found["ST-LPIPS[vgg16]"].append(perceptual_distance(network, *pair).cpu())
    return {measure: torch.cat(values).double().numpy() for measure, values in found.items()}


def structural_similarity(one: Tensor, other: Tensor) -> Tensor:
    """SSIM of uint8 pictures (B, S, S, 3) with their counterparts: float32 (B,); equation 13 of the paper.

    Ours, because torchmetrics, which has it too, imports torch-fidelity and torchvision wherever they are installed.
    """
    x, y = (pixels.permute(0, 3, 1, 2).float() / 255 for pixels in (one, other))
    mean_x, mean_y, xx, yy, xy = (_windowed(planes) for planes in (x, y, x * x, y * y, x * y))
    both, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * both + c1) / (squares + c1)
    structure = (2 * (xy - both) + c2) / (xx + yy - squares + c2)
    return (luminance * structure).mean((1, 2, 3))


def _windowed(planes: Tensor) -> Tensor:
    """Means of (B, C, H, W) over the paper's 11×11 windows, a Gaussian of σ = 1.5, that lie wholly inside.

    Summed term by term: as fast as a convolution, and never in a GPU's TF32, which small variances would not survive.
    """
    window = [math.exp(-((place - 5) ** 2) / (2 * 1.5**2)) for place in range(11)]
    for axis in (2, 3):
        length = planes.shape[axis] - 10
        terms = (weight / sum(window) * planes.narrow(axis, place, length) for place, weight in enumerate(window))
        planes = functools.reduce(torch.add, terms)
    return planes


def perceptual_distance(network: VGG16, one: Tensor, other: Tensor) -> Tensor:
    """LPIPS of uint8 pictures (B, S, S, 3) with their counterparts: float32 (B,), on the network's device.

    Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features" (arXiv:1801.03924), equation 1: in each stage
    the maps are brought to length 1 at each place, and their squared differences weighed by channel; of the sum over
    the channels the mean is taken over the places, and these are summed over the stages.
    """
    with torch.inference_mode():
        total = torch.zeros(len(one), device=network.device)
        for maps, head in zip(network.stages(torch.cat([one, other])), network.heads, strict=True):
            near, far = directions(maps).chunk(2)
            total += ((near - far).square() * head).sum(1).mean((1, 2))
        return total
