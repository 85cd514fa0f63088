"""Networks, one family a file, found by the name in a recipe."""

from typing import Any

from torch import nn

from impasto.config.registries import DISCRIMINATORS, GENERATORS


def build_generator(network: str, **kwargs: Any) -> nn.Module:
    """The generator of that name, initialised from torch's global random state."""
    return GENERATORS[network](**kwargs)


def build_discriminator(network: str, **kwargs: Any) -> nn.Module:
    """The discriminator of that name, initialised from torch's global random state."""
    return DISCRIMINATORS[network](**kwargs)
