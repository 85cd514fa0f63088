"""Recipes: the typed configuration of a training, and the registries of what a recipe can name."""

from importlib import resources
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable

#: The entry-point group of other packages' recipes: each names a package that holds ``*.yaml`` files.
RECIPE_GROUP = "impasto.recipes"


def bundled_recipes() -> dict[str, Traversable]:
    """The YAML files of the recipes that come with impasto and with installed plugins, by name, in order."""
    folders = [resources.files("impasto.config") / "recipes"]
    folders += [resources.files(point.value) for point in entry_points(group=RECIPE_GROUP)]
    files = [file for folder in folders for file in folder.iterdir() if file.name.endswith(".yaml")]
    found = {file.name.removesuffix(".yaml"): file for file in reversed(files)}
    return dict(sorted(found.items(), key=lambda item: (item[0].rpartition("-")[0], len(item[0]), item[0])))
