"""The state of a training: fine-tuning, and states without an average of the reverse generator."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fixtures.trainers import TRANSLATORS, before_step, same, translator
from impasto.errors import ImpastoError
from impasto.networks.feature_decoder import Generator
from impasto.style import Style
from impasto.training import checkpoint
from impasto.training.trainer import Trainer


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name == "monet" else []) for name in TRANSLATORS]
)
def test_fine_tuning_starts_from_all_networks_of_a_run_or_from_the_generator_of_a_style(
    tmp_path: Path, name: str
) -> None:
    before = translator(tmp_path / "before", name)
    before.train()
    state = checkpoint.newest(before.run.checkpoints)[0]
    fresh, again, fine = (translator(tmp_path / folder, name, budget="2steps") for folder in "abc")
    again.state.load_weights("before", state["networks"], state["ema"], state["ema_reverse"])
    loaded = again.state_dict()
    same([loaded[average] for average in ("ema", "ema_reverse")], [state["ema"], state["ema_reverse"]])
    for network, weights in loaded["networks"].items():
        trainable = any(True for _ in again.state.method.networks[network].parameters())  # image pools start empty
        same(weights, state["networks"][network] if trainable else fresh.state_dict()["networks"][network])
    style = Style.load(before.run.last).network.state_dict()
    fine.state.load_weights("style", {"generator": style}, style)
    same(fine.state_dict()["ema"], state["ema"])
    same(fine.state_dict()["networks"]["generator"], state["ema"])
    same(fine.state_dict()["networks"]["discriminator"], fresh.state_dict()["networks"]["discriminator"])
    assert fine.train().finished


def test_a_checkpoint_without_average_of_the_reverse_generator_starts_it_from_the_weights(tmp_path: Path) -> None:
    before = translator(tmp_path / "before", "cyclegan-resnet")
    before.train()
    state = checkpoint.newest(before.run.checkpoints)[0]
    del state["ema_reverse"]
    again = translator(tmp_path / "before", "cyclegan-resnet")
    again.resume(state)
    same(again.state_dict()["ema_reverse"], state["networks"]["back"])


def test_weights_of_other_networks_are_refused_in_one_line(tmp_path: Path) -> None:
    t = translator(tmp_path / "run")
    weights = translator(tmp_path / "other", settings=("generator.width=6",)).state_dict()["networks"]
    with pytest.raises(ImpastoError, match="networks of other differ from those of the recipe") as error:
        t.state.load_weights("other", weights, weights["generator"])
    assert "\n" not in str(error.value)


def moods(network: nn.Module) -> torch.Tensor:
    return network.get_buffer("moods")


def moods_of_first_step(t: Trainer) -> list[torch.Tensor]:
    """Train, and return the style statistics of the generator and of its average in the first step."""
    found = list[torch.Tensor]()
    before_step(t, lambda _: found.extend(moods(n).clone() for n in (t.state.method.style(), t.state.ema.network)))
    t.train()
    return found[:2]


def test_style_statistics_of_the_training_paintings_are_known_before_the_first_step(tmp_path: Path) -> None:
    t = translator(tmp_path / "run", "monet")
    network = t.state.method.style()
    assert isinstance(network, Generator)
    with torch.no_grad():
        expected = network.statistics(t.data.train.paintings.load(np.arange(16)))
    first, second = moods_of_first_step(t)
    torch.testing.assert_close(first, expected, atol=1e-4, rtol=1e-4)
    for each in (second, moods(network), moods(t.state.ema.network), moods(Style.load(t.run.last).network)):
        assert torch.equal(each, first)


@pytest.mark.long
def test_fine_tuning_measures_the_style_statistics_of_its_own_paintings(tmp_path: Path) -> None:
    before, now, fresh = (translator(tmp_path / folder, "monet", budget="1steps") for folder in ("a", "b", "c"))
    (expected, _), state = moods_of_first_step(fresh), before.state_dict()
    for weights in (state["networks"]["generator"], state["ema"]):
        weights |= {"moods": torch.ones(7, expected.shape[1]), "offsets": torch.ones(7)}  # of seven other paintings
    now.state.load_weights("a", state["networks"], state["ema"])
    same(dict(now.state.method.style().named_parameters()), dict(before.state.method.style().named_parameters()))
    for each in moods_of_first_step(now):
        assert torch.equal(each, expected)
