"""Feature networks, by name. A new one is one file here with one registered class."""

from pathlib import Path

import torch

from impasto.config.scoring import SCORING_NETWORKS
from impasto.errors import ImpastoError
from impasto.metrics.feature_extractors.base import FEATURE_EXTRACTORS, FeatureExtractor

__all__ = ["DEFAULT", "FEATURE_EXTRACTORS", "FeatureExtractor", "open_feature_extractor"]

#: The network that scores unless another is named; in training, unless its family is trained against.
DEFAULT = SCORING_NETWORKS[0]


def open_feature_extractor(
    name: str, device: torch.device, weights: Path | None = None, precision: str = "auto"
) -> FeatureExtractor:
    """Return the network of that name on the device.

    Args:
        name: one of :data:`FEATURE_EXTRACTORS`.
        device: where to compute.
        weights: file for a network whose weights are not installed; by default it is downloaded at first use.
        precision: ``auto``, ``bf16`` or ``fp32``.

    Raises:
        ImpastoError: there is no such network, its weights cannot be read, or it takes no file.
    """
    network = FEATURE_EXTRACTORS.find(name)
    if weights is not None and network.installed:
        raise ImpastoError(f"{name} includes its weights: remove {weights}, or choose another feature network.")
    return network(device, weights, precision)
