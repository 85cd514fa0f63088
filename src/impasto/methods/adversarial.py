"""What all methods share: one painter that is kept, and a discriminator that judges it."""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from impasto.data.loader import Batch, Loader
from impasto.methods.base import Method
from impasto.methods.discriminator_step import DiscriminatorStep, layout, set_up, update
from impasto.networks import build_generator

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from impasto.config.recipe import Recipe


class AdversarialMethod(Method):
    """A generator against a discriminator: how they are made, judged and kept."""

    def __init__(self, recipe: "Recipe", fabric: "Fabric") -> None:
        self.fabric, self._settings, self.layout = fabric, recipe.generator, layout(recipe, fabric)
        self.generator, self.optimizer_g = set_up(
            fabric, build_generator(**recipe.generator_kwargs()), recipe.generator, self.layout
        )
        self.discriminator_step = DiscriminatorStep(recipe, fabric)
        self.networks = {"generator": self.generator, **self.discriminator_step.networks}
        self.optimizers = {"generator": self.optimizer_g, "discriminator": self.discriminator_step.optimizer}

    def update_generator(self, loss: Tensor) -> None:
        """One update of the generator."""
        self.optimizer_g.zero_grad()
        self.fabric.backward(loss)
        update(self.fabric, self.generator, self.optimizer_g, self._settings)

    def evaluate_heldout(self, batch: Batch) -> dict[str, Tensor]:
        return {"accuracy_heldout": self.discriminator_step.heldout_accuracy(batch.paintings, batch.rng)}

    def style(self) -> nn.Module:
        network: nn.Module = self.generator.module
        return network


class TranslationMethod(AdversarialMethod):
    """Image-to-image translation: what is looked at are pictures of the source domain that were not learned from.

    A batch's ``photos`` are of the source domain, its ``paintings`` of the target domain.
    """

    def inputs(self, count: int, seed: int, photos: Loader | None) -> Tensor:
        if photos is None:
            raise ValueError("a translator needs photos")
        return photos.load_evenly(count)

    def sample(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        pictures: Tensor = generator(inputs.contiguous(memory_format=self.layout))
        return pictures


def pixel_std(pictures: Tensor) -> Tensor:
    """How much pictures (B, 3, S, S) differ from each other: the mean deviation of a pixel, of every 16th one. A single
    picture has only its own contrast to tell."""
    seen = pictures[:, :, ::4, ::4]
    return seen.std(0 if len(seen) > 1 else (2, 3)).mean().clamp_min(1e-6)
