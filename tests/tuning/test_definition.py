"""Definitions of studies are checked, and compared by their content."""

import pytest
import yaml

from fixtures.studies import small_recipe
from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.tuning.definition import StudyDefinition, list_differences, recipe_differences


def test_a_stored_definition_is_compared_by_its_settings_and_not_by_its_text() -> None:
    definition = StudyDefinition(small_recipe(), "10m")
    stored = definition.to_json()
    shuffled = dict(reversed(yaml.safe_load(stored["recipe"]).items()))
    del shuffled["penalty"]  # a setting with a default, which an earlier version may not have written
    assert definition.differences(stored | {"recipe": yaml.safe_dump(shuffled)}) == []


def test_a_budget_with_other_parts_than_a_training_is_refused() -> None:
    with pytest.raises(ImpastoError, match=r"budget 2\+3steps has 2 parts and the training 1"):
        StudyDefinition(small_recipe(), "2+3steps").require_valid()


def test_a_recipe_of_the_version_before_is_the_same_recipe() -> None:
    recipe = Recipe.load("cnn")
    old = recipe.to_yaml().replace("method: unconstrained", "method: plain")
    assert StudyDefinition(recipe, "10m").differences({**StudyDefinition(recipe, "10m").to_json(), "recipe": old}) == []


def test_differences_name_settings_and_ranges() -> None:
    recipe = small_recipe()
    narrow = recipe.model_copy(update={"tune": {"batch": recipe.tune["batch"]}})
    assert recipe_differences(small_recipe(batch=4), recipe) == ["batch is 4 there and 8 here"]
    found = recipe_differences(narrow, recipe)
    assert "tune.generator.lr.low is not set there and 1e-05 here" in found
    assert list_differences(found).endswith(f"; and {len(found) - 3} more")


def test_the_style_to_fine_tune_is_named_without_its_folder() -> None:
    here, there = (
        StudyDefinition.create(small_recipe(), f"{folder}/style.safetensors", budget="10m")
        for folder in ("/home/here", "there")
    )
    assert here.differences(there.to_json()) == []
