"""Unconditional generation: images from noise."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from impasto.config.recipe import GenerationRecipe
from impasto.config.types import Pixels
from impasto.data.augment import to_pixels
from impasto.data.loader import stream_seed
from impasto.errors import ImpastoError
from impasto.inference.latents import Latent, truncated
from impasto.inference.pipeline import Pipeline
from impasto.style import Style

#: Every batch has this size, so that the network always sees the same shape and image *i* of a seed is bit-identical
#: however many images are requested.
BATCH = 16


@runtime_checkable
class StyleMixing(Protocol):
    """A generator with style mixing: coarse structure from some latents, appearance from others, both (B, L); returns
    (B, 3, S, S)."""

    def mix(self, structure: Tensor, appearance: Tensor, /) -> Tensor: ...


class Sampler(Pipeline):
    """Generates images from noise with an unconditional style."""

    usage = "generate(count)"

    def __init__(self, style: Style, device: torch.device) -> None:
        """Raises ImpastoError if the style translates photos."""
        super().__init__(style, device)
        recipe = style.recipe
        if not isinstance(recipe, GenerationRecipe):
            raise ImpastoError(
                f"This style translates images ({style.card.domains}) and cannot generate from noise: use "
                "impasto paint."
            )
        self._latent_size = recipe.latent
        self._network = style.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def generate(self, count: int, seed: int = 0, start: int = 0, truncation: float | None = None) -> list[Image.Image]:
        """Return ``count`` images: numbers ``start``, ``start`` + 1, … of ``seed``.

        Image *i* of a seed is the same for every ``count`` and ``start``. See
        :func:`impasto.inference.latents.truncated` for ``truncation``.
        """
        return [Image.fromarray(image) for image in self.stream(count, seed, start, truncation)]

    def stream(self, count: int, seed: int = 0, start: int = 0, truncation: float | None = None) -> Iterator[Pixels]:
        """Yield the same images one by one, uint8 (S, S, 3); one batch is in memory at a time."""
        first = start - start % BATCH  # an image keeps its place in its batch, whatever the start
        numbers = range(first, start + count)
        images = self.from_latents(truncated(self.latent(seed, number), truncation) for number in numbers)
        return islice(images, start - first, None)

    def from_latents(self, latents: Iterable[Latent]) -> Iterator[Pixels]:
        """Yield the image of each latent, (L,) float32, as uint8 (S, S, 3)."""
        return self._batched(self._network, latents)

    def mix(self, structure: Iterable[Latent], appearance: Iterable[Latent]) -> Iterator[Pixels]:
        """Yield images with the coarse structure of some latents and the appearance of as many others (style mixing).

        Raises ImpastoError if the network has no style mixing.
        """
        network: object = self._network
        if not isinstance(network, StyleMixing):
            raise ImpastoError("This style's network has no style mixing: use a fastgan or projected style.")
        return self._batched(network.mix, structure, appearance)

    def latent(self, seed: int, number: int) -> Latent:
        """Return the latent (L,) float32 of image ``number`` of ``seed``."""
        # NumPy's generator: torch's CPU generator takes 32-bit seeds, and 7,000 of those may collide.
        rng = np.random.default_rng(stream_seed(seed, "picture", number))
        return rng.standard_normal(self._latent_size, dtype=np.float32)

    def _batched(self, network: Callable[..., Tensor], *latents: Iterable[Latent]) -> Iterator[Pixels]:
        """Run a network batch by batch; the last batch is padded to :data:`BATCH`."""
        rows = zip(*latents, strict=True)
        while batch := list(islice(rows, BATCH)):
            padded = batch + [batch[-1]] * (BATCH - len(batch))
            inputs = [torch.from_numpy(np.stack(column)).to(self.device) for column in zip(*padded, strict=True)]
            with torch.no_grad():
                pixels: Pixels = to_pixels(network(*inputs)).cpu().numpy()
            yield from pixels[: len(batch)]
