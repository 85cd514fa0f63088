"""Adversarial losses, as functions of the discriminator's logits: (B, …), above 0 for real. Each returns a scalar."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F
from torch import Tensor

from impasto.config.registries import LOSSES


@dataclass(frozen=True)
class AdversarialLoss:
    """Both sides of an adversarial loss.

    Attributes:
        discriminator: of the logits of real and fake images.
        generator: of the logits of fake images, and of real ones where the loss is ``paired``; else those may be None.
        paired: whether each fake is compared with a real one, so that there must be as many of both.
        labelled: whether the discriminator learns towards labels; its function then takes ``smoothing``, which lowers
            the label of real images to 1 − ``smoothing`` (one-sided: Salimans et al. 2016, arXiv:1606.03498,
            section 3.4).
        absolute: whether a logit of 0 separates real from fake. Where only differences of logits count, it does not.
    """

    discriminator: Callable[..., Tensor]
    generator: Callable[[Tensor, Tensor | None], Tensor]
    paired: bool = False
    labelled: bool = False
    absolute: bool = True

    def smoothed(self, smoothing: float) -> "AdversarialLoss":
        """The loss with label smoothing, 0…1. ValueError for any but 0 where the loss has no labels."""
        if not smoothing:
            return self
        if not self.labelled or not 0 < smoothing < 1:
            raise ValueError(f"label smoothing of {smoothing}: it is 0…1 (1 excluded), and 0 for losses without labels")
        return AdversarialLoss(partial(self.discriminator, smoothing=smoothing), self.generator, labelled=True)


def bce_discriminator(real: Tensor, fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """−log σ(D(x)) − log(1 − σ(D(G(z)))): Goodfellow et al. 2014, equation 1.

    Smoothing adds ``smoothing`` · D(x), which makes the first term the cross-entropy to the lower label.
    """
    return (F.softplus(-real) + smoothing * real).mean() + F.softplus(fake).mean()


def bce_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """−log σ(D(G(z))): the non-saturating form, Goodfellow et al. 2014, section 3."""
    return F.softplus(-fake).mean()


def lsgan_discriminator(real: Tensor, fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """½(D(x) − 1)² + ½D(G(z))²: Mao et al. 2017, equation 9. The boundary is ½, moved here to logit 0."""
    return 0.5 * (real - (0.5 - smoothing)).square().mean() + 0.5 * (fake + 0.5).square().mean()


def lsgan_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """(D(G(z)) − 1)²: Zhu et al. 2017, arXiv:1703.10593, section 4, with the same shift.

    Twice that of Mao et al., as CycleGAN and CUT weigh their other losses against this one.
    """
    return (fake - 0.5).square().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 − D(x)) + max(0, 1 + D(G(z))): Lim & Ye 2017, equation 6."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def wgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """D(G(z)) − D(x): Arjovsky et al. 2017, arXiv:1701.07875, equation 2, for a Lipschitz discriminator."""
    return fake.mean() - real.mean()


def wgan_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """−D(G(z)): Lim & Ye 2017, equation 7, and Arjovsky et al. 2017, theorem 3."""
    return -fake.mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """softplus(−(D(x) − D(G(z)))), each real paired with one fake: Huang et al. 2024, arXiv:2501.05441, equation 2,
    after Jolicoeur-Martineau 2018, arXiv:1807.00734.

    Raises:
        ValueError: if there are not as many real logits as fake ones.
    """
    return F.softplus(_difference(fake, real)).mean()


def relativistic_generator(fake: Tensor, real: Tensor | None) -> Tensor:
    """softplus(−(D(G(z)) − D(x))): the generator's side of :func:`relativistic_discriminator`.

    Raises:
        ValueError: if there are not as many real logits as fake ones.
    """
    return F.softplus(-_difference(fake, real)).mean()


def _difference(fake: Tensor, real: Tensor | None) -> Tensor:
    """Fake minus real logits, pair by pair. Logits of other shapes would broadcast to all pairs, unnoticed."""
    if real is None or real.shape != fake.shape:
        given = "none" if real is None else tuple(real.shape)
        raise ValueError(f"Pairs need as many real logits as fake ones: {given} for {tuple(fake.shape)}.")
    return fake - real


LOSSES.register("bce")(AdversarialLoss(bce_discriminator, bce_generator, labelled=True))
LOSSES.register("lsgan")(AdversarialLoss(lsgan_discriminator, lsgan_generator, labelled=True))
LOSSES.register("hinge")(AdversarialLoss(hinge_discriminator, wgan_generator))
LOSSES.register("wgan")(AdversarialLoss(wgan_discriminator, wgan_generator, absolute=False))
LOSSES.register("relativistic")(
    AdversarialLoss(relativistic_discriminator, relativistic_generator, paired=True, absolute=False)
)
