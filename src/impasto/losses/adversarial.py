"""Adversarial losses, as functions of the discriminator's logits: (B, …), above 0 for real. Each gives a scalar."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Adversarial:
    """Both sides of one game: ``discriminator(real, fake)`` and ``generator(fake)``."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def bce_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """−log σ(D(x)) − log(1 − σ(D(G(z)))): Goodfellow et al. 2014, equation 1."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def bce_generator(fake: Tensor) -> Tensor:
    """−log σ(D(G(z))): the non-saturating form, Goodfellow et al. 2014, section 3."""
    return F.softplus(-fake).mean()


def lsgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """½(D(x) − 1)² + ½D(G(z))²: Mao et al. 2017, equation 9. The boundary is ½, moved here to logit 0."""
    return 0.5 * (real - 0.5).square().mean() + 0.5 * (fake + 0.5).square().mean()


def lsgan_generator(fake: Tensor) -> Tensor:
    """½(D(G(z)) − 1)²: Mao et al. 2017, equation 9, with the same shift."""
    return 0.5 * (fake - 0.5).square().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 − D(x)) + max(0, 1 + D(G(z))): Lim & Ye 2017, equation 6."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """−D(G(z)): Lim & Ye 2017, equation 7."""
    return -fake.mean()


ADVERSARIAL = {
    "bce": Adversarial(bce_discriminator, bce_generator),
    "lsgan": Adversarial(lsgan_discriminator, lsgan_generator),
    "hinge": Adversarial(hinge_discriminator, hinge_generator),
}
