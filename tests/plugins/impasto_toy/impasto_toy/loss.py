"""An adversarial loss: least squares towards ±1 without labels."""

from torch import Tensor

from impasto.config.registries import LOSSES
from impasto.losses.adversarial import AdversarialLoss


def discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """(D(x) − 1)² + (D(G(z)) + 1)²."""
    return (real - 1).square().mean() + (fake + 1).square().mean()


def generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """(D(G(z)) − 1)²."""
    return (fake - 1).square().mean()


LOSSES.register("toy-loss")(AdversarialLoss(discriminator, generator))
