"""Unconditional GAN (Goodfellow et al. 2014), trained as in DCGAN."""

from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor, nn

from impasto import parallel
from impasto.config.recipe import FixedDiscriminator, GenerationRecipe, NoiseGenerator, Recipe
from impasto.config.registries import METHODS
from impasto.data.loader import Batch, Loader
from impasto.methods.adversarial import AdversarialMethod, pixel_std

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class GanRecipe(GenerationRecipe):
    """A GAN at one image size."""

    method: Literal["gan"]
    generator: NoiseGenerator
    discriminator: FixedDiscriminator


@METHODS.register("gan")
class Gan(AdversarialMethod):
    """One discriminator step, then one generator step against it, on the same fakes."""

    recipe_class: ClassVar[type[Recipe]] = GanRecipe

    def __init__(self, recipe: GenerationRecipe, fabric: "Fabric") -> None:
        super().__init__(recipe, fabric)
        self.latent, self.every = recipe.latent, recipe.generator_every

    def step(self, batch: Batch) -> dict[str, Tensor]:
        real = batch.paintings  # (B, 3, S, S)
        latents = torch.randn(parallel.whole(len(real)), self.latent, device=real.device, generator=batch.rng)
        fake = self.generator(parallel.part(latents))
        losses = self.discriminator_step.step(real, fake, batch)
        if batch.step % self.every == 0:
            loss = self.discriminator_step.generator_loss(fake, real, batch)
            self.update_generator(loss)
            losses["loss_generator"] = loss.detach()
        return losses | {"diversity_ratio": pixel_std(fake.detach()) / pixel_std(real)}

    def inputs(self, count: int, seed: int, photos: Loader | None) -> Tensor:
        rng = torch.Generator().manual_seed(seed)
        return torch.randn(count, self.latent, generator=rng).to(self.fabric.device)

    def sample(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        images: Tensor = generator(inputs)
        return images
