"""Choice of a recipe, its size and its settings for a data set and a device."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.data.loader import FEW_IMAGES
from impasto.exploration.results import Domain

if TYPE_CHECKING:
    import torch

#: Number of images up to which a data set is small and needs augmentation.
SMALL = 1_000
#: Settings that did best for a DCGAN on a few hundred images (docs/decisions.md).
SMALL_SETTINGS = ("batch=16", "schedule.decay_from=0.5")
#: Adaptive differentiable augmentation: translation of Zhao et al. 2020 (arXiv:2006.10738), half of their colour
#: strength, target of Karras et al. 2020 (arXiv:2006.06676).
ADAPTIVE = ("diffaugment.color=0.5", "diffaugment.translation=0.125", "diffaugment.target=0.6")
#: The smallest size that a recipe is reduced to.
MIN_SIZE = 32


def choose_recipe(
    sides: Sequence[int],
    translates: bool,
    device: "torch.device",
    named: str | None = None,
    *,
    packed: int | None = None,
) -> tuple[Recipe, list[str]]:
    """Return a recipe for a data set, and the settings that differ from the bundled recipe.

    Args:
        sides: shorter sides of the paintings, in pixels.
        translates: whether there are photos to translate.
        device: to train on.
        named: a recipe's name or YAML file, used instead; a file is not changed.
        packed: size of the smallest pack to train on, which cannot be enlarged.

    Raises:
        ImpastoError: there is no such recipe.
    """
    chosen = Recipe.load(_default_recipe(sides, translates, device) if named is None else named)
    if named is not None and named not in bundled_recipes():
        return chosen, []
    settings: list[str] = []
    if chosen.generator.network in {"dcgan", "progressive"} and len(sides) <= SMALL:
        settings += SMALL_SETTINGS
        settings += ADAPTIVE if len(sides) < 2 * FEW_IMAGES else ()
    size, minimum = chosen.size, max(MIN_SIZE, chosen.min_size)
    while sides and size // 2 >= minimum and size > float(np.median(sides)):
        size //= 2
    while packed and size // 2 >= minimum and min_pack_size(chosen.replace([f"size={size}"])) > packed:
        size //= 2
    settings += [f"size={size}"] if size < chosen.size else []
    return chosen.replace(settings), settings


def _default_recipe(sides: Sequence[int], translates: bool, device: "torch.device") -> str:
    """Return the bundled recipe that suits the images and the device best."""
    if translates:
        return "monet"
    larger = ("projected-256", "projected-128") if sides and device.type == "cuda" else ()
    return next((name for name in larger if Recipe.load(name).stored_size <= fifth_percentile(sides)), "projected-64")


def min_pack_size(recipe: Recipe) -> int:
    """Return the smallest size of a pack that the recipe can train on."""
    return recipe.stored_size if recipe.translates else recipe.size


def short_sides(domain: Domain) -> list[int]:
    """Return the shorter sides that training has, in pixels: for a pack at most its size."""
    sides = [image.short_side for image in domain.inventory.pictures]
    return [min(side, domain.inventory.size) for side in sides] if domain.is_pack else sides


def largest_size(sides: Sequence[int]) -> int:
    """Return the largest power of two, up to 1,024, that 95 % of the shorter sides reach."""
    return 1 << min(10, int(math.log2(max(fifth_percentile(sides), 1))))


def fifth_percentile(sides: Sequence[int]) -> float:
    """Return the side that 95 % of the sides reach."""
    return float(np.percentile(sides, 5))
