import math

import pytest
import torch
import torch.nn.functional as F

from impasto.losses.adversarial import ADVERSARIAL


def test_bce_is_the_binary_cross_entropy_of_the_paper() -> None:
    real, fake = torch.randn(50), torch.randn(50)
    ones, zeros = torch.ones(50), torch.zeros(50)
    expected = F.binary_cross_entropy(real.sigmoid(), ones) + F.binary_cross_entropy(fake.sigmoid(), zeros)
    torch.testing.assert_close(ADVERSARIAL["bce"].discriminator(real, fake), expected)
    torch.testing.assert_close(ADVERSARIAL["bce"].generator(fake), F.binary_cross_entropy(fake.sigmoid(), ones))


def test_bce_of_a_perfect_discriminator_is_zero_and_of_a_blind_one_two_log_two() -> None:
    game = ADVERSARIAL["bce"]
    assert game.discriminator(torch.full((4,), 100.0), torch.full((4,), -100.0)).item() == pytest.approx(0, abs=1e-30)
    assert game.discriminator(torch.zeros(4), torch.zeros(4)).item() == pytest.approx(2 * math.log(2))


def test_bce_stays_finite_where_a_sigmoid_would_saturate() -> None:
    assert ADVERSARIAL["bce"].generator(torch.tensor([-1e4])).item() == pytest.approx(1e4)


def test_lsgan_is_the_squared_distance_to_the_labels_with_the_boundary_at_zero() -> None:
    real, fake = torch.randn(50), torch.randn(50)
    expected = 0.5 * F.mse_loss(real + 0.5, torch.ones(50)) + 0.5 * F.mse_loss(fake + 0.5, torch.zeros(50))
    torch.testing.assert_close(ADVERSARIAL["lsgan"].discriminator(real, fake), expected)
    torch.testing.assert_close(ADVERSARIAL["lsgan"].generator(fake), 0.5 * F.mse_loss(fake + 0.5, torch.ones(50)))


def test_hinge_stops_caring_beyond_its_margin() -> None:
    game = ADVERSARIAL["hinge"]
    assert game.discriminator(torch.tensor([1.0, 5.0]), torch.tensor([-1.0, -7.0])) == 0
    assert game.discriminator(torch.tensor([0.0]), torch.tensor([0.0])) == 2


def gradient(of: torch.Tensor) -> torch.Tensor:
    assert of.grad is not None
    return of.grad


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_each_side_gains_in_its_own_direction(name: str) -> None:
    real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    ADVERSARIAL[name].discriminator(real, fake).backward()
    assert gradient(real).max() < 0 < gradient(fake).min()
    fake = torch.zeros(3, requires_grad=True)
    ADVERSARIAL[name].generator(fake).backward()
    assert gradient(fake).max() < 0
