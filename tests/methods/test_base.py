"""What holds for every method: a new one needs a tiny recipe in ``tiny`` and no test of its own here."""

import copy

import pytest
import torch
from torch import Tensor, nn

from fixtures.tiny import TINY, batch, build, pictures, state, tiny, unchanged
from impasto.config.registries import METHODS
from impasto.data.loader import Batch, Loader
from impasto.methods.base import Method

FROM_NOISE = {"gan", "progressive"}
every_method = pytest.mark.parametrize("name", METHODS)
translators = pytest.mark.parametrize("name", [name for name in METHODS if name not in FROM_NOISE])
#: All that a step may do: losses besides the adversarial one, augmentation that adapts, penalties.
RICH = {
    "gan": [],
    "progressive": [],
    "unconstrained": ["content=1", "identity=1"],
    "cyclegan": ["pool=3"],
    "cut": ["identity=1"],
    "fsesim": [],
}
AUGMENTED = ["diffaugment.color=0.5", "diffaugment.cutout=0.5", "diffaugment.target=0.6", "diffaugment.probability=0.3"]


def given(name: str, step: int = 0, count: int = 2) -> Batch:
    """A batch of noise, as large as the method's tiny recipe wants it."""
    return batch(step, count=count, size=tiny(name).size)


def subjects(name: str) -> Loader:
    """Five photos, larger than what is learned from."""
    recipe = tiny(name, "augment.scale=[0.8,1.0]")
    return pictures(recipe, recipe.stored_size)


def everything(method: Method) -> dict[str, dict[str, Tensor]]:
    return {name: state(network) for name, network in method.networks.items()}


def flat(network: nn.Module) -> Tensor:
    """All weights in one row."""
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def test_every_method_has_a_recipe_and_a_tiny_one_to_be_tested_with() -> None:
    assert METHODS.keys() == TINY.keys() == RICH.keys()


@every_method
def test_all_losses_have_names_and_are_finite_in_bf16(name: str) -> None:
    method = build(name, *RICH[name], *AUGMENTED, precision="bf16-mixed")
    losses = method.step(given(name))
    assert {
        "loss_generator",
        "loss_discriminator",
        "accuracy_real",
        "accuracy_fake",
        "diversity_ratio",
    } <= losses.keys()
    assert all(each.startswith(("loss_", "accuracy_")) or each == "diversity_ratio" for each in losses)
    for each, value in losses.items():
        assert value.shape == () and value.isfinite() and not value.requires_grad and value.dtype == torch.float32, each
    weights = [weight for network in method.networks.values() for weight in network.parameters()]
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in weights)


@every_method
def test_bf16_steps_like_fp32(name: str) -> None:
    one, two = (build(name, *RICH[name], precision=p).step(given(name)) for p in ("32-true", "bf16-mixed"))
    assert one.keys() == two.keys()
    for each in one:
        if each.startswith("loss_"):
            assert one[each].item() == pytest.approx(two[each].item(), abs=0.05, rel=0.05), each


@every_method
def test_a_step_changes_every_network_that_learns(name: str) -> None:
    method = build(name)
    before = everything(method)
    method.step(given(name))
    for each, network in method.networks.items():
        assert not any(True for _ in network.parameters()) or not unchanged(network, before[each]), each
    assert method.networks.keys() >= method.optimizers.keys()


@every_method
def test_on_steps_between_the_generator_rests_and_the_discriminator_learns(name: str) -> None:
    method = build(name, *RICH[name], "generator_every=3")
    generators = [each for each in method.optimizers if not each.startswith("discriminator")]
    for step in range(5):
        before = {each: flat(method.networks[each]) for each in method.optimizers}
        losses = method.step(given(name, step))
        for each in method.optimizers:
            rests = each in generators and step % 3 != 0
            assert torch.equal(flat(method.networks[each]), before[each]) == rests, (step, each)
        assert ("loss_generator" in losses) == (step % 3 == 0)
        assert {"loss_discriminator", "diversity_ratio"} <= losses.keys()


@every_method
def test_what_is_saved_goes_on_as_if_nothing_had_happened(name: str) -> None:
    """All state is in ``networks``, ``optimizers`` and torch's random numbers."""
    settings = [*RICH[name], *AUGMENTED]
    method, resumed = build(name, *settings), build(name, *settings, seed=1)
    for step in range(3):
        method.step(given(name, step))
    for each, network in resumed.networks.items():
        network.load_state_dict(copy.deepcopy(method.networks[each].state_dict()))
    for each, optimizer in resumed.optimizers.items():
        optimizer.load_state_dict(copy.deepcopy(method.optimizers[each].state_dict()))
    for step in range(3, 6):
        torch.manual_seed(step)
        one = method.step(given(name, step))
        torch.manual_seed(step)
        two = resumed.step(given(name, step))
        assert all(torch.equal(one[each], two[each]) for each in one)
    assert all(unchanged(network, state(resumed.networks[each])) for each, network in method.networks.items())


@every_method
def test_judging_pictures_held_out_changes_nothing_and_is_a_share(name: str) -> None:
    spectral = [] if name in {"unconstrained", "fsesim", *FROM_NOISE} else ["discriminator.spectral=true"]
    method = build(name, *RICH[name], *spectral)
    method.step(given(name))
    before, random = everything(method), torch.get_rng_state()
    judged = method.evaluate_heldout(given(name, 7))
    assert judged.keys() == {"accuracy_heldout"} and 0 <= judged["accuracy_heldout"] <= 1
    assert all(unchanged(network, before[each]) for each, network in method.networks.items())
    assert torch.equal(torch.get_rng_state(), random)


@every_method
def test_the_style_is_the_network_that_learns_and_paints_what_is_looked_at(name: str) -> None:
    method = build(name)
    assert {id(p) for p in method.style().parameters()} == {id(p) for p in method.networks["generator"].parameters()}
    inputs = method.inputs(3, 5, subjects(name))
    assert torch.equal(inputs, method.inputs(3, 5, subjects(name)))
    painted = method.sample(method.style().eval(), inputs)
    side = tiny(name).size if name in FROM_NOISE else subjects(name).side
    assert name in FROM_NOISE or side > tiny(name).size
    assert painted.shape == (3, 3, side, side) and painted.isfinite().all()


@translators
def test_a_translator_looks_at_whole_photos(name: str) -> None:
    method = build(name)
    assert torch.equal(method.inputs(9, 0, subjects(name)), subjects(name).load_evenly(9))
    with pytest.raises(ValueError, match="photos"):
        method.inputs(9, 0, None)


@translators
def test_a_batch_of_one_is_enough(name: str) -> None:
    method = build(name, *RICH[name])
    for step in range(2):
        assert all(value.isfinite() for value in method.step(given(name, step, count=1)).values())
