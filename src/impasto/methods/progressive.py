"""Progressive growing of a GAN (Karras et al. 2018, arXiv:1710.10196, section 2)."""

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
from impasto.networks.progressive import ProgressiveNetwork

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Networks that can grow during training.
GrowingGenerator = Annotated[GeneratorConfig, NetworkField(GENERATORS, GeneratorConfig, latent=True, methods=("grow",))]
GrowingDiscriminator = Annotated[
    DiscriminatorConfig, NetworkField(DISCRIMINATORS, DiscriminatorConfig, methods=("grow",))
]


class ProgressiveRecipe(GenerationRecipe):
    """Progressive growing: the size starts small and is doubled ``doublings`` times. Each size has an equal share of
    the training and is faded in during the fraction ``fade`` of its share."""

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
        """Return the number of sizes added to the first at ``progress`` (0…1); its fraction is the fade-in weight of
        the newest."""
        number = min(int(progress * (self.doublings + 1)), self.doublings)
        within = progress * (self.doublings + 1) - number
        return number - 1 + min(within / self.fade, 1.0) if number and self.fade else float(number)

    def _given(self) -> dict[str, Any]:
        return super()._given() | {"start": self.size >> self.doublings}


@METHODS.register("progressive")
class Progressive(Gan):
    """A GAN whose image size is scheduled by the progress of the training."""

    recipe_class = ProgressiveRecipe

    def __init__(self, recipe: ProgressiveRecipe, fabric: "Fabric") -> None:
        super().__init__(recipe, fabric)
        self._growth = recipe.growth
        networks = self.generator.module, self.discriminator_step.discriminator.module
        self._networks = [network for network in networks if isinstance(network, ProgressiveNetwork)]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        return super().step(self._scheduled(batch))

    def evaluate_heldout(self, batch: Batch) -> dict[str, Tensor]:
        return super().evaluate_heldout(self._scheduled(batch))

    def _scheduled(self, batch: Batch) -> Batch:
        """Grow the networks to the size of ``batch.progress`` and return the batch at that size.

        Networks never shrink, as when they start from a style or the budget of a training is extended. While a size is
        faded in, so it is in the real images.
        """
        growth = max(self._growth(batch.progress), *(network.current_growth for network in self._networks))
        for network in self._networks:
            network.grow(growth)
        size, (newest, alpha) = self._networks[0].image_size, self._networks[0].newest_stage()
        paintings = batch.paintings if size == batch.paintings.shape[-1] else resize(batch.paintings, size)
        if newest and alpha < 1:
            smaller = F.interpolate(F.avg_pool2d(paintings, 2), scale_factor=2.0, mode="nearest")
            paintings = torch.lerp(smaller, paintings, alpha)
        return replace(batch, paintings=paintings)
