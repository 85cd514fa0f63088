"""Adversarial losses: functions from the discriminator's logits (B, …), above 0 for real, to a scalar."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch.nn.functional as F
from torch import Tensor

from impasto.config.registries import LOSSES


@dataclass(frozen=True)
class AdversarialLoss:
    """An adversarial loss for discriminator and generator.

    Attributes:
        discriminator: loss from the logits of real and of fake images.
        generator: loss from the logits of fake images, and of real ones if the loss is ``paired``, else None.
        paired: whether each fake is compared with one real image, so that both have the same number of logits.
        labelled: whether the discriminator is trained towards labels; its function then takes ``smoothing``, which
            lowers the label of real images to 1 − ``smoothing`` (one-sided: Salimans et al. 2016, arXiv:1606.03498,
            section 3.4).
        absolute: whether a logit of 0 separates real from fake; False where only differences of logits matter.
    """

    discriminator: Callable[..., Tensor]
    generator: Callable[[Tensor, Tensor | None], Tensor]
    paired: bool = False
    labelled: bool = False
    absolute: bool = True

    def smoothed(self, smoothing: float) -> "AdversarialLoss":
        """Return the loss with label smoothing, 0 ≤ ``smoothing`` < 1. ValueError for another value, and for any but 0
        if the loss has no labels."""
        if not smoothing:
            return self
        if not self.labelled or not 0 < smoothing < 1:
            raise ValueError(
                f"label smoothing of {smoothing}: must be 0 or more and below 1, and 0 for losses without labels"
            )
        return replace(self, discriminator=partial(self.discriminator, smoothing=smoothing))


def bce_discriminator(real: Tensor, fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """−log σ(D(x)) − log(1 − σ(D(G(z)))): Goodfellow et al. 2014, equation 1.

    ``smoothing`` · D(x) is added, which makes the first term the cross-entropy with the lowered label.
    """
    return (F.softplus(-real) + smoothing * real).mean() + F.softplus(fake).mean()


def bce_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """−log σ(D(G(z))): the non-saturating form, Goodfellow et al. 2014, section 3."""
    return F.softplus(-fake).mean()


def lsgan_discriminator(real: Tensor, fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """½(D(x) − 1)² + ½D(G(z))²: Mao et al. 2017, equation 9. The decision boundary ½ is shifted to
    logit 0."""
    return 0.5 * (real - (0.5 - smoothing)).square().mean() + 0.5 * (fake + 0.5).square().mean()


def lsgan_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """(D(G(z)) − 1)²: Zhu et al. 2017, arXiv:1703.10593, section 4, with the same shift.

    Twice that of Mao et al., since the loss weights of CycleGAN and CUT are relative to this one.
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
    """softplus(−(D(x) − D(G(z)))), each real image paired with one fake: Huang et al. 2024, arXiv:2501.05441,
    equation 2, after Jolicoeur-Martineau 2018, arXiv:1807.00734.

    Raises:
        ValueError: the shapes of real and fake logits differ.
    """
    return F.softplus(_difference(fake, real)).mean()


def relativistic_generator(fake: Tensor, real: Tensor | None) -> Tensor:
    """softplus(−(D(G(z)) − D(x))): the generator loss to :func:`relativistic_discriminator`.

    Raises:
        ValueError: the shapes of real and fake logits differ.
    """
    return F.softplus(-_difference(fake, real)).mean()


def _difference(fake: Tensor, real: Tensor | None) -> Tensor:
    """Return fake minus real logits. ValueError for different shapes, which would broadcast to all pairs."""
    if real is None or real.shape != fake.shape:
        given = "none" if real is None else tuple(real.shape)
        raise ValueError(f"A paired loss needs as many real logits as fake ones: {given} for {tuple(fake.shape)}.")
    return fake - real


LOSSES.register("bce")(AdversarialLoss(bce_discriminator, bce_generator, labelled=True))
LOSSES.register("lsgan")(AdversarialLoss(lsgan_discriminator, lsgan_generator, labelled=True))
LOSSES.register("hinge")(AdversarialLoss(hinge_discriminator, wgan_generator))
LOSSES.register("wgan")(AdversarialLoss(wgan_discriminator, wgan_generator, absolute=False))
LOSSES.register("relativistic")(
    AdversarialLoss(relativistic_discriminator, relativistic_generator, paired=True, absolute=False)
)
