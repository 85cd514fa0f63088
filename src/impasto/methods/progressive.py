"""A GAN that begins with small pictures and grows (Karras et al. 2018, arXiv:1710.10196, section 2)."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor

from impasto.config.networks import DiscriminatorConfig, GeneratorConfig, NetworkField
from impasto.config.recipe import GenerationRecipe
from impasto.config.registries import DISCRIMINATORS, GENERATORS, METHODS
from impasto.config.types import Share
from impasto.data.augment import resize
from impasto.data.loader import Batch
from impasto.methods.gan import Gan
from impasto.networks.progressive import Growing

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Networks that grow.
GrowingGenerator = Annotated[GeneratorConfig, NetworkField(GENERATORS, GeneratorConfig, latent=True, methods=("grow",))]
GrowingDiscriminator = Annotated[
    DiscriminatorConfig, NetworkField(DISCRIMINATORS, DiscriminatorConfig, methods=("grow",))
]


class ProgressiveRecipe(GenerationRecipe):
    """Progressive growing: starts at a small size, which is doubled ``doublings`` times; each size has an equal share
    of the training, and is faded in during the fraction ``fade`` of its share."""

    method: Literal["progressive"]
    doublings: int = Field(ge=1, le=6)
    fade: Share
    generator: GrowingGenerator
    discriminator: GrowingDiscriminator

    @field_validator("doublings")
    @classmethod
    def _first_size(cls, doublings: int, info: ValidationInfo) -> int:
        if info.data.get("size", math.inf) < 8 << doublings:
            raise ValueError("the first size would be below 8")
        return doublings

    @property
    def speed_changes(self) -> tuple[float, ...]:
        return tuple(number / (self.doublings + 1) for number in range(1, self.doublings + 1))

    @property
    def peak_memory_at(self) -> float:
        return (self.doublings + self.fade / 2) / (self.doublings + 1)  # while the largest size fades in

    def growth(self, progress: float) -> float:
        """How many sizes have been added to the first at ``progress`` (0…1) through the training; the fraction is how
        far the newest one is faded in."""
        number = min(int(progress * (self.doublings + 1)), self.doublings)
        within = progress * (self.doublings + 1) - number
        return number - 1 + min(within / self.fade, 1.0) if number and self.fade else float(number)

    def _given(self) -> dict[str, Any]:
        return super()._given() | {"start": self.size >> self.doublings}


@METHODS.register("progressive")
class Progressive(Gan):
    """The plain GAN, at a size that follows how much of the training is over."""

    recipe_class = ProgressiveRecipe

    def __init__(self, recipe: ProgressiveRecipe, fabric: "Fabric") -> None:
        super().__init__(recipe, fabric)
        self._growth = recipe.growth
        networks = self.generator.module, self.discriminator_step.discriminator.module
        self._growing = [network for network in networks if isinstance(network, Growing)]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        return super().step(self._grown(batch))

    def evaluate_heldout(self, batch: Batch) -> dict[str, Tensor]:
        return super().evaluate_heldout(self._grown(batch))

    def _grown(self, batch: Batch) -> Batch:
        """The batch at the size of its time, the networks grown to that. What is grown already, as it begins with a
        style or is gone on with for longer, does not shrink. While a size fades in, it does in the paintings too."""
        growth = max(self._growth(batch.progress), *(network.grown for network in self._growing))
        for network in self._growing:
            network.grow(growth)
        side, (newest, faded) = self._growing[0].side, self._growing[0].stage()
        paintings = batch.paintings if side == batch.paintings.shape[-1] else resize(batch.paintings, side)
        if newest and faded < 1:
            smaller = F.interpolate(F.avg_pool2d(paintings, 2), scale_factor=2.0, mode="nearest")
            paintings = torch.lerp(smaller, paintings, faded)
        return replace(batch, paintings=paintings)
