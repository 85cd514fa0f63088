"""The registries of what a recipe can name or is scored by: adversarial losses, networks, methods, feature networks."""

from typing import TYPE_CHECKING

from impasto.config.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from impasto.losses.adversarial import AdversarialLoss
    from impasto.methods.base import Method
    from impasto.metrics.feature_extractors.base import FeatureExtractor

LOSSES: "Registry[AdversarialLoss]" = Registry("loss", "impasto.losses", "impasto.losses")
GENERATORS: "Registry[type[nn.Module]]" = Registry("generator", "impasto.networks", "impasto.generators")
DISCRIMINATORS: "Registry[type[nn.Module]]" = Registry("discriminator", "impasto.networks", "impasto.discriminators")
METHODS: "Registry[type[Method]]" = Registry("method", "impasto.methods", "impasto.methods")
FEATURE_EXTRACTORS: "Registry[type[FeatureExtractor]]" = Registry(
    "feature network", "impasto.metrics.feature_extractors", "impasto.feature_extractors"
)
