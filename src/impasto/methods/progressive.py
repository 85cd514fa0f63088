"""A GAN that begins with small pictures and grows (Karras et al. 2018, arXiv:1710.10196, section 2)."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.data.augment import shrink
from impasto.data.loader import Batch
from impasto.methods.gan import Gan
from impasto.networks.progressive import Growing

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from impasto.config.recipe import ProgressiveRecipe


class Progressive(Gan):
    """The plain GAN, at a size that follows how much of the training is over."""

    def __init__(self, recipe: "ProgressiveRecipe", fabric: "Fabric") -> None:
        super().__init__(recipe, fabric)
        self._growth = recipe.growth
        networks = self.generator.module, self.discriminator_step.discriminator.module
        self._growing = [network for network in networks if isinstance(network, Growing)]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        return super().step(self._grown(batch))

    def judge(self, batch: Batch) -> dict[str, Tensor]:
        return super().judge(self._grown(batch))

    def _grown(self, batch: Batch) -> Batch:
        """The batch at the size of its time, the networks grown to that. What is grown already, as it begins with a
        style or is gone on with for longer, does not shrink. While a size fades in, it does in the paintings too."""
        growth = max(self._growth(batch.progress), *(network.grown for network in self._growing))
        for network in self._growing:
            network.grow(growth)
        side, (newest, faded) = self._growing[0].side, self._growing[0].stage()
        paintings = batch.paintings if side == batch.paintings.shape[-1] else shrink(batch.paintings, side)
        if newest and faded < 1:
            smaller = F.interpolate(F.avg_pool2d(paintings, 2), scale_factor=2.0, mode="nearest")
            paintings = torch.lerp(smaller, paintings, faded)
        return replace(batch, paintings=paintings)
