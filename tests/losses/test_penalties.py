from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from impasto.losses.penalties import gradient_penalty, r1, r2

Discriminator = Callable[[Tensor], Tensor]
Penalty = Callable[[Discriminator, Tensor], Tensor]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gp(discriminator: Discriminator, pictures: Tensor) -> Tensor:
    """The gradient penalty at ``pictures`` themselves, with equal real and fake images."""
    return gradient_penalty(discriminator, pictures, pictures, seeded())


PENALTIES = pytest.mark.parametrize("penalty", [r1, r2, gp])


def patches(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """A small patch discriminator: images of 8×8 to logits (B, 1, 4, 4)."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.SiLU(), nn.Conv2d(6, 6, 4, 2, 1), nn.SiLU(), nn.Conv2d(6, 1, 3, padding=1)
    ).to(dtype)


def pictures(count: int = 3, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return (torch.rand(count, 3, 8, 8, generator=seeded(seed)) * 2 - 1).to(dtype)


def weights_gradient(discriminator: nn.Module, value: Tensor) -> Tensor:
    parameters = list(discriminator.parameters())
    found = torch.autograd.grad(value, parameters, allow_unused=True)  # the last bias has no gradient
    zeros = (torch.zeros_like(p) if g is None else g for g, p in zip(found, parameters, strict=True))
    return torch.cat([each.flatten() for each in zeros])


@given(seed=st.integers(0, 99), scale=st.floats(0.01, 10))
def test_penalties_of_a_linear_discriminator_are_functions_of_its_weights_norm(seed: int, scale: float) -> None:
    w = torch.randn(5, generator=seeded(seed)).double().mul(scale).requires_grad_()
    x, y = torch.randn(2, 7, 5, generator=seeded(seed)).double()
    norm = w.detach().norm()
    for penalty in (r1, r2):
        value = penalty(lambda pictures: pictures @ w, x)
        torch.testing.assert_close(value, 0.5 * norm**2)
        torch.testing.assert_close(torch.autograd.grad(value, w)[0], w.detach())
    value = gradient_penalty(lambda pictures: pictures @ w, x, y, seeded(seed))
    torch.testing.assert_close(value, (norm - 1) ** 2)
    torch.testing.assert_close(torch.autograd.grad(value, w)[0], 2 * (norm - 1) * w.detach() / norm)


def test_penalties_equal_finite_differences_of_each_images_mean_logit() -> None:
    network, x, step = patches(torch.double), pictures(dtype=torch.double), 1e-5
    offsets = torch.eye(x[0].numel(), dtype=torch.double).reshape(-1, *x[0].shape) * step
    with torch.no_grad():
        slopes = [
            (network(one + offsets).mean((1, 2, 3)) - network(one - offsets).mean((1, 2, 3))) / (2 * step) for one in x
        ]
    norms = torch.stack(slopes).norm(dim=1)
    torch.testing.assert_close(r1(network, x).detach(), 0.5 * norms.square().mean(), rtol=1e-7, atol=0)
    torch.testing.assert_close(gp(network, x).detach(), (norms - 1).square().mean(), rtol=1e-7, atol=0)


@PENALTIES
def test_gradients_of_penalties_equal_finite_differences(penalty: Penalty) -> None:
    network, x = patches(torch.double), pictures(2, dtype=torch.double)
    first, last = network.get_parameter("0.weight"), network.get_parameter("4.weight")

    def value(first: Tensor, last: Tensor) -> Tensor:
        weights = {"0.weight": first, "4.weight": last}
        return penalty(lambda given: torch.func.functional_call(network, weights, (given,)), x)

    assert torch.autograd.gradcheck(value, (first, last))


@PENALTIES
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_does_not_change_a_penalty_or_its_gradient(penalty: Penalty, dtype: torch.dtype) -> None:
    """Bit for bit, although the network itself returns bf16 under autocast."""
    network, x = patches(), pictures().to(dtype)
    value = penalty(network, x.float())
    gradient = weights_gradient(network, value)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(x).dtype == torch.bfloat16
        autocast = penalty(network, x)
    assert autocast.dtype == torch.float32 and torch.equal(autocast, value)
    assert torch.equal(weights_gradient(network, autocast), gradient)
    torch.testing.assert_close(autocast.double(), penalty(patches(torch.double), x.double()), rtol=1e-5, atol=0)


@PENALTIES
def test_repeated_logits_do_not_change_a_penalty(penalty: Penalty) -> None:
    network, x = nn.Sequential(nn.Conv2d(3, 4, 8), nn.Tanh(), nn.Conv2d(4, 1, 1)), pictures()
    once = penalty(network, x)
    torch.testing.assert_close(penalty(lambda given: network(given).expand(-1, 1, 6, 6), x), once)
    torch.testing.assert_close(penalty(lambda given: network(given).flatten(), x), once)


@PENALTIES
def test_penalties_have_gradients_for_the_discriminator_only(penalty: Penalty) -> None:
    network, x = patches(), pictures().requires_grad_()
    penalty(network, x).backward()
    assert x.grad is None
    for name in ("0.weight", "2.weight", "4.weight"):
        gradient = network.get_parameter(name).grad
        assert gradient is not None and gradient.abs().max() > 0


@PENALTIES
def test_in_place_activations_do_not_change_a_penalty(penalty: Penalty) -> None:
    def network(inplace: bool) -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 6, 4, 2, 1), nn.LeakyReLU(0.2, inplace), nn.Conv2d(6, 1, 4))

    plain, inplace = network(False), network(True)
    expected = weights_gradient(plain, penalty(plain, pictures()))
    torch.testing.assert_close(weights_gradient(inplace, penalty(inplace, pictures())), expected)


def test_each_image_is_interpolated_at_its_own_uniform_weight() -> None:
    seen: list[Tensor] = []

    def discriminator(given: Tensor) -> Tensor:
        seen.append(given.detach())
        return given.sum((1, 2, 3))

    real, fake = pictures(50, 1), pictures(50, 2)
    for seed in (0, 0, 1):
        gradient_penalty(discriminator, real, fake, seeded(seed))
    u = ((seen[0] - fake) * (real - fake)).sum((1, 2, 3)) / (real - fake).square().sum((1, 2, 3))
    torch.testing.assert_close(
        seen[0], torch.einsum("b,b...->b...", u, real) + torch.einsum("b,b...->b...", 1 - u, fake)
    )
    assert 0 <= u.min() < 0.1 and 0.9 < u.max() <= 1 and len(u.unique()) == 50
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2])


def test_the_gradient_penalty_of_a_constant_discriminator_is_one_with_a_finite_gradient() -> None:
    w = torch.zeros(3, 8, 8, requires_grad=True)
    value = gp(lambda given: (given * w).sum((1, 2, 3)), pictures())
    assert value == 1
    assert torch.autograd.grad(value, w)[0].isfinite().all()
