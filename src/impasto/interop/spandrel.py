"""Styles for spandrel, the loader of image models in chaiNNer and in other user interfaces.

    import spandrel
    import impasto.interop.spandrel

    impasto.interop.spandrel.register()
    model = spandrel.ModelLoader().load_from_file("style.safetensors")

The extra ``spandrel`` installs it. It reads tensors and no card, so a network is known
only if a bundled recipe with its own settings builds it.
"""

from functools import cache

from spandrel import MAIN_REGISTRY, Architecture, ArchSupport, ImageModelDescriptor, ModelTiling
from torch import Tensor, nn

from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.style import REVERSE, build_network, loaded_network


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
        recipe, weights = _recipe_of(state_dict), _forward(state_dict)
        assert recipe is not None
        return ImageModelDescriptor(
            loaded_network(recipe, weights),
            weights,
            self,
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
