"""FSeSim: one generator, held to the layout of the photo by self-similarity (Zheng et al. 2021, arXiv:2104.00854).

Ours beside the paper: the features are those that the generator sees (EfficientNet-Lite1 instead of VGG16), and every
photo is painted in a mood (:mod:`impasto.networks.feature_decoder`), that of the painting nearest to it or of one drawn
at random, whose statistics the painting is pulled to.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

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
from impasto.networks.moods import PALETTE
from impasto.networks.patch_sampler import draw_places

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: The stages whose self-similarities are compared: 1/8 and 1/16 of the size.
STAGES = (1, 2)
#: Photos and paintings are moved by up to so many pixels before they are compared.
SHIFT = 16
#: A statistic further than so many standard deviations from its mood pulls no harder.
FAR = 6.0
#: Paintings whose moods a style holds at most, and photos among whom they are shared out, both evenly spaced: fewer
#: photos than the third would tell too little about others. Pictures that are measured at a time.
PAINTINGS, PHOTOS, FEW, BLOCK = 300, 500, 100, 4


class StructureConfig(Config):
    """Self-similarity loss between photo and output: its weight, and how many positions are compared with all."""

    weight: Positive
    places: int = Field(ge=2, le=4096)


class MoodConfig(Config):
    """How strongly an output takes on its mood: the weights of the L1 distances, in standard deviations, to the mood's
    feature statistics and to its palette, and the fraction of photos whose mood is that of the nearest painting; the
    others draw one at random."""

    features: NotNegative
    palette: NotNegative
    nearest: Share


class FsesimRecipe(TranslationRecipe):
    """The layout of the photo is preserved by its self-similarities."""

    method: Literal["fsesim"]
    generator: Annotated[
        GeneratorConfig, NetworkField(GENERATORS, GeneratorConfig, latent=False, methods=("look", "encode", "remember"))
    ]
    structure: StructureConfig
    mood: MoodConfig
    half: Fraction = 0.0  #: fraction of the training, at its beginning, at half the size

    @field_validator("identity")
    @classmethod
    def _none(cls, identity: float) -> float:
        if identity:
            raise ValueError("the method fsesim has no identity loss: leave it at 0")
        return identity

    @model_validator(mode="after")
    def _whole_maps(self) -> Self:
        if self.size % self.min_size:
            half = ", as the first part of the training is at half the size (half > 0)" if self.half else ""
            raise ValueError(f"must be a multiple of {self.min_size}{half}")
        return self

    @property
    def min_size(self) -> int:
        return 2 * self.generator.stride if self.half else self.generator.stride

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
        self.network, self.backbone = network, network.fixed[0]  # which is made now, not in the first step
        if fabric.device.type == "cpu" and choose_precision("auto", fabric.device) == "32-true":
            self.layout = torch.contiguous_format  # a third faster there than channels-last (docs/decisions.md)
            self.generator.to(memory_format=self.layout)
        for method in ("look", "nearest", "mood", "encode", "statistics", "standardised"):
            self.generator.mark_forward_method(method)

    @torch.no_grad()
    def prepare(self, generators: Sequence[nn.Module], pictures: Batches) -> None:
        """Measures the moods of the paintings, and of photos, among whom they are to be shared out."""
        assert pictures.photos is not None
        if len(pictures.paintings) < 2:
            raise ImpastoError(
                "A mood is relative to others: give 2 paintings to learn from at least, or a lower heldout."
            )
        moods = self._measured(pictures.paintings, PAINTINGS)
        photos = self._measured(pictures.photos, PHOTOS) if len(pictures.photos) >= FEW else None
        for generator in generators:
            assert isinstance(generator, Generator)
            generator.remember(moods, photos)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        small, batch = self._small(batch), self._sized(batch)
        photo, real = batch.photos.contiguous(memory_format=self.layout), batch.paintings  # (B, 3, S, S)
        with torch.no_grad():
            seen = [each.contiguous(memory_format=self.layout) for each in self.generator.look(photo)]
            mood = self.generator.mood(self._chosen(photo, seen, batch.rng))  # (B, MOOD)
        learns = batch.step % self.every == 0
        with torch.set_grad_enabled(learns):
            fake = self.generator(photo, self.generator.encode(seen, mood), seen)
        losses = self.discriminator_step.step(real, fake, batch)
        if learns:
            # Moved alike, so that no pattern stays in phase with the strides of the network that compares them.
            moved_photo, moved_fake = jitter(torch.stack([photo, fake]), SHIFT, batch.rng)
            with torch.no_grad():
                kept = self.generator.look(moved_photo)
            painted = self.generator.look(moved_fake)
            away = self.generator.standardised(self.generator.statistics(fake, painted)) - mood
            away = away.abs().clamp(max=FAR)
            parts = {
                "loss_adversarial": self.discriminator_step.generator_loss(fake, real, batch),
                "loss_structure": self._structure(kept, painted, batch.rng),
                "loss_mood": away[:, :-PALETTE].mean(),
                "loss_palette": away[:, -PALETTE:].mean(),
            }
            loss = parts["loss_adversarial"] + self.structure.weight * parts["loss_structure"]
            loss = loss + self.mood.palette * parts["loss_palette"]
            if not small:  # the statistics of features, which are those of pictures of full size, depend on it
                loss = loss + self.mood.features * parts["loss_mood"]
            self.update_generator(loss)
            losses |= {"loss_generator": loss.detach(), **{name: part.detach() for name, part in parts.items()}}
        return losses | {"diversity_ratio": pixel_std(fake.detach()) / pixel_std(real)}

    def evaluate_heldout(self, batch: Batch) -> dict[str, Tensor]:
        return super().evaluate_heldout(self._sized(batch))

    def _small(self, batch: Batch) -> bool:
        return batch.progress < self.half

    def _sized(self, batch: Batch) -> Batch:
        """The batch at the size of its time."""
        if not self._small(batch):
            return batch
        photos = F.avg_pool2d(batch.photos, 2) if len(batch.photos) else batch.photos
        return replace(batch, paintings=F.avg_pool2d(batch.paintings, 2), photos=photos)

    def _measured(self, pictures: Loader, most: int) -> Tensor:
        """The statistics (N, MOOD) of pictures, of so many at most."""
        places = np.linspace(0, len(pictures) - 1, min(most, len(pictures))).round().astype(int)
        parts = (pictures.load(places[first : first + BLOCK]) for first in range(0, len(places), BLOCK))
        return torch.cat([self.generator.statistics(part.contiguous()) for part in parts])

    def _chosen(self, photo: Tensor, seen: list[Tensor], rng: torch.Generator) -> Tensor:
        """The numbers (B,) of the paintings in whose moods photos (B, 3, H, W) with these features are painted. At half
        the size these tell the nearest one less surely: of no weight, as many are drawn at random anyway."""
        nearest = self.generator.nearest(self.generator.statistics(photo, seen))
        count, device = len(nearest), nearest.device
        known = max(len(self.network.moods), 1)
        drawn = torch.randint(known, (count,), device=device, generator=rng)
        return torch.where(torch.rand(count, device=device, generator=rng) < self.mood.nearest, nearest, drawn)

    def _structure(self, photo: list[Tensor], painted: list[Tensor], rng: torch.Generator) -> Tensor:
        """The mean over the stages of how far the self-similarities of photos and paintings with these features
        differ."""
        sources, results = [photo[stage] for stage in STAGES], [painted[stage] for stage in STAGES]
        places = draw_places(sources, self.structure.places, rng)
        pairs = zip(sources, results, places, strict=True)
        return torch.stack([self_similarity(*each) for each in pairs]).mean()


def jitter(pictures: Tensor, most: int, rng: torch.Generator) -> Tensor:
    """Pictures (..., 3, H, W), all moved by the same random whole number of pixels, up to ``most`` each way; what comes
    in from outside is the reflection."""
    padded = F.pad(pictures.flatten(0, -4), (most, most, most, most), mode="reflect")
    for dim in (2, 3):
        side = pictures.shape[dim - 4]
        first = torch.randint(2 * most + 1, (1,), device=rng.device, generator=rng)
        padded = padded.index_select(dim, first + torch.arange(side, device=rng.device))
    return padded.view(pictures.shape)
