"""A training method: a GAN whose generator is also penalised for large values."""

from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from impasto.config.recipe import FixedDiscriminator, GenerationRecipe, NoiseGenerator, Recipe
from impasto.config.registries import METHODS
from impasto.config.types import NotNegative
from impasto.data.loader import Batch
from impasto.methods.gan import Gan

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class ToyRecipe(GenerationRecipe):
    """``calm`` is the weight of the mean square of the generated values."""

    method: Literal["toy-method"]
    generator: NoiseGenerator
    discriminator: FixedDiscriminator
    calm: NotNegative = 0.0


@METHODS.register("toy-method")
class Toy(Gan):
    """A GAN with one more term in the generator's loss."""

    recipe_class: ClassVar[type[Recipe]] = ToyRecipe

    def __init__(self, recipe: ToyRecipe, fabric: "Fabric") -> None:
        super().__init__(recipe, fabric)
        self.calm = recipe.calm

    def step(self, batch: Batch) -> dict[str, Tensor]:
        losses = super().step(batch)
        latents = torch.randn(len(batch.paintings), self.latent, device=self.fabric.device, generator=batch.rng)
        calm = self.generator(latents).square().mean()
        self.update_generator(self.calm * calm)
        return losses | {"loss_calm": calm.detach()}
