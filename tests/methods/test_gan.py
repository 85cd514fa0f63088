import copy

import pytest
import torch

from impasto.data.loader import Batch
from impasto.device import Precision, open_fabric
from impasto.losses.adversarial import ADVERSARIAL
from impasto.methods.gan import Gan
from impasto.recipe import Recipe

CPU = torch.device("cpu")
RECIPE = Recipe.load("dcgan-64").replace(
    ["size=16", "batch=8", "latent=6", "generator.width=8", "generator.max_width=16", "discriminator.width=8"]
)


def gan(precision: Precision = "32-true") -> Gan:
    torch.manual_seed(0)
    return Gan(RECIPE, open_fabric(CPU, precision))


def batch(seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    return Batch(torch.rand(8, 3, 16, 16, generator=rng) * 2 - 1, rng)


def test_a_step_is_the_step_of_the_paper_written_out() -> None:
    """Adam on each side's loss in turn, the generator against the discriminator just updated, on the same fakes."""
    ours = gan()
    g, d = (copy.deepcopy(network.module) for network in (ours.generator, ours.discriminator))
    given = batch()
    ours.step(given)

    rng = torch.Generator().manual_seed(0)
    real = torch.rand(8, 3, 16, 16, generator=rng) * 2 - 1
    fake = g(torch.randn(8, 6, generator=rng))
    adam_g = torch.optim.Adam(g.parameters(), 2e-4, (0.5, 0.999))
    adam_d = torch.optim.Adam(d.parameters(), 2e-4, (0.5, 0.999))
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    (bce(d(real), torch.ones(8)) + bce(d(fake.detach()), torch.zeros(8))).backward()
    adam_d.step()
    g.zero_grad()
    bce(d(fake), torch.ones(8)).backward()
    adam_g.step()

    for network, expected in ((ours.generator, g), (ours.discriminator, d)):
        for name, value in expected.named_parameters():
            torch.testing.assert_close(dict(network.module.named_parameters())[name], value, atol=1e-6, rtol=1e-4)


def test_judging_held_out_pictures_changes_nothing_and_is_a_share() -> None:
    method = gan()
    before = copy.deepcopy(method.discriminator.state_dict())
    share = method.judge(batch())["accuracy_heldout"]
    assert 0 <= share <= 1
    assert all(torch.equal(value, before[name]) for name, value in method.discriminator.state_dict().items())
    assert all(parameter.grad is None for parameter in method.discriminator.parameters())


def test_the_discriminator_learns_to_tell_two_pictures_from_the_fakes() -> None:
    method = gan()
    picture = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)).repeat(4, 1, 1, 1) * 2 - 1
    losses = [
        method.step(Batch(picture, torch.Generator().manual_seed(step)))["loss_discriminator"] for step in range(30)
    ]
    assert torch.stack(losses[-5:]).mean() < 0.7 * losses[0]


@pytest.mark.parametrize("loss", ADVERSARIAL)
def test_bf16_steps_like_fp32(loss: str) -> None:
    exact, rough = gan(), gan("bf16-mixed")
    exact.loss = rough.loss = ADVERSARIAL[loss]
    one, two = exact.step(batch()), rough.step(batch())
    for name in ("loss_generator", "loss_discriminator"):
        torch.testing.assert_close(one[name], two[name], atol=0.1, rtol=0.1)
        assert two[name].dtype == torch.float32
    assert all(parameter.dtype == torch.float32 for parameter in rough.style().parameters())


def test_the_same_seed_gives_the_same_inputs_to_look_at() -> None:
    method = gan()
    assert torch.equal(method.inputs(5, 3), method.inputs(5, 3))
    assert not torch.equal(method.inputs(5, 3), method.inputs(5, 4))
    assert method.sample(method.style(), method.inputs(5, 3)).shape == (5, 3, 16, 16)
