"""Translation by an adversarial loss alone, with an optional L1 distance to the input.

It is Isola et al. 2017 (arXiv:1611.07004, section 3.1) without pairs: nothing but the generator's convolutions
preserves the content. It is the baseline for the other translation methods.
"""

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.config.recipe import TranslationRecipe
from impasto.config.registries import METHODS
from impasto.config.types import NotNegative
from impasto.data.loader import Batch
from impasto.methods.adversarial import TranslationMethod, pixel_std

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class UnconstrainedRecipe(TranslationRecipe):
    """Only an adversarial loss; ``content`` is the weight of an L1 distance to the source image."""

    method: Literal["unconstrained"]
    content: NotNegative = 0.0


@METHODS.register("unconstrained")
class Unconstrained(TranslationMethod):
    """One discriminator step, then one generator step against it, on the same fakes."""

    recipe_class = UnconstrainedRecipe

    def __init__(self, recipe: UnconstrainedRecipe, fabric: "Fabric") -> None:
        super().__init__(recipe, fabric)
        self.content, self.identity, self.every = recipe.content, recipe.identity, recipe.generator_every

    def step(self, batch: Batch) -> dict[str, Tensor]:
        photo, real = batch.photos, batch.paintings  # (B, 3, S, S)
        update_generator = batch.step % self.every == 0
        with torch.set_grad_enabled(update_generator):
            fake = self.generator(photo)
        losses = self.discriminator_step.step(real, fake, batch)
        if update_generator:
            parts = {"loss_adversarial": self.discriminator_step.generator_loss(fake, real, batch)}
            loss = parts["loss_adversarial"]
            if self.content:
                parts["loss_content"] = F.l1_loss(fake, photo)
                loss = loss + self.content * parts["loss_content"]
            if self.identity:
                parts["loss_identity"] = F.l1_loss(self.generator(real), real)
                loss = loss + self.identity * parts["loss_identity"]
            self.update_generator(loss)
            losses |= {"loss_generator": loss.detach(), **{name: part.detach() for name, part in parts.items()}}
        return losses | {"diversity_ratio": pixel_std(fake.detach()) / pixel_std(real)}
