"""Networks, one family per file, found by the name in a recipe."""

from typing import Any

from torch import nn

from impasto.config.registries import DISCRIMINATORS, GENERATORS


def build_generator(network: str, **kwargs: Any) -> nn.Module:
    """Build the generator registered as ``network``, initialised from torch's global random state."""
    return GENERATORS[network](**kwargs)


def build_discriminator(network: str, **kwargs: Any) -> nn.Module:
    """Build the discriminator registered as ``network``, initialised from torch's global random state."""
    return DISCRIMINATORS[network](**kwargs)
