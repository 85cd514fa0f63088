"""A feature extractor: the mean colours of a 4×4 grid."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.metrics.feature_extractors.base import FEATURE_EXTRACTORS, FeatureExtractor


@FEATURE_EXTRACTORS.register("toy-colours")
class Colours(FeatureExtractor):
    """48 features: the mean red, green and blue of each cell."""

    name = "toy-colours"
    dimension = 48

    def __init__(self, device: torch.device, weights: Path | None = None, precision: str = "auto") -> None:
        super().__init__(device, weights, precision)
        self._identify("none")

    def features(self, pixels: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(self._planes(pixels), 4).flatten(1)
