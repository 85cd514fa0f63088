"""CycleGAN: unpaired translation with cycle consistency (Zhu et al. 2017, arXiv:1703.10593)."""

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn

from impasto import parallel
from impasto.config.recipe import TranslationRecipe
from impasto.config.registries import METHODS
from impasto.config.types import NotNegative
from impasto.data.loader import Batch
from impasto.methods.adversarial import TranslationMethod, pixel_std
from impasto.methods.discriminator_step import DiscriminatorStep, optimizer_step, setup_network
from impasto.methods.image_pool import ImagePool
from impasto.networks import build_generator

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class CycleGanRecipe(TranslationRecipe):
    """``cycle`` is the weight of the cycle-consistency loss (L1), ``pool`` the capacity of the image pools."""

    method: Literal["cyclegan"]
    cycle: NotNegative
    pool: int = Field(ge=0, le=10_000)

    @field_validator("direction")
    @classmethod
    def _both(cls, direction: str) -> str:
        if direction != "photo-to-painting":
            raise ValueError("a CycleGAN trains both directions: paint with --reverse instead")
        return direction


@METHODS.register("cyclegan")
class CycleGan(TranslationMethod):
    """Two generators, one per direction, and a discriminator for each domain.

    In the paper's notation: x is a photo, y a painting; G: X → Y and D_Y are ``generator`` and ``discriminator_step``,
    F: Y → X and D_X are ``back`` and ``discriminator_step_back``. The generators are updated first, then the
    discriminators, on a pool of earlier fakes (section 4).
    """

    recipe_class = CycleGanRecipe

    def __init__(self, recipe: CycleGanRecipe, fabric: "Fabric") -> None:
        super().__init__(recipe, fabric)
        self.cycle, self.identity, self.every = recipe.cycle, recipe.identity, recipe.generator_every
        self.back, self.optimizer_b = setup_network(
            fabric, build_generator(**recipe.generator_kwargs()), recipe.generator
        )
        self.discriminator_step_back = DiscriminatorStep(recipe, fabric)
        self.pools = [ImagePool(recipe.pool, recipe.size).to(fabric.device) for _ in range(2)]
        self.networks |= {
            "back": self.back,
            **{f"{name}_back": network for name, network in self.discriminator_step_back.networks.items()},
            "pool": self.pools[0],
            "pool_back": self.pools[1],
        }
        self.optimizers |= {"back": self.optimizer_b, "discriminator_back": self.discriminator_step_back.optimizer}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        x, y = batch.photos, batch.paintings  # (B, 3, S, S)
        count = len(x)
        # Inputs of the identity loss (section 5.2) share the forward pass with those of the translation.
        with parallel.concatenated(*[parallel.span(count)] * (2 if self.identity else 1)):
            forth = self.generator(torch.cat([x, y]) if self.identity else x)  # G(x), G(y)
            back = self.back(torch.cat([y, x]) if self.identity else y)  # F(y), F(x)
        fake_y, fake_x = forth[:count], back[:count]
        losses: dict[str, Tensor] = {}
        if batch.step % self.every == 0:
            parts = {
                "loss_adversarial": self.discriminator_step.generator_loss(fake_y, y, batch),
                "loss_adversarial_back": self.discriminator_step_back.generator_loss(fake_x, x, batch),
                "loss_cycle": F.l1_loss(self.back(fake_y), x),  # equation 2
                "loss_cycle_back": F.l1_loss(self.generator(fake_x), y),
            }
            loss = parts["loss_adversarial"] + parts["loss_adversarial_back"]
            loss = loss + self.cycle * (parts["loss_cycle"] + parts["loss_cycle_back"])
            if self.identity:
                parts |= {
                    "loss_identity": F.l1_loss(forth[count:], y),
                    "loss_identity_back": F.l1_loss(back[count:], x),
                }
                loss = loss + self.identity * (parts["loss_identity"] + parts["loss_identity_back"])
            self.optimizer_b.zero_grad()
            self.update_generator(loss)
            optimizer_step(self.fabric, self.back, self.optimizer_b, self._settings)
            losses |= {"loss_generator": loss.detach(), **{name: part.detach() for name, part in parts.items()}}

        fakes = [pool(fake.detach(), batch.rng) for pool, fake in zip(self.pools, (fake_y, fake_x), strict=True)]
        losses |= self.discriminator_step.step(y, fakes[0], batch)
        losses["loss_discriminator_back"] = self.discriminator_step_back.step(x, fakes[1], batch)["loss_discriminator"]
        return losses | {"diversity_ratio": pixel_std(fake_y.detach()) / pixel_std(y)}

    def reverse(self) -> nn.Module:
        network: nn.Module = self.back.module
        return network
