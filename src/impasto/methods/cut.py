"""CUT: contrastive unpaired translation with one generator (Park et al. 2020, arXiv:2007.15651)."""

from typing import TYPE_CHECKING, Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from impasto import parallel
from impasto.config.base import Config
from impasto.config.networks import GeneratorConfig, NetworkField
from impasto.config.recipe import TranslationRecipe
from impasto.config.registries import GENERATORS, METHODS
from impasto.config.types import Positive
from impasto.data.loader import Batch
from impasto.losses.patch_nce import patch_nce
from impasto.methods.adversarial import TranslationMethod, pixel_std
from impasto.methods.discriminator_step import optimizer_step, setup_network
from impasto.networks.patch_sampler import PatchSampler, sample_positions

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class PatchNceConfig(Config):
    """PatchNCE: its weight, the number of patches per feature map, the temperature; with ``identity`` also on images of
    the target domain."""

    weight: Positive
    patches: int = Field(ge=2, le=4096)
    temperature: Positive
    identity: bool


class CutRecipe(TranslationRecipe):
    """PatchNCE attracts each output patch to the input patch at the same position and repels it from the others."""

    method: Literal["cut"]
    generator: Annotated[
        GeneratorConfig, NetworkField(GENERATORS, GeneratorConfig, latent=False, methods=("features",))
    ]
    contrast: PatchNceConfig

    @property
    def preserves_target(self) -> bool:
        return super().preserves_target or self.contrast.identity


@METHODS.register("cut")
class Cut(TranslationMethod):
    """One discriminator step, then one step of the generator and of the projection heads (``sampler``)."""

    recipe_class = CutRecipe

    def __init__(self, recipe: CutRecipe, fabric: "Fabric") -> None:
        super().__init__(recipe, fabric)
        self.contrast, self.identity, self.every = recipe.contrast, recipe.identity, recipe.generator_every
        with torch.no_grad():
            maps = self.generator.features(torch.zeros(1, 3, recipe.size, recipe.size, device=fabric.device))
        self.sampler, self.optimizer_s = setup_network(
            fabric, PatchSampler([each.shape[1] for each in maps]), recipe.generator
        )
        self.networks["sampler"], self.optimizers["sampler"] = self.sampler, self.optimizer_s

    def step(self, batch: Batch) -> dict[str, Tensor]:
        photo, real = batch.photos, batch.paintings  # (B, 3, S, S)
        same_as = parallel.span(len(real), self._identity_count(parallel.whole(len(real))))
        target = real[: same_as.count]
        with parallel.concatenated(parallel.span(len(photo)), same_as):
            output = self.generator(torch.cat([photo, target]))
        fake, same = output[: len(photo)], output[len(photo) :]
        losses = self.discriminator_step.step(real, fake, batch)
        if batch.step % self.every == 0:
            parts = {
                "loss_adversarial": self.discriminator_step.generator_loss(fake, real, batch),
                "loss_contrast": self._contrast(photo, fake, batch.rng),  # equation 4
            }
            contrast = parts["loss_contrast"]
            if self.contrast.identity:
                parts["loss_contrast_identity"] = self._contrast(target, same, batch.rng)  # equation 5, second term
                contrast = (contrast + parts["loss_contrast_identity"]) / 2  # a mean, as in the authors' code
            loss = parts["loss_adversarial"] + self.contrast.weight * contrast
            if self.identity:
                parts["loss_identity"] = parallel.weighted(F.l1_loss(same, target), same_as)
                loss = loss + self.identity * parts["loss_identity"]
            self.optimizer_s.zero_grad()
            self.update_generator(loss)
            optimizer_step(self.fabric, self.sampler, self.optimizer_s, self._settings)
            losses |= {"loss_generator": loss.detach(), **{name: part.detach() for name, part in parts.items()}}
        return losses | {"diversity_ratio": pixel_std(fake.detach()) / pixel_std(real)}

    def _identity_count(self, count: int) -> int:
        """Return how many of ``count`` target images enter the identity losses: all for the paper's PatchNCE, a quarter
        for the L1 distance alone, which works as well in a quarter of the time."""
        return count if self.contrast.identity else -(-count // 4) if self.identity else 0

    def _contrast(self, source: Tensor, output: Tensor, rng: torch.Generator) -> Tensor:
        """Return the PatchNCE loss between inputs and outputs (B, 3, H, W), averaged over the feature maps."""
        with self.fabric.autocast():  # Fabric applies it to forward passes alone
            with torch.no_grad():
                keys = self.generator.features(source)
            queries = self.generator.features(output)
        positions = sample_positions(queries, self.contrast.patches, rng)
        pairs = zip(self.sampler(queries, positions), self.sampler(keys, positions), strict=True)
        losses = [patch_nce(query, key, self.contrast.temperature) for query, key in pairs]
        return torch.stack(losses).mean()
