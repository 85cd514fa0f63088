"""Adversarial losses, as functions of the discriminator's logits: (B, …), above 0 for real. Each gives a scalar."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F
from torch import Tensor

NAMES = ("bce", "lsgan", "hinge", "wgan", "relativistic")
LABELLED = ("bce", "lsgan")  #: these learn towards labels, which can be smoothed


@dataclass(frozen=True)
class Adversarial:
    """Both sides of one game: ``discriminator(real, fake)`` and ``generator(fake, real)``.

    Where ``paired``, the generator's side needs the real logits too, as many as fake ones; elsewhere it ignores them,
    and they may be None.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor | None], Tensor]
    paired: bool = False


def adversarial(name: str, smoothing: float = 0.0) -> Adversarial:
    """The game of that name, out of ``NAMES``.

    ``smoothing`` lowers the label of real pictures to 1 − ``smoothing``, for the discriminator only (one-sided:
    Salimans et al. 2016, arXiv:1606.03498, section 3.4).

    Raises:
        ValueError: for an unknown name, ``smoothing`` outside 0…1, or any with a loss that is not in ``LABELLED``.
    """
    if name not in NAMES:
        raise ValueError(f"There is no adversarial loss {name!r}; choose one of {', '.join(NAMES)}.")
    if not 0 <= smoothing < 1:
        raise ValueError(f"Label smoothing of {smoothing} is not in 0…1 (1 excluded); usual is 0.1.")
    if smoothing and name not in LABELLED:
        raise ValueError(f"The loss {name!r} has no labels to smooth; set smoothing 0 or use {' or '.join(LABELLED)}.")
    match name:
        case "bce":
            return Adversarial(partial(bce_discriminator, smoothing=smoothing), bce_generator)
        case "lsgan":
            return Adversarial(partial(lsgan_discriminator, smoothing=smoothing), lsgan_generator)
        case "hinge":
            return Adversarial(hinge_discriminator, critic_generator)
        case "wgan":
            return Adversarial(wgan_discriminator, critic_generator)
        case _:
            return Adversarial(relativistic_discriminator, relativistic_generator, paired=True)


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

    Twice that of Mao et al., for CycleGAN and CUT weigh their other losses against this one.
    """
    return (fake - 0.5).square().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 − D(x)) + max(0, 1 + D(G(z))): Lim & Ye 2017, equation 6."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def wgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """D(G(z)) − D(x): Arjovsky et al. 2017, arXiv:1701.07875, equation 2, for a critic that is kept Lipschitz."""
    return fake.mean() - real.mean()


def critic_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """−D(G(z)): Lim & Ye 2017, equation 7, and Arjovsky et al. 2017, theorem 3."""
    return -fake.mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """softplus(−(D(x) − D(G(z)))), each real with its own fake: Huang et al. 2024, arXiv:2501.05441, equation 2, after
    Jolicoeur-Martineau 2018, arXiv:1807.00734.

    Raises:
        ValueError: if there are not as many real logits as fake ones.
    """
    return F.softplus(_lead(fake, real)).mean()


def relativistic_generator(fake: Tensor, real: Tensor | None) -> Tensor:
    """softplus(−(D(G(z)) − D(x))): the other side of ``relativistic_discriminator``.

    Raises:
        ValueError: if there are not as many real logits as fake ones.
    """
    return F.softplus(-_lead(fake, real)).mean()


def _lead(fake: Tensor, real: Tensor | None) -> Tensor:
    """How far each fake is ahead of its real. Logits of other shapes would broadcast to all pairs, unnoticed."""
    if real is None or real.shape != fake.shape:
        given = "none" if real is None else tuple(real.shape)
        raise ValueError(f"Pairs need as many real logits as fake ones: {given} for {tuple(fake.shape)}.")
    return fake - real
