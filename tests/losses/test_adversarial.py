import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from impasto.config.registries import LOSSES
from impasto.losses.adversarial import AdversarialLoss, bce_discriminator, relativistic_generator


def gradient(of: torch.Tensor) -> torch.Tensor:
    assert of.grad is not None
    return of.grad


def test_bce_equals_binary_cross_entropy() -> None:
    real, fake = torch.randn(50), torch.randn(50)
    ones, zeros = torch.ones(50), torch.zeros(50)
    expected = F.binary_cross_entropy(real.sigmoid(), ones) + F.binary_cross_entropy(fake.sigmoid(), zeros)
    loss = LOSSES["bce"]
    torch.testing.assert_close(loss.discriminator(real, fake), expected)
    torch.testing.assert_close(loss.generator(fake, None), F.binary_cross_entropy(fake.sigmoid(), ones))


def test_bce_is_zero_for_a_perfect_discriminator_and_2_log_2_at_chance() -> None:
    loss = LOSSES["bce"]
    assert loss.discriminator(torch.full((4,), 100.0), torch.full((4,), -100.0)).item() == pytest.approx(0, abs=1e-30)
    assert loss.discriminator(torch.zeros(4), torch.zeros(4)).item() == pytest.approx(2 * math.log(2))


def test_bce_is_finite_where_a_sigmoid_saturates() -> None:
    assert LOSSES["bce"].generator(torch.tensor([-1e4]), None).item() == pytest.approx(1e4)
    smoothed = LOSSES["bce"].smoothed(0.1).discriminator(torch.tensor([-1e4]), torch.tensor([0.0]))
    assert smoothed.item() == pytest.approx(0.9e4, rel=1e-3)


def test_lsgan_is_the_squared_distance_to_the_labels_with_the_boundary_at_logit_zero() -> None:
    real, fake = torch.randn(50), torch.randn(50)
    expected = 0.5 * F.mse_loss(real + 0.5, torch.ones(50)) + 0.5 * F.mse_loss(fake + 0.5, torch.zeros(50))
    loss = LOSSES["lsgan"]
    torch.testing.assert_close(loss.discriminator(real, fake), expected)
    torch.testing.assert_close(loss.generator(fake, None), F.mse_loss(fake + 0.5, torch.ones(50)))


@given(smoothing=st.floats(0, 0.5), seed=st.integers(0, 99))
def test_label_smoothing_is_one_sided(smoothing: float, seed: int) -> None:
    real, fake = torch.randn(2, 20, generator=torch.Generator().manual_seed(seed))
    labels, zeros = torch.full((20,), 1 - smoothing), torch.zeros(20)
    bce, lsgan = LOSSES["bce"].smoothed(smoothing), LOSSES["lsgan"].smoothed(smoothing)
    expected = F.binary_cross_entropy_with_logits(real, labels) + F.binary_cross_entropy_with_logits(fake, zeros)
    torch.testing.assert_close(bce.discriminator(real, fake), expected)
    expected = 0.5 * F.mse_loss(real + 0.5, labels) + 0.5 * F.mse_loss(fake + 0.5, zeros)
    torch.testing.assert_close(lsgan.discriminator(real, fake), expected)
    for name, loss in (("bce", bce), ("lsgan", lsgan)):
        assert torch.equal(loss.generator(fake, None), LOSSES[name].generator(fake, None))


def test_a_loss_without_labels_refuses_label_smoothing() -> None:
    assert {name for name, loss in LOSSES.items() if loss.labelled} == {"bce", "lsgan"}
    for loss in LOSSES.values():
        if not loss.labelled:
            with pytest.raises(ValueError, match="without labels"):
                loss.smoothed(0.1)
    with pytest.raises(ValueError, match=r"smoothing of 1\.0"):
        LOSSES["bce"].smoothed(1.0)


def test_hinge_is_zero_beyond_the_margin() -> None:
    loss = LOSSES["hinge"]
    assert loss.discriminator(torch.tensor([1.0, 5.0]), torch.tensor([-1.0, -7.0])) == 0
    assert loss.discriminator(torch.tensor([0.0]), torch.tensor([0.0])) == 2


def test_wgan_is_the_difference_of_means_and_invariant_to_a_common_shift() -> None:
    loss, real, fake = LOSSES["wgan"], torch.tensor([1.0, 3.0]), torch.tensor([-2.0, 0.0])
    assert loss.discriminator(real, fake) == -3
    assert loss.discriminator(real + 9, fake + 9) == -3
    assert loss.generator(fake, None) == 1


def test_relativistic_equals_its_formula_over_pairs() -> None:
    loss, real, fake = LOSSES["relativistic"], torch.randn(2, 1, 3, 3), torch.randn(2, 1, 3, 3)
    pairs = list(zip(real.flatten().tolist(), fake.flatten().tolist(), strict=True))
    discriminator = sum(math.log1p(math.exp(-(r - f))) for r, f in pairs) / len(pairs)
    generator = sum(math.log1p(math.exp(-(f - r))) for r, f in pairs) / len(pairs)
    assert loss.discriminator(real, fake).item() == pytest.approx(discriminator, rel=1e-5)
    assert loss.generator(fake, real).item() == pytest.approx(generator, rel=1e-5)


def test_relativistic_refuses_logits_of_different_shapes() -> None:
    loss = LOSSES["relativistic"]
    with pytest.raises(ValueError, match="none for"):
        loss.generator(torch.zeros(4), None)
    with pytest.raises(ValueError, match=r"\(4, 1\) for \(4,\)"):
        loss.discriminator(torch.zeros(4, 1), torch.zeros(4))


@pytest.mark.parametrize("name", LOSSES)
def test_the_generator_loss_depends_on_reals_for_paired_losses_only(name: str) -> None:
    loss, fake, real, other = LOSSES[name], *torch.randn(3, 8)
    assert loss.paired == (not torch.equal(loss.generator(fake, real), loss.generator(fake, other)))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(3,), (3, 1, 2, 2)])
def test_gradients_of_discriminator_and_generator_have_the_right_sign(name: str, shape: tuple[int, ...]) -> None:
    real, fake = torch.zeros(shape, requires_grad=True), torch.zeros(shape, requires_grad=True)
    LOSSES[name].discriminator(real, fake).backward()
    assert gradient(real).max() < 0 < gradient(fake).min()
    fake = torch.zeros(shape, requires_grad=True)
    LOSSES[name].generator(fake, torch.zeros(shape)).backward()
    assert gradient(fake).max() < 0


def test_smoothing_keeps_the_other_properties_of_a_loss() -> None:
    loss = AdversarialLoss(bce_discriminator, relativistic_generator, paired=True, labelled=True, absolute=False)
    smoothed = loss.smoothed(0.1)
    assert (smoothed.paired, smoothed.labelled, smoothed.absolute) == (True, True, False)
