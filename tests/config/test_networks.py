import inspect
from typing import Annotated, get_args

import pytest
from pydantic import Field, ValidationError
from torch import nn

from impasto.config.networks import GIVEN, DiscriminatorConfig, GeneratorConfig, NetworkField
from impasto.config.recipe import Recipe
from impasto.config.registries import DISCRIMINATORS, GENERATORS
from impasto.config.registry import Registry
from impasto.networks import layers

FIELDS = {
    "generator": NetworkField(GENERATORS, GeneratorConfig),
    "discriminator": NetworkField(DISCRIMINATORS, DiscriminatorConfig),
}


@pytest.mark.parametrize(
    ("literal", "known"),
    [
        (layers.Norm, layers.NORMS),
        (layers.Activation, layers.ACTIVATIONS),
        (layers.Down, layers.DOWNS),
        (layers.Up, layers.UPS),
    ],
)
def test_the_names_that_a_recipe_may_give_are_those_that_are_built(literal: object, known: tuple[str, ...]) -> None:
    assert set(get_args(literal)) == set(known)


@pytest.mark.parametrize("role", FIELDS)
def test_the_settings_of_every_network_are_its_constructors_parameters(role: str) -> None:
    field = FIELDS[role]
    for name in field.names():
        config = field.config(name)
        of_network = set(config.model_fields) - set(config.optimiser_settings()) - {"network"}
        assert of_network == set(inspect.signature(field.registry[name]).parameters) - set(GIVEN), name


def test_an_architecture_has_no_optimiser_settings() -> None:
    recipe = Recipe.load("cnn-wgan")
    for group in (recipe.generator, recipe.discriminator):
        assert not {"lr", "betas", "clip_gradient", "clip_weights"} & group.architecture().keys()
        assert group.architecture()["network"] == "cnn"


class Tiny(nn.Module):
    def __init__(self, size: int, depth: Annotated[int, Field(ge=1)] = 2) -> None:
        super().__init__()


class FromNoise(nn.Module):
    def __init__(self, latent: int) -> None:
        super().__init__()

    def grow(self, growth: float) -> None: ...


def test_bounds_defaults_and_given_values_come_from_the_constructor() -> None:
    networks: Registry[type[nn.Module]] = Registry("generator", "impasto.losses", "none")
    networks.register("tiny")(Tiny)
    config = NetworkField(networks, GeneratorConfig).config("tiny")
    made = config.model_validate({"network": "tiny", "lr": 1e-3, "betas": [0.0, 0.9]})
    assert made.kwargs(size=8, latent=3) == {"network": "tiny", "depth": 2, "size": 8}
    with pytest.raises(ValidationError, match="depth"):
        config.model_validate({"network": "tiny", "lr": 1e-3, "betas": [0.0, 0.9], "depth": 0})
    with pytest.raises(ValidationError, match="size"):
        config.model_validate({"network": "tiny", "lr": 1e-3, "betas": [0.0, 0.9], "size": 8})


def test_a_field_takes_only_networks_with_the_abilities_that_it_asks_for() -> None:
    networks: Registry[type[nn.Module]] = Registry("generator", "impasto.losses", "none")
    networks.register("tiny")(Tiny)
    networks.register("noise")(FromNoise)
    assert NetworkField(networks, GeneratorConfig, latent=True).names() == ["noise"]
    assert NetworkField(networks, GeneratorConfig, latent=False).names() == ["tiny"]
    assert NetworkField(networks, GeneratorConfig, methods=("grow",)).names() == ["noise"]
    assert NetworkField(networks, GeneratorConfig, without=("grow",)).names() == ["tiny"]


def test_a_constructor_without_annotations_is_refused() -> None:
    class Bare(nn.Module):
        def __init__(self, width) -> None:  # type: ignore[no-untyped-def]
            super().__init__()

    networks: Registry[type[nn.Module]] = Registry("generator", "impasto.losses", "none")
    networks.register("bare")(Bare)
    with pytest.raises(TypeError, match="annotate the parameter 'width'"):
        NetworkField(networks, GeneratorConfig).config("bare")
