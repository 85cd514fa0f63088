"""LPIPS, the learned perceptual distance (Zhang et al. 2018, arXiv:1801.03924), shift-tolerant by antialiased VGG16.

Ghildyal & Liu 2022, "Shift-tolerant Perceptual Similarity Metric" (arXiv:2207.13686).
"""

import torch
from torch import Tensor

from impasto.metrics.base import METRICS, PairMetric
from impasto.metrics.feature_extractors.perceptual import normalise_channels
from impasto.metrics.feature_extractors.vgg16 import SMALLEST, VGG16


@METRICS.register("ST-LPIPS[vgg16]")
class ShiftTolerantLPIPS(PairMetric):
    """Symmetric, and nearly invariant to small shifts."""

    meaning = "perceptual distance of photo and painting; 0 for equal images, little affected by small shifts"
    better = "lower"
    order = 120
    smallest = SMALLEST

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._network = VGG16(device)

    def compute(self, sources: Tensor, images: Tensor) -> Tensor:
        return lpips(self._network, sources, images)


def lpips(network: VGG16, one: Tensor, other: Tensor) -> Tensor:
    """Return the distance of uint8 images (B, S, S, 3), pair by pair: float32 (B,), on the network's device.

    Equation 1: in each stage, channels are normalised to length 1 at each position, and squared differences weighted by
    channel, summed over channels and averaged over positions; stages are summed.
    """
    with torch.inference_mode():
        total = torch.zeros(len(one), device=network.device)
        for maps, head in zip(network.stages(torch.cat([one, other])), network.heads, strict=True):
            near, far = normalise_channels(maps).chunk(2)
            total += ((near - far).square() * head).sum(1).mean((1, 2))
        return total
