"""Penalties on how steeply a discriminator answers, as functions of its gradient at given pictures.

A picture's logit is the mean over all its logits: a discriminator of patches is penalised for the one number that
the picture's loss is about, however many logits say it. Where each logit sees only a part of the picture, the squared
gradient of their mean falls with their number: choose the weight for the size that is trained.

Everything here runs in float32 with autocast off, wherever it is called: in bf16 the second derivative is noise. The
discriminator must be a plain network for that (a Fabric wrapper's ``module``: the wrapper would switch autocast on
again) and not compiled, since a compiled network has no second derivative. Nor should it normalise over the batch,
which mixes one picture's gradient with another's.

A lazy penalty, added at every k-th step only, is multiplied by k to act as strongly (Karras et al. 2020,
arXiv:1912.04958, section 3.1).
"""

from collections.abc import Callable

import torch
from torch import Tensor

Discriminator = Callable[[Tensor], Tensor]  #: pictures (B, …) to logits (B, …)


def gradient_penalty(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """E (‖∇D(x̂)‖ − 1)² at x̂ = u · real + (1 − u) · fake, one uniform u a picture, without its weight (often 10).

    ``real`` and ``fake`` are (B, …) alike, ``rng`` is on their device. Gulrajani et al. 2017, arXiv:1704.00028,
    equation 3.
    """
    real, fake = _precise(real), _precise(fake)
    u = torch.rand(len(real), *(1,) * (real.dim() - 1), device=real.device, dtype=real.dtype, generator=rng)
    norm: Tensor = torch.linalg.vector_norm(_gradient(discriminator, fake.lerp(real, u)), dim=1)  # (B,)
    return (norm - 1).square().mean()


def r1(discriminator: Discriminator, real: Tensor) -> Tensor:
    """½ E ‖∇D(x)‖² at reals (B, …), without its weight γ: Mescheder et al. 2018, arXiv:1801.04406, equation 9."""
    return 0.5 * _gradient(discriminator, real).square().sum(1).mean()


def r2(discriminator: Discriminator, fake: Tensor) -> Tensor:
    """½ E ‖∇D(G(z))‖² at fakes (B, …), without its weight γ: Mescheder et al. 2018, arXiv:1801.04406, equation 10.

    The fakes are taken as they are: nothing reaches the generator.
    """
    return 0.5 * _gradient(discriminator, fake).square().sum(1).mean()


def _precise(pictures: Tensor) -> Tensor:
    """Detached, and float32 at the least."""
    return pictures.detach().to(torch.promote_types(pictures.dtype, torch.float32))


def _gradient(discriminator: Discriminator, pictures: Tensor) -> Tensor:
    """Each picture's gradient of its own mean logit, (B, values in a picture), differentiable once more."""
    pictures = _precise(pictures).requires_grad_()
    with torch.autocast(pictures.device.type, enabled=False):
        logits = discriminator(pictures).reshape(len(pictures), -1).mean(1)  # (B,)
        (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gradient.flatten(1)
