"""The networks through which pictures are compared, by name.

A new one is a file here with one class, and one line in :data:`FEATURE_EXTRACTORS`.
"""

import difflib
from pathlib import Path

import torch

from impasto.errors import ImpastoError
from impasto.metrics.feature_extractors.alexnet import AlexNet
from impasto.metrics.feature_extractors.base import FeatureExtractor
from impasto.metrics.feature_extractors.efficientnet_lite0 import EfficientNetLite0
from impasto.metrics.feature_extractors.inception_2015 import Inception2015
from impasto.metrics.feature_extractors.vgg16 import VGG16

__all__ = ["DEFAULT", "FEATURE_EXTRACTORS", "FeatureExtractor", "open_feature_extractor"]

#: The network that scores unless another is named; in training, unless its family is trained against.
DEFAULT = "efficientnet-lite0"

FEATURE_EXTRACTORS: dict[str, type[FeatureExtractor]] = {
    network.name: network for network in (EfficientNetLite0, AlexNet, VGG16, Inception2015)
}


def open_feature_extractor(
    name: str, device: torch.device, weights: Path | None = None, precision: str = "auto"
) -> FeatureExtractor:
    """The network of that name, ready to compute on the device.

    ``weights`` is a file for a network whose weights are not installed with impasto; without it, that file is fetched
    at first use. ``precision`` is ``auto``, ``bf16`` or ``fp32``.
    """
    network = FEATURE_EXTRACTORS.get(name)
    if network is None:
        close = difflib.get_close_matches(name, FEATURE_EXTRACTORS, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ImpastoError(
            f"There is no feature network '{name}': {hint}Choose one of {', '.join(FEATURE_EXTRACTORS)}."
        )
    if weights is not None and network.installed:
        raise ImpastoError(f"{name} brings its own weights: leave out {weights}, or choose another feature network.")
    return network(device, weights, precision)
