import copy
import math

import pytest
import torch
from torch import Tensor

from fixtures.tiny import CPU, batch, copy_state, equals_state, noise, tiny
from impasto.config.recipe import Recipe
from impasto.config.registries import LOSSES
from impasto.data.diffaugment import RAMP
from impasto.data.loader import Batch
from impasto.device import open_fabric
from impasto.methods.discriminator_step import DiscriminatorStep

every_loss = pytest.mark.parametrize("loss", LOSSES)


def discriminator_step(*settings: str, recipe: Recipe | None = None) -> DiscriminatorStep:
    torch.manual_seed(0)
    return DiscriminatorStep(recipe or tiny("cut", "discriminator.norm=none", *settings), open_fabric(CPU, "32-true"))


def projected(*settings: str) -> Recipe:
    values = tiny("cut").model_dump(mode="json")
    values["discriminator"] = {"network": "projected", "width": 8, "pixels": 8, "lr": 1e-3, "betas": [0, 0.9]}
    return Recipe.of(values | {"size": 32}).replace(settings)


def real_and_fake(size: int = 16) -> tuple[Tensor, Tensor]:
    """Return separable real and fake images; the fakes require gradients."""
    real, fake = noise(2, 4, 3, size, size)
    return 0.5 * real + 0.4, (0.5 * fake - 0.4).requires_grad_()


def logit_gap(one: DiscriminatorStep, real: Tensor, fake: Tensor) -> Tensor:
    """Return the mean logit of reals minus that of fakes."""
    with torch.no_grad():
        ahead: Tensor = one.discriminator(real).mean() - one.discriminator(fake).mean()
    return ahead


def gradients(one: DiscriminatorStep) -> Tensor:
    found = [parameter.grad for parameter in one.discriminator.parameters()]
    return torch.cat([grad.flatten() for grad in found if grad is not None])


@every_loss
def test_a_step_increases_the_logit_gap_without_gradients_for_the_generator(loss: str) -> None:
    one, (real, fake) = (
        discriminator_step(f"loss={loss}", "discriminator.lr=1e-3", "discriminator.init_std=0.02"),
        real_and_fake(),
    )
    before = logit_gap(one, real, fake)
    losses = [one.step(real, fake, batch(step))["loss_discriminator"] for step in range(3)]
    assert logit_gap(one, real, fake) > before and losses[-1] < losses[0]
    assert fake.grad is None


@every_loss
def test_the_generator_loss_has_gradients_for_the_fakes_only(loss: str) -> None:
    one, (real, fake) = discriminator_step(f"loss={loss}"), real_and_fake()
    before = copy_state(one.discriminator)
    value = one.generator_loss(fake, real, batch())
    value.backward()
    assert fake.grad is not None and fake.grad.any()
    assert all(parameter.grad is None for parameter in one.discriminator.parameters())
    assert equals_state(one.discriminator, before)
    with torch.no_grad():
        nearer = fake - 10 * fake.grad
        assert one.discriminator(nearer).mean() > one.discriminator(fake).mean()
        assert one.generator_loss(nearer, real, batch()) < value


def test_the_generator_loss_does_not_affect_the_next_discriminator_step() -> None:
    one, other, (real, fake) = discriminator_step(), discriminator_step(), real_and_fake()
    one.generator_loss(fake, real, batch())
    one.step(real, fake, batch())
    other.step(real, fake, batch())
    assert equals_state(one.discriminator, copy_state(other.discriminator))


def test_penalties_are_added_every_nth_step_with_n_times_the_weight() -> None:
    """R1 and R2 are half the squared gradient of each image's mean logit."""
    real, fake = real_and_fake()
    for step in range(5):
        bare = discriminator_step()
        bare.step(real, fake, batch(step))
        penalised = discriminator_step("penalty.r1=3", "penalty.r2=5", "penalty.every=4")
        network = copy.deepcopy(penalised.discriminator.module)
        penalised.step(real, fake, batch(step))
        added = gradients(penalised) - gradients(bare)
        if step % 4:
            assert not added.any()
            continue
        total = torch.zeros(())
        for weight, pictures in ((3, real), (5, fake)):
            given = pictures.detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad(network(given).mean((1, 2)).sum(), given, create_graph=True)
            total = total + 4 * weight * slope.square().sum((1, 2, 3)).mean() / 2
        wanted = torch.autograd.grad(total, list(network.parameters()), allow_unused=True)
        expected = [torch.zeros_like(p) if g is None else g for g, p in zip(wanted, network.parameters(), strict=True)]
        torch.testing.assert_close(added, torch.cat([g.flatten() for g in expected]), atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("kind", ["patchgan", "projected"])
def test_r1_and_r2_are_taken_with_respect_to_images_before_augmentation(kind: str) -> None:
    """Three times the contrast is three times the gradient."""
    recipe = projected() if kind == "projected" else tiny("cut", "discriminator.norm=none")
    one = discriminator_step(recipe=recipe.replace(["penalty.r1=3", "penalty.r2=5"]))
    side = 32 if kind == "projected" else 16
    real, fake = noise(2, 2, 3, side, side)

    def tripled(images: Tensor, rng: torch.Generator) -> Tensor:
        return 3 * images

    one.augment.forward = tripled  # type: ignore[method-assign]
    network = one.discriminator.module.eval()
    found = one._r1_r2(real, fake, batch())
    expected = torch.zeros(())
    for weight, images in ((3, real), (5, fake)):
        given = images.clone().requires_grad_()
        inputs = (3 * given, given) if kind == "projected" else (3 * given,)
        (slope,) = torch.autograd.grad(network(*inputs).flatten(1).mean(1).sum(), given)
        expected = expected + weight * slope.square().sum((1, 2, 3)).mean() / 2
    torch.testing.assert_close(found.detach(), expected, atol=0, rtol=1e-4)


def test_penalties_can_be_differentiated_through_every_augmentation() -> None:
    real, fake = real_and_fake()
    parts = [f"diffaugment.{part}=0.3" for part in ("color", "translation", "scale", "cutout")]
    one = discriminator_step("penalty.r1=1000", "penalty.r2=1000", "discriminator.init_std=0.2", *parts)
    before = one._r1_r2(real, fake, batch())
    for step in range(20):
        one.step(real, fake, batch(step))
    assert 0 < one._r1_r2(real, fake, batch()) < 0.8 * before


def test_the_gradient_penalty_moves_gradient_norms_towards_one() -> None:
    real, fake = real_and_fake()
    one = discriminator_step("loss=wgan", "penalty.gradient=1000", "discriminator.lr=5e-3")

    def slope() -> float:
        given = real.clone().requires_grad_()
        (found,) = torch.autograd.grad(one.discriminator.module(given).mean((1, 2)).sum(), given)
        return float(found.flatten(1).norm(dim=1).mean())

    before = slope()
    for step in range(30):
        one.step(real, fake, batch(step))
    assert abs(slope() - 1) < 0.5 * abs(before - 1)


def test_weights_are_clipped_after_each_step() -> None:
    one, (real, fake) = discriminator_step("loss=wgan", "discriminator.clip_weights=0.01"), real_and_fake()
    assert max(p.abs().max() for p in one.discriminator.parameters()) > 0.1
    one.step(real, fake, batch())
    largest = [p.abs().max().item() for p in one.discriminator.parameters()]
    assert max(largest) == pytest.approx(0.01)


def test_gradients_are_clipped_by_norm() -> None:
    (real, fake), bare = real_and_fake(), discriminator_step()
    bare.step(real, fake, batch())
    length = gradients(bare).norm()
    clipped = discriminator_step(f"discriminator.clip_gradient={length / 7:.9f}")
    clipped.step(real, fake, batch())
    torch.testing.assert_close(gradients(clipped), gradients(bare) / 7, atol=1e-6, rtol=1e-3)
    unclipped = discriminator_step(f"discriminator.clip_gradient={length * 7:.9f}")
    unclipped.step(real, fake, batch())
    assert torch.equal(gradients(unclipped), gradients(bare))


def test_adaptive_augmentation_follows_the_logits_of_reals_and_is_part_of_the_state() -> None:
    settings = ("diffaugment.color=0.5", "diffaugment.probability=0.5", "diffaugment.target=0.6", "loss=hinge")
    one, (real, fake) = discriminator_step(*settings), real_and_fake()
    with torch.no_grad():
        list(one.discriminator.parameters())[-1].fill_(100)  # classifies all images as real
    one.step(real, fake, batch())
    assert one.augment.p == pytest.approx(0.5 + len(real) / RAMP, abs=1e-7)
    resumed = discriminator_step(*settings)
    for name, network in resumed.networks.items():
        network.load_state_dict(copy.deepcopy(one.networks[name].state_dict()))
    assert resumed.augment.p == one.augment.p != 0.5
    with torch.no_grad():
        list(one.discriminator.parameters())[-1].fill_(-100)
    one.step(real, fake, batch())
    assert one.augment.p == pytest.approx(0.5, abs=1e-7)


def test_fixed_augmentation_is_not_part_of_the_state() -> None:
    one = discriminator_step("diffaugment.color=0.5")
    assert one.networks.keys() == {"discriminator"}
    real, fake = real_and_fake()
    one.step(real, fake, batch())
    assert one.augment.p == 1


def test_reals_fakes_and_heldout_images_are_augmented() -> None:
    """With cutout, every image has pixels of 0."""
    seen: list[Tensor] = []
    one, (real, fake) = discriminator_step("diffaugment.cutout=0.5"), real_and_fake()
    one.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    one.step(real, fake, batch())
    one.generator_loss(fake, real, batch())
    one.heldout_accuracy(real, batch().rng)
    assert len(seen) == 4
    assert all((pictures == 0).any() and (pictures != 0).any() for pictures in seen)


@pytest.mark.parametrize("loss", ["hinge", "relativistic"])
def test_discriminators_that_take_unaugmented_images_get_them(loss: str) -> None:
    seen: list[tuple[Tensor, ...]] = []
    one = discriminator_step(recipe=projected("diffaugment.cutout=0.5", f"loss={loss}"))
    real, fake = real_and_fake(32)
    one.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given))
    one.step(real, fake, batch())
    one.generator_loss(fake, real, batch())
    one.heldout_accuracy(real, batch().rng)
    paired = [real] if loss == "relativistic" else []
    assert len(seen) == 4 + len(paired)
    for (augmented, plain), before in zip(seen, [real, fake, *paired, fake, real], strict=True):
        assert torch.equal(plain, before) and plain.requires_grad <= before.requires_grad
        assert (augmented == 0).any() and not torch.equal(augmented, before)
    assert not seen[1][1].requires_grad and seen[-2][1].requires_grad, (
        "fakes require gradients for the generator loss only"
    )


def test_other_discriminators_get_augmented_images_only() -> None:
    seen: list[tuple[Tensor, ...]] = []
    one, (real, fake) = discriminator_step("diffaugment.cutout=0.5"), real_and_fake()
    one.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given))
    one.step(real, fake, batch())
    one.generator_loss(fake, real, batch())
    one.heldout_accuracy(real, batch().rng)
    assert [len(given) for given in seen] == [1] * 4


@pytest.mark.parametrize("loss", [name for name in LOSSES if not LOSSES[name].absolute])
def test_without_an_absolute_boundary_it_is_the_midpoint_of_both_means(loss: str) -> None:
    """All logits are high here, those of reals higher."""
    one, (real, fake) = discriminator_step(f"loss={loss}", "discriminator.lr=2e-3"), real_and_fake()
    with torch.no_grad():
        list(one.discriminator.parameters())[-1].fill_(100)
    for step in range(20):
        losses = one.step(real, fake, batch(step))
    assert losses["accuracy_real"] > 0.8 and losses["accuracy_fake"] > 0.8
    assert one.heldout_accuracy(real, batch().rng) > 0.8 and one.heldout_accuracy(fake.detach(), batch().rng) < 0.2


@pytest.mark.parametrize("loss", [name for name in LOSSES if LOSSES[name].absolute])
def test_an_absolute_boundary_is_at_zero(loss: str) -> None:
    one, (real, fake) = discriminator_step(f"loss={loss}"), real_and_fake()
    with torch.no_grad():
        list(one.discriminator.parameters())[-1].fill_(100)
    losses = one.step(real, fake, batch())
    assert (
        losses["accuracy_real"] == 1
        and losses["accuracy_fake"] == 0
        and one.heldout_accuracy(fake.detach(), batch().rng) == 1
    )


@pytest.mark.parametrize("kind", ["spectral", "batch", "projected"])
def test_heldout_accuracy_changes_no_state_and_not_the_next_step(kind: str) -> None:
    """Singular vectors and running statistics change with every forward pass in training mode."""
    recipe = {
        "spectral": tiny("cut", "discriminator.spectral=true"),
        "batch": tiny("cut", "discriminator.norm=batch"),
        "projected": projected(),
    }[kind]
    one, other = discriminator_step(recipe=recipe), discriminator_step(recipe=recipe)
    before, random, (real, fake) = copy_state(one.discriminator), torch.get_rng_state(), real_and_fake(recipe.size)
    share = one.heldout_accuracy(real, batch().rng)
    assert 0 <= share <= 1 and equals_state(one.discriminator, before) and torch.equal(torch.get_rng_state(), random)
    one.step(real, fake, batch())
    other.step(real, fake, batch())
    assert equals_state(one.discriminator, copy_state(other.discriminator))
    with torch.no_grad():
        one.discriminator(real)
    assert not equals_state(one.discriminator, copy_state(other.discriminator)), (
        "a forward pass alone changes the state"
    )


def test_labels_are_smoothed_for_the_discriminator_only() -> None:
    real, fake = real_and_fake()
    losses = [
        discriminator_step("loss=bce", f"smoothing={s}").step(real, fake, batch())["loss_discriminator"]
        for s in (0, 0.2)
    ]
    assert losses[0] != losses[1]
    values = [discriminator_step("loss=bce", f"smoothing={s}").generator_loss(fake, real, batch()) for s in (0, 0.2)]
    assert values[0] == values[1] and math.isfinite(values[0].item())


def test_augmentation_depends_on_the_random_generator_of_the_step() -> None:
    real, fake = real_and_fake()

    def step(seed: int) -> Tensor:
        given = Batch(real, real, torch.Generator().manual_seed(seed), 0)
        return discriminator_step("diffaugment.translation=0.3").step(real, fake, given)["loss_discriminator"]

    assert step(1) == step(1) != step(2)


def test_the_autoencoder_of_a_discriminator_is_trained_too() -> None:
    values = tiny("gan").model_dump(mode="json")
    values["discriminator"] = {"network": "fastgan", "width": 8, "lr": 1e-3, "betas": [0.5, 0.9]}
    one = discriminator_step(recipe=Recipe.of(values | {"loss": "hinge", "size": 32}))
    real, fake = noise(2, 4, 3, 32, 32)
    decoders = [weight for name, weight in one.discriminator.named_parameters() if "decoder" in name]
    before = [weight.detach().clone() for weight in decoders]
    losses = [one.step(0.5 * real + 0.4, 0.5 * fake - 0.4, batch(step))["loss_reconstruction"] for step in range(6)]
    assert all(not torch.equal(old, new) for old, new in zip(before, decoders, strict=True))
    assert losses[-1] < losses[0]
    assert "loss_reconstruction" not in discriminator_step().step(real[:, :, :16, :16], fake[:, :, :16, :16], batch(0))
