"""SSIM, structural similarity (Wang et al. 2004, "Image Quality Assessment", equation 13)."""

import functools
import math

import torch
from torch import Tensor

from impasto.metrics.base import METRICS, PairMetric

WINDOW, DEVIATION = 11, 1.5  #: side and standard deviation, in pixels, of the paper's Gaussian window


@METRICS.register("SSIM")
class SSIM(PairMetric):
    """Mean over the colour channels."""

    meaning = "structural similarity of photo and painting; 1 for equal images"
    better = "higher"
    order = 110
    smallest = WINDOW

    def compute(self, sources: Tensor, images: Tensor) -> Tensor:
        return ssim(sources, images)


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """Return the SSIM of uint8 images (B, S, S, 3), pair by pair: float32 (B,), 1 for equal images.

    Hand-written, because torchmetrics, which has it too, imports torch-fidelity and torchvision wherever they are
    installed.
    """
    x, y = (pixels.permute(0, 3, 1, 2).float() / 255 for pixels in (one, other))  # (B, 3, S, S)
    mean_x, mean_y, xx, yy, xy = (_windowed(planes) for planes in (x, y, x * x, y * y, x * y))
    both, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * both + c1) / (squares + c1)
    structure = (2 * (xy - both) + c2) / (xx + yy - squares + c2)
    return (luminance * structure).mean((1, 2, 3))


def _windowed(planes: Tensor) -> Tensor:
    """Return means of (B, C, H, W) over all Gaussian windows that lie wholly inside: (B, C, H − 10, W − 10).

    Summed term by term: as fast as a convolution, and never in TF32, whose precision is too low for small variances.
    """
    half = WINDOW // 2
    window = [math.exp(-((place - half) ** 2) / (2 * DEVIATION**2)) for place in range(WINDOW)]
    for axis in (2, 3):
        length = planes.shape[axis] - WINDOW + 1
        terms = (weight / sum(window) * planes.narrow(axis, place, length) for place, weight in enumerate(window))
        planes = functools.reduce(torch.add, terms)
    return planes
