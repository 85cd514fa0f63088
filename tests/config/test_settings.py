import inspect
import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from impasto.config import settings
from impasto.config.recipe import Recipe
from impasto.config.settings import (
    Adam,
    Augment,
    DiscriminatorSettings,
    GeneratorSettings,
    Schedule,
    Settings,
)
from impasto.losses import adversarial
from impasto.networks import DISCRIMINATORS, GENERATORS, layers

#: What a recipe adds to the settings of a network that is made for one size, or for latents of one length.
ADDED = {("generator", name): {"size", "latent"} for name in ("dcgan", "fastgan", "r3gan")}
ADDED |= {("discriminator", name): {"size"} for name in ("dcgan", "fastgan", "r3gan")}
ADDED |= {
    ("generator", "progressive"): {"size", "latent", "start"},
    ("discriminator", "progressive"): {"size", "start"},
}


def of_networks(base: type[Adam]) -> dict[str, type[Adam]]:
    """The settings of each network, by its name."""
    return {get_args(each.model_fields["network"].annotation)[0]: each for each in base.__subclasses__()}


@pytest.mark.parametrize(
    ("literal", "known"),
    [
        (settings.Norm, layers.NORMS),
        (settings.Activation, layers.ACTIVATIONS),
        (settings.Down, layers.DOWNS),
        (settings.Up, layers.UPS),
        (Recipe.model_fields["loss"].annotation, adversarial.NAMES),
    ],
)
def test_the_names_that_a_recipe_may_give_are_those_that_are_built(literal: object, known: tuple[str, ...]) -> None:
    assert set(get_args(literal)) == set(known)


@pytest.mark.parametrize(
    ("kind", "base", "built"),
    [("generator", GeneratorSettings, GENERATORS), ("discriminator", DiscriminatorSettings, DISCRIMINATORS)],
)
def test_every_network_has_settings_and_they_are_its_constructors_arguments(
    kind: str, base: type[Adam], built: dict[str, type]
) -> None:
    known = of_networks(base)
    assert known.keys() == built.keys()
    for name, group in known.items():
        made_of = set(group.model_fields) - set(group.learning()) - {"network"}
        wanted = set(inspect.signature(built[name]).parameters)
        assert made_of | ADDED.get((kind, name), set()) == wanted, name


def test_what_a_network_is_made_of_says_nothing_of_how_it_learns() -> None:
    recipe = Recipe.load("cnn-wgan")
    for group in (recipe.generator, recipe.discriminator):
        assert not {"lr", "betas", "clip_gradient", "clip_weights"} & group.architecture().keys()
        assert group.architecture()["network"] == "cnn"


def test_groups_know_no_other_names_and_cannot_be_changed() -> None:
    schedule = Schedule(decay_from=0.5)
    with pytest.raises(ValidationError):
        Schedule(decay_from=0.5, decay=0.5)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        schedule.warmup = 0.1
    assert all(each.model_config["frozen"] for each in Settings.__subclasses__())


@given(progress=st.floats(0, 1), decay_from=st.floats(0, 0.99), warmup=st.floats(0.01, 0.9))
def test_the_learning_rate_rises_in_a_line_and_falls_in_a_line_or_as_a_cosine(
    progress: float, decay_from: float, warmup: float
) -> None:
    rise = min(1.0, progress / warmup)
    gone = max(0.0, (progress - decay_from) / (1 - decay_from))
    line = Schedule(decay_from=decay_from, warmup=warmup)
    cosine = Schedule(decay_from=decay_from, warmup=warmup, shape="cosine")
    assert line.factor(progress) == pytest.approx(rise * (1 - gone), abs=1e-9)
    assert cosine.factor(progress) == pytest.approx(rise * (1 + math.cos(math.pi * gone)) / 2, abs=1e-9)


@given(
    points=st.lists(st.floats(0, 1), min_size=2, max_size=9),
    decay_from=st.floats(0, 1),
    shape=st.sampled_from(["linear", "cosine"]),
)
def test_it_is_whole_until_it_decays_then_only_falls_and_ends_at_nothing(
    points: list[float], decay_from: float, shape: str
) -> None:
    schedule = Schedule.model_validate({"decay_from": decay_from, "shape": shape})
    factors = [schedule.factor(point) for point in sorted(points)]
    assert factors == sorted(factors, reverse=True)
    assert all(0 <= factor <= 1 for factor in factors)
    assert all(schedule.factor(point) == 1 for point in points if point <= decay_from)
    assert schedule.factor(1) == pytest.approx(0 if decay_from < 1 else 1, abs=1e-9)


def test_at_the_middle_of_its_fall_it_is_half_in_either_shape() -> None:
    assert Schedule(decay_from=0.5).factor(0.75) == 0.5
    assert Schedule(decay_from=0.5, shape="cosine").factor(0.75) == pytest.approx(0.5)
    assert Schedule(decay_from=1, warmup=0.2).factor(0.1) == 0.5


def test_scales_come_in_order() -> None:
    assert Augment(flip=True, scale=(0.5, 0.75)).rotate == 0
    with pytest.raises(ValidationError, match="smaller scale comes first"):
        Augment(flip=True, scale=(0.75, 0.5))
