"""Styles for spandrel, the loader of image models in chaiNNer and in other user interfaces.

The extra ``spandrel`` installs it. Its own loader, after :func:`register`, reads tensors and no card: a network is then
that of the bundled recipe with tensors of these names and shapes. Settings without tensors, such as the padding, are
the recipe's; :func:`load` takes them from the card.
"""

from functools import cache
from pathlib import Path

from spandrel import MAIN_REGISTRY, Architecture, ArchSupport, ImageModelDescriptor, ModelTiling
from torch import Tensor, nn

from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.style import REVERSE, Style, build_network, loaded_network


def load(style: str | Path) -> ImageModelDescriptor[nn.Module]:
    """Return the translator of a style: a name, file or folder, as of ``impasto paint --style``.

    Raises ImpastoError if there is none, or it generates from noise.
    """
    loaded = Style.load(style)
    if not loaded.recipe.translates:
        raise ImpastoError(f"{style} generates from noise and translates no image: choose another style.")
    return _descriptor(loaded.recipe, loaded.network)


def register() -> None:
    """Add the translators of the bundled recipes to the architectures that ``spandrel.ModelLoader`` knows."""
    architecture = StyleArchitecture()
    if architecture.id not in MAIN_REGISTRY:
        MAIN_REGISTRY.add(ArchSupport.from_architecture(architecture))


class StyleArchitecture(Architecture[nn.Module]):  # type: ignore[misc]
    """Networks that translate images, (1, 3, H, W) in 0…1, as spandrel defines them."""

    def __init__(self) -> None:
        super().__init__(id="impasto", detect=lambda tensors: _recipe_of(tensors) is not None)

    def load(self, state_dict: dict[str, Tensor]) -> ImageModelDescriptor[nn.Module]:
        """Return the network with these weights; of a CycleGAN's, that of the forward direction."""
        recipe = _recipe_of(state_dict)
        assert recipe is not None
        return _descriptor(recipe, loaded_network(recipe, _forward(state_dict)))


def _descriptor(recipe: Recipe, network: nn.Module) -> ImageModelDescriptor[nn.Module]:
    return ImageModelDescriptor(
        network,
        network.state_dict(),
        StyleArchitecture(),
        purpose="Restoration",  # the one of spandrel's that keeps the size
        tags=[recipe.name],
        supports_half=False,
        supports_bfloat16=False,
        scale=1,
        input_channels=3,
        output_channels=3,
        tiling=ModelTiling.DISCOURAGED,  # a photo has one mood, and instance norms see all of it
        call_fn=lambda network, image: (network(image * 2 - 1) + 1) / 2,
    )


def _forward(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(REVERSE)}


def _recipe_of(tensors: dict[str, Tensor]) -> Recipe | None:
    """Return the bundled recipe whose network has these weights. Buffers may have other sizes: moods have a row
    each."""
    weights = _forward(tensors)
    for recipe, network in _translators():
        same_names = weights.keys() == network.state_dict().keys()
        if same_names and all(weights[name].shape == each.shape for name, each in network.named_parameters()):
            return recipe
    return None


@cache
def _translators() -> list[tuple[Recipe, nn.Module]]:
    recipes = [Recipe.load(name) for name in bundled_recipes()]
    return [(each, build_network(each, "meta")) for each in recipes if each.translates]
