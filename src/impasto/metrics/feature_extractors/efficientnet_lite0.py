"""EfficientNet-Lite0, trained on ImageNet: the default, whose weights are installed."""

from pathlib import Path

import torch
from torch import Tensor, nn

from impasto.metrics.feature_extractors.base import FEATURE_EXTRACTORS, FeatureExtractor, pooled
from impasto.networks.pretrained.efficientnet import efficientnet, weights_file
from impasto.networks.pretrained.weights import sha256

#: Side in pixels of its input. Trained at 224; at 256 the Kaggle competition's images need no resampling, which would
#: change the score (KID of photos v Monets 0.058 at 256, 0.075 at 224).
SIDE = 256


@FEATURE_EXTRACTORS.register("efficientnet-lite0")
class EfficientNetLite0(FeatureExtractor):
    """1280 features: channel means after the head; classifies into the 1000 classes of ImageNet."""

    name = "efficientnet-lite0"
    family = "efficientnet"
    dimension = 1280

    def __init__(self, device: torch.device, weights: Path | None = None, precision: str = "auto") -> None:
        super().__init__(device, weights, precision)
        self._identify(sha256(weights_file("lite0")))
        network = efficientnet("lite0")
        self._classifier: nn.Linear = network._fc.to(device)  # in float32
        network._fc = nn.Identity()
        self._freeze(network)
        self._network = network

    @torch.inference_mode()
    def features(self, pixels: Tensor) -> Tensor:
        planes = (self._planes(pixels, SIDE) - 127) / 128
        return pooled(self._network.extract_features(planes.to(self.dtype, memory_format=torch.channels_last)))

    @torch.inference_mode()
    def probabilities(self, features: Tensor) -> Tensor:
        logits: Tensor = self._classifier(features.to(self.device, torch.float32))
        return logits.softmax(1)
