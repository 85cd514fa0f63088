"""FSeSim: one generator that preserves layout by a self-similarity loss (Zheng et al. 2021, arXiv:2104.00854).

Differences from the paper: the features are those of the generator's backbone (EfficientNet-Lite1 instead of VGG16),
and every photo is translated with the mood (:mod:`impasto.networks.moods`) of the painting nearest to it or of a random
one; the output's statistics are trained towards that mood.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn

from impasto import parallel
from impasto.config.base import Config
from impasto.config.networks import GeneratorConfig, NetworkField
from impasto.config.recipe import TranslationRecipe
from impasto.config.registries import GENERATORS, METHODS
from impasto.config.types import Fraction, NotNegative, Positive, Share
from impasto.data.loader import Batch, Batches, Loader
from impasto.device import choose_precision
from impasto.errors import ImpastoError
from impasto.losses.self_similarity import self_similarity
from impasto.methods.adversarial import TranslationMethod, pixel_std
from impasto.networks.feature_decoder import Generator
from impasto.networks.moods import PALETTE_DIM
from impasto.networks.patch_sampler import sample_positions

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Backbone stages whose self-similarities are compared: 1/8 and 1/16 of the size.
STAGES = (1, 2)
#: Largest random shift of photo and output before they are compared, in pixels.
MAX_SHIFT = 16
#: Deviations of statistics from their mood are clamped to this many standard deviations.
MAX_DEVIATION = 6.0
#: Largest numbers of moods in a style and of photos over which their choice is balanced, both evenly spaced in the
#: training images; the fewest photos for which it is balanced.
MAX_MOODS, MAX_PHOTOS, MIN_PHOTOS = 300, 500, 100
#: Images measured at a time.
BLOCK = 4


class StructureConfig(Config):
    """Self-similarity loss between photo and output: its weight, and the number of positions compared with all."""

    weight: Positive
    places: int = Field(ge=2, le=4096)


class MoodConfig(Config):
    """Mood losses: the weights of the L1 distances, in standard deviations, to the mood's feature statistics and to its
    palette; the fraction of photos that get the nearest mood, where the others get a random one."""

    features: NotNegative
    palette: NotNegative
    nearest: Share


class FsesimRecipe(TranslationRecipe):
    """A self-similarity loss preserves the layout of the photo."""

    method: Literal["fsesim"]
    generator: Annotated[
        GeneratorConfig,
        NetworkField(GENERATORS, GeneratorConfig, latent=False, methods=("extract_features", "encode", "set_moods")),
    ]
    structure: StructureConfig
    mood: MoodConfig
    half: Fraction = 0.0  #: fraction of the training, at its beginning, at half the size

    @field_validator("identity")
    @classmethod
    def _no_identity(cls, identity: float) -> float:
        if identity:
            raise ValueError("the method fsesim has no identity loss: leave it at 0")
        return identity

    @model_validator(mode="after")
    def _multiple_of_stride(self) -> Self:
        multiple = 2 * self.generator.stride if self.half else self.generator.stride
        if self.size % multiple:
            half = ", as the first part of the training is at half the size (half > 0)" if self.half else ""
            raise ValueError(f"must be a multiple of {multiple}{half}")
        if self.half and self.discriminator.takes("size"):
            raise PydanticCustomError(
                "half",
                "must be 0 with the discriminator {network}, which takes one size only",
                {"setting": "half", "network": self.discriminator.network},
            )
        return self

    @property
    def min_size(self) -> int:
        least = max(super().min_size, self.generator.stride)
        return 2 * least if self.half else least

    @property
    def speed_changes(self) -> tuple[float, ...]:
        return (self.half,) if self.half else ()


@METHODS.register("fsesim")
class Fsesim(TranslationMethod):
    """One discriminator step, then one generator step, on the same fakes."""

    recipe_class = FsesimRecipe

    def __init__(self, recipe: FsesimRecipe, fabric: "Fabric") -> None:
        super().__init__(recipe, fabric)
        self.structure, self.mood, self.every = recipe.structure, recipe.mood, recipe.generator_every
        self.half = recipe.half
        network = self.generator.module
        assert isinstance(network, Generator)
        self.network, self.backbone = network, network.backbone  # creates it
        if fabric.device.type == "cpu" and choose_precision("auto", fabric.device) == "32-true":
            self.layout = torch.contiguous_format  # a third faster there than channels-last (docs/decisions.md)
            self.generator.to(memory_format=self.layout)

    @torch.no_grad()
    def prepare(self, generators: Sequence[nn.Module], pictures: Batches) -> None:
        """Measure the moods of the paintings, and statistics of photos, over which the choice of moods is balanced."""
        assert pictures.photos is not None
        if len(pictures.paintings) < 2:
            raise ImpastoError("Moods need at least 2 training paintings: give more paintings or a lower heldout.")
        moods = self._measure(pictures.paintings, MAX_MOODS)
        photos = self._measure(pictures.photos, MAX_PHOTOS) if len(pictures.photos) >= MIN_PHOTOS else None
        for generator in generators:
            assert isinstance(generator, Generator)
            generator.set_moods(moods, photos)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        at_half_size, batch = self._at_half_size(batch), self._resized(batch)
        photo, real = batch.photos.contiguous(memory_format=self.layout), batch.paintings  # (B, 3, S, S)
        with torch.no_grad():
            features = [each.contiguous(memory_format=self.layout) for each in self.generator.extract_features(photo)]
            mood = self.generator.training_moods(self._choose_moods(photo, features, batch.rng))  # (B, MOOD_DIM)
        update_generator = batch.step % self.every == 0
        with torch.set_grad_enabled(update_generator):
            fake = self.generator(photo, self.generator.encode(features, mood), features)
        losses = self.discriminator_step.step(real, fake, batch)
        if update_generator:
            # The same shift for both, so that no pattern stays in phase with the strides of the backbone.
            shifted_photo, shifted_fake = random_shift(torch.stack([photo, fake]), MAX_SHIFT, batch.rng)
            with torch.no_grad():
                source = self.generator.extract_features(shifted_photo)
            output = self.generator.extract_features(shifted_fake)
            deviation = self.generator.standardise(self.generator.statistics(fake, output)) - mood
            deviation = deviation.abs().clamp(max=MAX_DEVIATION)
            parts = {
                "loss_adversarial": self.discriminator_step.generator_loss(fake, real, batch),
                "loss_structure": self._structure(source, output, batch.rng),
                "loss_mood": deviation[:, :-PALETTE_DIM].mean(),
                "loss_palette": deviation[:, -PALETTE_DIM:].mean(),
            }
            loss = parts["loss_adversarial"] + self.structure.weight * parts["loss_structure"]
            loss = loss + self.mood.palette * parts["loss_palette"]
            if not at_half_size:  # moods are feature statistics at full size, which differ at half the size
                loss = loss + self.mood.features * parts["loss_mood"]
            self.update_generator(loss)
            losses |= {"loss_generator": loss.detach(), **{name: part.detach() for name, part in parts.items()}}
        return losses | {"diversity_ratio": pixel_std(fake.detach()) / pixel_std(real)}

    def evaluate_heldout(self, batch: Batch) -> dict[str, Tensor]:
        return super().evaluate_heldout(self._resized(batch))

    def _at_half_size(self, batch: Batch) -> bool:
        return batch.progress < self.half

    def _resized(self, batch: Batch) -> Batch:
        """Return the batch at half the size in the first part of the training, else unchanged."""
        if not self._at_half_size(batch):
            return batch
        photos = F.avg_pool2d(batch.photos, 2) if len(batch.photos) else batch.photos
        return replace(batch, paintings=F.avg_pool2d(batch.paintings, 2), photos=photos)

    def _measure(self, images: Loader, maximum: int) -> Tensor:
        """Return statistics (N, MOOD_DIM) of ``maximum`` evenly spaced images, or of all if there are fewer."""
        indices = np.linspace(0, len(images) - 1, min(maximum, len(images))).round().astype(int)
        parts = (images.load(indices[first : first + BLOCK]) for first in range(0, len(indices), BLOCK))
        return torch.cat([self.generator.statistics(part.contiguous()) for part in parts])

    def _choose_moods(self, photo: Tensor, features: list[Tensor], rng: torch.Generator) -> Tensor:
        """Return mood indices (B,) for photos (B, 3, H, W) with these features: the nearest or a random one.

        At half the size the nearest is less accurate, which does not matter beside the random ones.
        """
        nearest = self.generator.nearest_moods(self.generator.statistics(photo, features))
        count, device = parallel.whole(len(nearest)), nearest.device
        moods = max(len(self.network.moods), 1)
        random = parallel.part(torch.randint(moods, (count,), device=device, generator=rng))
        chosen = parallel.part(torch.rand(count, device=device, generator=rng))
        return torch.where(chosen < self.mood.nearest, nearest, random)

    def _structure(self, source: list[Tensor], output: list[Tensor], rng: torch.Generator) -> Tensor:
        """Return the self-similarity loss between features of photos and of outputs, averaged over the stages."""
        sources, outputs = [source[stage] for stage in STAGES], [output[stage] for stage in STAGES]
        positions = sample_positions(sources, self.structure.places, rng)
        pairs = zip(sources, outputs, positions, strict=True)
        return torch.stack([self_similarity(*each) for each in pairs]).mean()


def random_shift(images: Tensor, maximum: int, rng: torch.Generator) -> Tensor:
    """Shift images (..., 3, H, W) by the same random number of whole pixels, up to ``maximum`` in each direction, with
    reflection at the borders."""
    padded = F.pad(images.flatten(0, -4), (maximum, maximum, maximum, maximum), mode="reflect")
    for dim in (2, 3):
        side = images.shape[dim - 4]
        first = torch.randint(2 * maximum + 1, (1,), device=rng.device, generator=rng)
        padded = padded.index_select(dim, first + torch.arange(side, device=rng.device))
    return padded.view(images.shape)
