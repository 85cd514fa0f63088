"""Recipes: the typed configuration of a training, and the registries of what a recipe can name."""

import logging
from functools import cache
from importlib import resources
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable

from impasto.config.registry import plugin_failure

_log = logging.getLogger(__name__)

#: The entry-point group of other packages' recipes: each names a package that holds ``*.yaml`` files.
RECIPE_GROUP = "impasto.recipes"


def bundled_recipes() -> dict[str, Traversable]:
    """The YAML files of the recipes that come with impasto and with installed plugins, by name, in order."""
    folders = [resources.files("impasto.config") / "recipes", *_plugin_folders()]
    files = [file for folder in folders for file in folder.iterdir() if file.name.endswith(".yaml")]
    found = {file.name.removesuffix(".yaml"): file for file in reversed(files)}
    return dict(sorted(found.items(), key=lambda item: (item[0].rpartition("-")[0], len(item[0]), item[0])))


@cache
def _plugin_folders() -> tuple[Traversable, ...]:
    """The packages of recipes of installed plugins. One that cannot be imported is reported, and left out."""
    folders: list[Traversable] = []
    for point in entry_points(group=RECIPE_GROUP):
        try:
            folders.append(resources.files(point.value))
        except Exception as error:
            _log.error(plugin_failure(point, error))
    return tuple(folders)
