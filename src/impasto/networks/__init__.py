"""Plain networks, one family a file, found by the name that a recipe gives them."""

from typing import Any

from torch import nn

from impasto.networks import (
    cnn,
    dcgan,
    edsr,
    fastgan,
    feature_decoder,
    patchgan,
    progressive,
    projected,
    r3gan,
    resnet,
    unet,
)

GENERATORS: dict[str, type[nn.Module]] = {
    "dcgan": dcgan.Generator,
    "progressive": progressive.Generator,
    "fastgan": fastgan.Generator,
    "r3gan": r3gan.Generator,
    "resnet": resnet.Generator,
    "unet": unet.Generator,
    "cnn": cnn.Generator,
    "painter": edsr.Generator,
    "feature-decoder": feature_decoder.Generator,
}
DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "dcgan": dcgan.Discriminator,
    "progressive": progressive.Discriminator,
    "fastgan": fastgan.Discriminator,
    "r3gan": r3gan.Discriminator,
    "cnn": cnn.Discriminator,
    "patch": patchgan.Discriminator,
    "projected": projected.Discriminator,
}


def build_generator(network: str, **settings: Any) -> nn.Module:
    """The generator of that name, freshly initialised from torch's global random state."""
    return GENERATORS[network](**settings)


def build_discriminator(network: str, **settings: Any) -> nn.Module:
    """The discriminator of that name, freshly initialised from torch's global random state."""
    return DISCRIMINATORS[network](**settings)
