"""Base classes of methods that train a generator against a discriminator."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from impasto import parallel
from impasto.data.loader import Batch, Loader
from impasto.methods.base import Method
from impasto.methods.discriminator_step import DiscriminatorStep, optimizer_step, setup_network
from impasto.networks import build_generator

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from impasto.config.recipe import Recipe


class AdversarialMethod(Method):
    """A generator and a discriminator, with their optimisers, evaluation and style."""

    layout = torch.channels_last  #: memory format of the generator's inputs

    def __init__(self, recipe: "Recipe", fabric: "Fabric") -> None:
        self.fabric, self._settings = fabric, recipe.generator
        self.generator, self.optimizer_g = setup_network(
            fabric, build_generator(**recipe.generator_kwargs()), recipe.generator
        )
        self.discriminator_step = DiscriminatorStep(recipe, fabric)
        self.networks = {"generator": self.generator, **self.discriminator_step.networks}
        self.optimizers = {"generator": self.optimizer_g, "discriminator": self.discriminator_step.optimizer}

    def update_generator(self, loss: Tensor) -> None:
        """Update the generator by the gradient of ``loss``, a scalar."""
        self.optimizer_g.zero_grad()
        self.fabric.backward(loss)
        optimizer_step(self.fabric, self.generator, self.optimizer_g, self._settings)

    def evaluate_heldout(self, batch: Batch) -> dict[str, Tensor]:
        return {"accuracy_heldout": self.discriminator_step.heldout_accuracy(batch.paintings, batch.rng)}

    def style(self) -> nn.Module:
        network: nn.Module = self.generator.module
        return network


class TranslationMethod(AdversarialMethod):
    """Image-to-image translation.

    ``batch.photos`` are images of the source domain, ``batch.paintings`` of the target domain, in either direction.
    """

    def inputs(self, count: int, seed: int, photos: Loader | None) -> Tensor:
        if photos is None:
            raise ValueError("translation needs photos")
        return photos.load_evenly(count)

    def sample(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        images: Tensor = generator(inputs.contiguous(memory_format=self.layout))
        return images


def pixel_std(images: Tensor) -> Tensor:
    """Return the diversity of images (B, 3, S, S), a scalar: the standard deviation of a pixel over the global batch,
    averaged over every 16th pixel. For a single image it is the deviation over positions."""
    pixels = parallel.gather(images[:, :, ::4, ::4])
    return pixels.std(0 if len(pixels) > 1 else (2, 3)).mean().clamp_min(1e-6)
