import copy
import math

import pytest
import torch
from torch import Tensor

from fixtures.tiny import CPU, batch, noise, state, tiny, unchanged
from impasto.config.recipe import Recipe
from impasto.config.registries import LOSSES
from impasto.data.diffaugment import RAMP
from impasto.data.loader import Batch
from impasto.device import open_fabric
from impasto.methods.discriminator_step import DiscriminatorStep

every_loss = pytest.mark.parametrize("loss", LOSSES)


def adversary(*settings: str, recipe: Recipe | None = None) -> DiscriminatorStep:
    torch.manual_seed(0)
    return DiscriminatorStep(recipe or tiny("cut", "discriminator.norm=none", *settings), open_fabric(CPU, "32-true"))


def projected(*settings: str) -> Recipe:
    values = tiny("cut").model_dump(mode="json")
    values["discriminator"] = {"network": "projected", "width": 8, "pixels": 8, "lr": 1e-3, "betas": [0, 0.9]}
    return Recipe.of(values).replace(settings)


def sides() -> tuple[Tensor, Tensor]:
    """Real and fake pictures that can be told apart; the fake ones come from a generator."""
    real, fake = noise(2, 4, 3, 16, 16)
    return 0.5 * real + 0.4, (0.5 * fake - 0.4).requires_grad_()


def lead(one: DiscriminatorStep, real: Tensor, fake: Tensor) -> Tensor:
    """How far above the fakes' the logits of the reals are."""
    with torch.no_grad():
        ahead: Tensor = one.discriminator(real).mean() - one.discriminator(fake).mean()
    return ahead


def gradients(one: DiscriminatorStep) -> Tensor:
    found = [parameter.grad for parameter in one.discriminator.parameters()]
    return torch.cat([grad.flatten() for grad in found if grad is not None])


@every_loss
def test_a_step_lifts_the_reals_above_the_fakes_and_leaves_the_generator_alone(loss: str) -> None:
    one, (real, fake) = adversary(f"loss={loss}", "discriminator.lr=1e-3", "discriminator.init_std=0.02"), sides()
    before = lead(one, real, fake)
    losses = [one.step(real, fake, batch(step))["loss_discriminator"] for step in range(3)]
    assert lead(one, real, fake) > before and losses[-1] < losses[0]
    assert fake.grad is None


@every_loss
def test_against_it_the_fakes_learn_and_the_discriminator_does_not(loss: str) -> None:
    one, (real, fake) = adversary(f"loss={loss}"), sides()
    before = state(one.discriminator)
    value = one.generator_loss(fake, real, batch())
    value.backward()
    assert fake.grad is not None and fake.grad.any()
    assert all(parameter.grad is None for parameter in one.discriminator.parameters())
    assert unchanged(one.discriminator, before)
    with torch.no_grad():
        nearer = fake - 10 * fake.grad
        assert one.discriminator(nearer).mean() > one.discriminator(fake).mean()
        assert one.generator_loss(nearer, real, batch()) < value


def test_after_a_game_against_it_the_discriminator_learns_as_before() -> None:
    one, other, (real, fake) = adversary(), adversary(), sides()
    one.generator_loss(fake, real, batch())
    one.step(real, fake, batch())
    other.step(real, fake, batch())
    assert unchanged(one.discriminator, state(other.discriminator))


def test_penalties_come_every_nth_step_and_are_n_times_as_heavy() -> None:
    """R1 and R2 as half the squared gradient of each picture's mean logit, written out."""
    real, fake = sides()
    for step in range(5):
        bare = adversary()
        bare.step(real, fake, batch(step))
        penalised = adversary("penalty.r1=3", "penalty.r2=5", "penalty.every=4")
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


def test_the_gradient_penalty_draws_a_critic_towards_slope_one() -> None:
    real, fake = sides()
    one = adversary("loss=wgan", "penalty.gradient=1000", "discriminator.lr=5e-3")

    def slope() -> float:
        given = real.clone().requires_grad_()
        (found,) = torch.autograd.grad(one.discriminator.module(given).mean((1, 2)).sum(), given)
        return float(found.flatten(1).norm(dim=1).mean())

    before = slope()
    for step in range(30):
        one.step(real, fake, batch(step))
    assert abs(slope() - 1) < 0.5 * abs(before - 1)


def test_weights_are_clipped_after_each_step() -> None:
    one, (real, fake) = adversary("loss=wgan", "discriminator.clip_weights=0.01"), sides()
    assert max(p.abs().max() for p in one.discriminator.parameters()) > 0.1
    one.step(real, fake, batch())
    largest = [p.abs().max().item() for p in one.discriminator.parameters()]
    assert max(largest) == pytest.approx(0.01)


def test_a_long_gradient_is_shortened_and_keeps_its_direction() -> None:
    (real, fake), bare = sides(), adversary()
    bare.step(real, fake, batch())
    length = gradients(bare).norm()
    shortened = adversary(f"discriminator.clip_gradient={length / 7:.9f}")
    shortened.step(real, fake, batch())
    torch.testing.assert_close(gradients(shortened), gradients(bare) / 7, atol=1e-6, rtol=1e-3)
    left = adversary(f"discriminator.clip_gradient={length * 7:.9f}")
    left.step(real, fake, batch())
    assert torch.equal(gradients(left), gradients(bare))


def test_augmentation_that_adapts_is_part_of_the_state_and_follows_the_reals() -> None:
    settings = ("diffaugment.color=0.5", "diffaugment.probability=0.5", "diffaugment.target=0.6", "loss=hinge")
    one, (real, fake) = adversary(*settings), sides()
    with torch.no_grad():
        list(one.discriminator.parameters())[-1].fill_(100)  # all is real to it
    one.step(real, fake, batch())
    assert one.augment.p == pytest.approx(0.5 + len(real) / RAMP, abs=1e-7)
    resumed = adversary(*settings)
    for name, network in resumed.networks.items():
        network.load_state_dict(copy.deepcopy(one.networks[name].state_dict()))
    assert resumed.augment.p == one.augment.p != 0.5
    with torch.no_grad():
        list(one.discriminator.parameters())[-1].fill_(-100)
    one.step(real, fake, batch())
    assert one.augment.p == pytest.approx(0.5, abs=1e-7)


def test_augmentation_that_does_not_adapt_is_no_part_of_it() -> None:
    one = adversary("diffaugment.color=0.5")
    assert one.networks.keys() == {"discriminator"}
    real, fake = sides()
    one.step(real, fake, batch())
    assert one.augment.p == 1


def test_both_sides_and_unseen_pictures_are_varied_before_they_are_judged() -> None:
    """With a cutout, pictures that differ in one corner alone are sometimes the same."""
    seen: list[Tensor] = []
    one, (real, fake) = adversary("diffaugment.cutout=0.5"), sides()
    one.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    one.step(real, fake, batch())
    one.generator_loss(fake, real, batch())
    one.heldout_accuracy(real, batch().rng)
    assert len(seen) == 4
    assert all((pictures == 0).any() and (pictures != 0).any() for pictures in seen)


@pytest.mark.parametrize("loss", ["hinge", "relativistic"])
def test_a_discriminator_that_asks_for_them_is_given_the_pictures_before_augmentation_too(loss: str) -> None:
    seen: list[tuple[Tensor, ...]] = []
    one = adversary(recipe=projected("diffaugment.cutout=0.5", f"loss={loss}"))
    real, fake = sides()
    one.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given))
    one.step(real, fake, batch())
    one.generator_loss(fake, real, batch())
    one.heldout_accuracy(real, batch().rng)
    paired = [real] if loss == "relativistic" else []
    assert len(seen) == 4 + len(paired)
    for (augmented, plain), before in zip(seen, [real, fake, *paired, fake, real], strict=True):
        assert torch.equal(plain, before) and plain.requires_grad <= before.requires_grad
        assert (augmented == 0).any() and not torch.equal(augmented, before)
    assert not seen[1][1].requires_grad and seen[-2][1].requires_grad, "of fakes only the generator learns"


def test_all_others_are_given_the_augmented_ones_alone() -> None:
    seen: list[tuple[Tensor, ...]] = []
    one, (real, fake) = adversary("diffaugment.cutout=0.5"), sides()
    one.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given))
    one.step(real, fake, batch())
    one.generator_loss(fake, real, batch())
    one.heldout_accuracy(real, batch().rng)
    assert [len(given) for given in seen] == [1] * 4


@pytest.mark.parametrize("loss", [name for name in LOSSES if not LOSSES[name].absolute])
def test_where_a_loss_leaves_zero_open_the_boundary_is_halfway(loss: str) -> None:
    """All logits are high; the reals' are higher."""
    one, (real, fake) = adversary(f"loss={loss}", "discriminator.lr=2e-3"), sides()
    with torch.no_grad():
        list(one.discriminator.parameters())[-1].fill_(100)
    for step in range(20):
        losses = one.step(real, fake, batch(step))
    assert losses["accuracy_real"] > 0.8 and losses["accuracy_fake"] > 0.8
    assert one.heldout_accuracy(real, batch().rng) > 0.8 and one.heldout_accuracy(fake.detach(), batch().rng) < 0.2


@pytest.mark.parametrize("loss", [name for name in LOSSES if LOSSES[name].absolute])
def test_where_a_loss_has_its_boundary_at_zero_it_stays_there(loss: str) -> None:
    one, (real, fake) = adversary(f"loss={loss}"), sides()
    with torch.no_grad():
        list(one.discriminator.parameters())[-1].fill_(100)
    losses = one.step(real, fake, batch())
    assert (
        losses["accuracy_real"] == 1
        and losses["accuracy_fake"] == 0
        and one.heldout_accuracy(fake.detach(), batch().rng) == 1
    )


@pytest.mark.parametrize("kind", ["spectral", "batch", "projected"])
def test_judging_changes_nothing_not_even_how_the_next_step_goes(kind: str) -> None:
    """Singular vectors and running statistics move whenever the network is used in training."""
    recipe = {
        "spectral": tiny("cut", "discriminator.spectral=true"),
        "batch": tiny("cut", "discriminator.norm=batch"),
        "projected": projected(),
    }[kind]
    one, other = adversary(recipe=recipe), adversary(recipe=recipe)
    before, random, (real, fake) = state(one.discriminator), torch.get_rng_state(), sides()
    share = one.heldout_accuracy(real, batch().rng)
    assert 0 <= share <= 1 and unchanged(one.discriminator, before) and torch.equal(torch.get_rng_state(), random)
    one.step(real, fake, batch())
    other.step(real, fake, batch())
    assert unchanged(one.discriminator, state(other.discriminator))
    with torch.no_grad():
        one.discriminator(real)
    assert not unchanged(one.discriminator, state(other.discriminator)), "or nothing would have been kept"


def test_labels_are_smoothed_for_the_discriminator_alone() -> None:
    real, fake = sides()
    losses = [adversary("loss=bce", f"smoothing={s}").step(real, fake, batch())["loss_discriminator"] for s in (0, 0.2)]
    assert losses[0] != losses[1]
    values = [adversary("loss=bce", f"smoothing={s}").generator_loss(fake, real, batch()) for s in (0, 0.2)]
    assert values[0] == values[1] and math.isfinite(values[0].item())


def test_the_random_numbers_of_a_step_decide_its_augmentation() -> None:
    real, fake = sides()

    def step(seed: int) -> Tensor:
        given = Batch(real, real, torch.Generator().manual_seed(seed), 0)
        return adversary("diffaugment.translation=0.3").step(real, fake, given)["loss_discriminator"]

    assert step(1) == step(1) != step(2)


def test_what_draws_again_learns_to_beside_judging() -> None:
    values = tiny("gan").model_dump(mode="json")
    values["discriminator"] = {"network": "fastgan", "width": 8, "lr": 1e-3, "betas": [0.5, 0.9]}
    one = adversary(recipe=Recipe.of(values | {"loss": "hinge", "size": 32}))
    real, fake = noise(2, 4, 3, 32, 32)
    drawing = [weight for name, weight in one.discriminator.named_parameters() if "decoder" in name]
    before = [weight.detach().clone() for weight in drawing]
    losses = [one.step(0.5 * real + 0.4, 0.5 * fake - 0.4, batch(step))["loss_reconstruction"] for step in range(6)]
    assert all(not torch.equal(old, new) for old, new in zip(before, drawing, strict=True))
    assert losses[-1] < losses[0]
    assert "loss_reconstruction" not in adversary().step(real[:, :, :16, :16], fake[:, :, :16, :16], batch(0))
