"""Gradient penalties: functions of a discriminator's gradient with respect to its input images.

For a patch discriminator the gradient is that of the mean over an image's logits. Where each logit depends on a part of
the image only, the squared gradient of their mean decreases with their number: choose the weight for the image size.

All penalties run in float32 with autocast off, since second derivatives in bf16 are noise. Pass the bare network (a
Fabric wrapper's ``module``, since the wrapper enables autocast again), not a compiled one, which has no second
derivative. It must not normalise over the batch, which mixes the gradients of different images: recipes with a penalty
and such a discriminator are refused.

Lazy regularisation: a penalty that is added at every k-th step only is multiplied by k (Karras et al. 2020,
arXiv:1912.04958, section 3.1).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from impasto import parallel

Discriminator = Callable[[Tensor], Tensor]  #: images (B, …) to logits (B, …)


def gradient_penalty(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """E (‖∇D(x̂)‖ − 1)² at x̂ = u · real + (1 − u) · fake, one uniform u per image, without its weight (often 10):
    Gulrajani et al. 2017, arXiv:1704.00028, equation 3.

    ``real`` and ``fake`` are (B, …) of the same shape, ``rng`` is on their device.
    """
    real, fake = _to_float32(real), _to_float32(fake)
    shape = (parallel.whole(len(real)), *(1,) * (real.dim() - 1))
    u = parallel.part(torch.rand(shape, device=real.device, dtype=real.dtype, generator=rng))
    norm: Tensor = torch.linalg.vector_norm(_gradient(discriminator, fake.lerp(real, u)), dim=1)  # (B,)
    return (norm - 1).square().mean()


def r1(discriminator: Discriminator, real: Tensor) -> Tensor:
    """½ E ‖∇D(x)‖² at reals (B, …), without its weight γ: Mescheder et al. 2018, arXiv:1801.04406, equation 9."""
    return 0.5 * _gradient(discriminator, real).square().sum(1).mean()


def r2(discriminator: Discriminator, fake: Tensor) -> Tensor:
    """½ E ‖∇D(G(z))‖² at fakes (B, …), without its weight γ: Mescheder et al. 2018, arXiv:1801.04406, equation 10.

    The fakes are detached: the generator gets no gradient.
    """
    return 0.5 * _gradient(discriminator, fake).square().sum(1).mean()


def _to_float32(images: Tensor) -> Tensor:
    """Return images detached, in float32 or float64."""
    return images.detach().to(torch.promote_types(images.dtype, torch.float32))


def _gradient(discriminator: Discriminator, images: Tensor) -> Tensor:
    """Return the gradients (B, D) of each image's mean logit with respect to its D values, differentiable again."""
    images = _to_float32(images).requires_grad_()
    with torch.autocast(images.device.type, enabled=False):
        logits = discriminator(images).reshape(len(images), -1).mean(1)  # (B,)
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.flatten(1)
