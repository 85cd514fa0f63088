"""EfficientNet-Lite0, trained on ImageNet: the network that is always there."""

from pathlib import Path

import torch
from torch import Tensor, nn

from impasto.metrics.feature_extractors.base import FeatureExtractor, pooled
from impasto.networks.pretrained.efficientnet import efficientnet, weights_file
from impasto.networks.pretrained.weights import sha256

#: Of the pictures that it looks at. It was trained at 224; at 256 the competition's pictures come as they are, and any
#: resampling is seen (KID of photos against Monets 0.058 at 256, 0.075 at 224).
SIDE = 256


class EfficientNetLite0(FeatureExtractor):
    """1280 means of the maps after the head, and the thousand classes of ImageNet."""

    name = "efficientnet-lite0"
    dimension = 1280

    def __init__(self, device: torch.device, weights: Path | None = None, precision: str = "auto") -> None:
        super().__init__(device, weights, precision)
        self._identify(sha256(weights_file("lite0")))
        network = efficientnet("lite0")
        self._classifier: nn.Linear = network._fc.to(device)  # stays in float32
        network._fc = nn.Identity()
        self._settle(network)
        self._network = network

    @torch.inference_mode()
    def features(self, pixels: Tensor) -> Tensor:
        planes = (self._planes(pixels, SIDE) - 127) / 128
        return pooled(self._network.extract_features(planes.to(self.dtype, memory_format=torch.channels_last)))

    @torch.inference_mode()
    def probabilities(self, features: Tensor) -> Tensor:
        logits: Tensor = self._classifier(features.to(self.device, torch.float32))
        return logits.softmax(1)
