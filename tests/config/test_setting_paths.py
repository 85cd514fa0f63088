import pytest

from impasto.config.recipe import Recipe
from impasto.config.registries import METHODS
from impasto.config.setting_paths import flatten, known_settings, network_fields, setting_names, value_at


def test_nested_values_have_dotted_names() -> None:
    values = {"size": 64, "generator": {"lr": 0.1, "deep": {"er": 1}}}
    assert list(setting_names(values)) == ["size", "generator.lr", "generator.deep.er"]
    assert list(flatten(values)) == [("size", 64), ("generator.lr", 0.1), ("generator.deep.er", 1)]
    assert value_at(values, "generator.deep.er") == 1 and value_at(values, ()) == values


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_generator_and_a_discriminator_to_choose(method: str) -> None:
    fields = dict(network_fields(METHODS[method].recipe_class))
    assert fields.keys() == {"generator", "discriminator"}
    assert all(field.names() for field in fields.values())


def test_the_known_settings_are_those_of_the_chosen_networks() -> None:
    recipe = Recipe.load("cut").without_search()
    known = set(known_settings(type(recipe), recipe.values()))
    assert known == set(setting_names(recipe.values()))
    assert "generator.blocks" in known and "generator.dropout" not in known
