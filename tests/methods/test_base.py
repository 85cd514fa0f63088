"""Properties of every registered method. A new method needs a tiny recipe in ``fixtures.tiny``."""

import copy

import pytest
import torch
from torch import Tensor, nn

from fixtures.operator_types import OperatorTypes
from fixtures.tiny import TINY, batch, build, copy_state, equals_state, image_loader, tiny
from impasto.config.recipe import Recipe
from impasto.config.registries import METHODS
from impasto.data.loader import Batch, Loader
from impasto.device import open_fabric
from impasto.methods.base import Method

FROM_NOISE = {"gan", "progressive"}
every_method = pytest.mark.parametrize("name", METHODS)
translators = pytest.mark.parametrize("name", [name for name in METHODS if name not in FROM_NOISE])
#: Settings that enable the optional losses.
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
    """Return a batch of random images of the size of the method's tiny recipe."""
    return batch(step, count=count, size=tiny(name).size)


def photo_loader(name: str) -> Loader:
    """Return a loader of five photos, larger than the training crops."""
    recipe = tiny(name, "augment.scale=[0.8,1.0]")
    return image_loader(recipe, recipe.stored_size)


def copy_states(method: Method) -> dict[str, dict[str, Tensor]]:
    return {name: copy_state(network) for name, network in method.networks.items()}


def flat(network: nn.Module) -> Tensor:
    """Return all weights in one vector."""
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def test_every_method_has_a_tiny_recipe() -> None:
    assert METHODS.keys() == TINY.keys() == RICH.keys()


@pytest.mark.parametrize("name", ["fastgan", *(name for name in METHODS if name != "fsesim")])
def test_all_convolutions_compute_in_bf16(name: str) -> None:
    """Also in what is not ``forward``, to which Fabric applies no autocast. (fsesim compares features in float32.)"""
    if name == "fastgan":
        recipe = Recipe.load("fastgan-128").replace(["size=32", "generator.width=4", "discriminator.width=4"])
        method, images = METHODS["gan"](recipe, open_fabric(torch.device("cpu"), "bf16-mixed")), batch(size=32)
    else:
        method, images = build(name, *RICH[name], precision="bf16-mixed"), given(name)
    with OperatorTypes() as types:
        method.step(images)
    assert {found for operator, found in types.found if "convolution" in operator} == {torch.bfloat16}


@every_method
def test_a_step_returns_finite_named_scalars_in_bf16(name: str) -> None:
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
def test_losses_in_bf16_are_close_to_those_in_float32(name: str) -> None:
    one, two = (build(name, *RICH[name], precision=p).step(given(name)) for p in ("32-true", "bf16-mixed"))
    assert one.keys() == two.keys()
    for each in one:
        if each.startswith("loss_"):
            assert one[each].item() == pytest.approx(two[each].item(), abs=0.05, rel=0.05), each


@every_method
def test_a_step_updates_every_network(name: str) -> None:
    method = build(name)
    before = copy_states(method)
    method.step(given(name))
    for each, network in method.networks.items():
        assert not any(True for _ in network.parameters()) or not equals_state(network, before[each]), each
    assert method.networks.keys() >= method.optimizers.keys()


@every_method
def test_generators_are_updated_at_every_nth_step_only(name: str) -> None:
    method = build(name, *RICH[name], "generator_every=3")
    generators = [each for each in method.optimizers if not each.startswith("discriminator")]
    for step in range(5):
        before = {each: flat(method.networks[each]) for each in method.optimizers}
        losses = method.step(given(name, step))
        for each in method.optimizers:
            skipped = each in generators and step % 3 != 0
            assert torch.equal(flat(method.networks[each]), before[each]) == skipped, (step, each)
        assert ("loss_generator" in losses) == (step % 3 == 0)
        assert {"loss_discriminator", "diversity_ratio"} <= losses.keys()


@every_method
def test_training_resumes_bit_exactly_from_the_saved_states(name: str) -> None:
    """All state is in ``networks``, ``optimizers`` and torch's global random state."""
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
    assert all(equals_state(network, copy_state(resumed.networks[each])) for each, network in method.networks.items())


@every_method
def test_heldout_evaluation_changes_no_state_and_returns_a_fraction(name: str) -> None:
    spectral = [] if name in {"unconstrained", "fsesim", *FROM_NOISE} else ["discriminator.spectral=true"]
    method = build(name, *RICH[name], *spectral)
    method.step(given(name))
    before, random = copy_states(method), torch.get_rng_state()
    scores = method.evaluate_heldout(given(name, 7))
    assert scores.keys() == {"accuracy_heldout"} and 0 <= scores["accuracy_heldout"] <= 1
    assert all(equals_state(network, before[each]) for each, network in method.networks.items())
    assert torch.equal(torch.get_rng_state(), random)


@every_method
def test_the_style_is_the_trained_generator_and_makes_samples_from_the_inputs(name: str) -> None:
    method = build(name)
    assert {id(p) for p in method.style().parameters()} == {id(p) for p in method.networks["generator"].parameters()}
    inputs = method.inputs(3, 5, photo_loader(name))
    assert torch.equal(inputs, method.inputs(3, 5, photo_loader(name)))
    samples = method.sample(method.style().eval(), inputs)
    side = tiny(name).size if name in FROM_NOISE else photo_loader(name).side
    assert name in FROM_NOISE or side > tiny(name).size
    assert samples.shape == (3, 3, side, side) and samples.isfinite().all()


@translators
def test_inputs_of_translation_are_whole_photos(name: str) -> None:
    method = build(name)
    assert torch.equal(method.inputs(9, 0, photo_loader(name)), photo_loader(name).load_evenly(9))
    with pytest.raises(ValueError, match="photos"):
        method.inputs(9, 0, None)


@translators
def test_translation_methods_train_with_a_batch_of_one(name: str) -> None:
    method = build(name, *RICH[name])
    for step in range(2):
        assert all(value.isfinite() for value in method.step(given(name, step, count=1)).values())


@every_method
def test_every_optimiser_is_fused(name: str) -> None:
    """A quarter of the processor time of torch's loop over the weights, and one kernel on a GPU."""
    assert all(group["fused"] for each in build(name).optimizers.values() for group in each.param_groups)
