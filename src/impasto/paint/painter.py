"""A style at work."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from impasto.data.augment import shrink, to_float, to_pixels
from impasto.data.loader import stream_seed
from impasto.device import choose_device, out_of_memory
from impasto.errors import ImpastoError
from impasto.paint.latents import Latent, truncated
from impasto.paint.manner import USUAL, Manner
from impasto.paint.photo import Pixels, TooLargeError, blend, open_photo
from impasto.paint.quick import quicken
from impasto.recipe import NoiseRecipe
from impasto.style import Card, Style

#: Pictures computed together, always: picture *i* is the same however many are asked for, to the last bit, because
#: the network never sees another shape of batch.
BLOCK = 16
#: Photos of one size painted together on a GPU, if they are small: so many pixels in all. A CPU gains nothing by it.
TOGETHER = 1 << 20
#: Times the size that a style was shown: a longer photo is begun at half its size. And how much of what is painted over
#: is that painting; the rest is the photo.
LARGE, UNDER = 2.5, 0.65


@runtime_checkable
class Mixing(Protocol):
    """A network that paints the forms of some latents in the manner of others, both (B, L): pictures (B, 3, S, S)."""

    def mix(self, forms: Tensor, manners: Tensor) -> Tensor: ...


class Painter:
    """Makes pictures with a style: new ones out of nothing, or paintings of photos, whichever the style has learned."""

    def __init__(self, style: Style, device: torch.device) -> None:
        self.style, self.device = style, device
        self._latent_size = recipe.latent if isinstance(recipe := style.recipe, NoiseRecipe) else 0
        if recipe.translates:
            self._network = quicken(style.network, device)
        else:
            self._network = style.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def card(self) -> Card:
        return self.style.card

    @property
    def size(self) -> int:
        """Side of the pictures that it makes, in pixels, or of the photos that it was shown; others may be of any
        size."""
        return self.style.recipe.shown_size

    # Out of nothing.

    def generate(self, count: int, seed: int = 0, start: int = 0, truncation: float | None = None) -> list[Image.Image]:
        """``count`` new pictures out of nothing: those numbered ``start``, ``start`` + 1, … of ``seed``.

        ``truncation`` is that of :func:`impasto.paint.latents.truncated`. Raises ImpastoError if the style paints
        photos.
        """
        return [Image.fromarray(picture) for picture in self.stream(count, seed, start, truncation)]

    def stream(self, count: int, seed: int = 0, start: int = 0, truncation: float | None = None) -> Iterator[Pixels]:
        """The same pictures one by one, as uint8 (S, S, 3); only a few are in memory at a time."""
        self._require_noise()
        first = start - start % BLOCK  # so that a picture has the same place in its block, wherever one starts
        numbers = range(first, start + count)
        pictures = self.develop(truncated(self.latent(seed, number), truncation) for number in numbers)
        return islice(pictures, start - first, None)

    def develop(self, latents: Iterable[Latent]) -> Iterator[Pixels]:
        """The pictures of latents, each (L,) float32, one by one as uint8 (S, S, 3).

        Raises ImpastoError if the style paints photos.
        """
        self._require_noise()
        return self._blocks(self._network, latents)

    def mix(self, forms: Iterable[Latent], manners: Iterable[Latent]) -> Iterator[Pixels]:
        """Pictures with the forms of some latents in the manner of others, as many.

        Raises ImpastoError if the style paints photos, or its network cannot mix.
        """
        self._require_noise()
        network: object = self._network
        if not isinstance(network, Mixing):
            raise ImpastoError("This style's network mixes nothing: a fastgan or a projected one does.")
        return self._blocks(network.mix, forms, manners)

    def latent(self, seed: int, number: int) -> Latent:
        """The latent (L,) of the picture of that number and seed. Raises ImpastoError if the style paints photos."""
        self._require_noise()
        # numpy's generator: torch's on the CPU takes only 32 bits of a seed, and 7,000 such seeds may well meet.
        rng = np.random.default_rng(stream_seed(seed, "picture", number))
        return rng.standard_normal(self._latent_size, dtype=np.float32)

    def _blocks(self, network: Callable[..., Tensor], *latents: Iterable[Latent]) -> Iterator[Pixels]:
        """What a network makes of latents, block by block, the last one filled up."""
        coming = zip(*latents, strict=True)
        while block := list(islice(coming, BLOCK)):
            filled = block + [block[-1]] * (BLOCK - len(block))
            given = [torch.from_numpy(np.stack(column)).to(self.device) for column in zip(*filled, strict=True)]
            with torch.no_grad():
                pixels: Pixels = to_pixels(network(*given)).cpu().numpy()
            yield from pixels[: len(block)]

    def _require_noise(self) -> None:
        if self.style.recipe.translates:
            raise ImpastoError(
                f"This style turns {self.card.turns} and makes none out of nothing: give it photos (impasto paint)."
            )

    # Of photos.

    def paint(
        self, photo: str | Path | Image.Image, strength: float = 1.0, brush: float = 1.0, keep_colour: bool = False
    ) -> Image.Image:
        """The painting of one photo, a file or a Pillow image, of its size and shape, in that
        :class:`impasto.paint.manner.Manner`.

        Raises ImpastoError if the style paints no photos, the photo cannot be read or takes more memory than there is.
        """
        manner = Manner(strength, brush, keep_colour)
        self.require_photos()
        pixels = open_photo(photo)
        return Image.fromarray(self.paint_pixels(pixels[None], manner)[0])

    @torch.inference_mode()
    def paint_pixels(self, pixels: Pixels, manner: Manner = USUAL) -> Pixels:
        """The paintings of photos of one size, both uint8 (B, H, W, 3): on a CPU the same, however many come together.
        Any thread may call this.

        Raises ImpastoError if the style paints no photos, and TooLargeError if they take more memory than there is.
        """
        self.require_photos()
        count, height, width, _ = pixels.shape
        together = 1 if self.device.type == "cpu" else max(1, TOGETHER // (height * width))
        paintings = np.empty_like(pixels)
        for first in range(0, count, together):
            block = slice(first, first + together)
            photos = to_float(torch.from_numpy(np.array(pixels[block])).to(self.device))
            try:
                paintings[block] = to_pixels(self._paint(photos)).cpu().numpy()
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                raise TooLargeError(
                    f"{width}×{height} pixels take more memory than there is: scale it down."
                ) from error
        return blend(pixels, paintings, manner.strength)

    def paint_stream(self, photos: Iterable[Pixels]) -> Iterator[Pixels]:
        """The paintings of photos of one size, each uint8 (H, W, 3), one by one; only a few are in memory at a time."""
        coming = iter(photos)
        while block := list(islice(coming, BLOCK)):
            yield from self.paint_pixels(np.stack(block))

    def _paint(self, photos: Tensor) -> Tensor:
        """Paintings of photos (B, 3, H, W); large ones from coarse to fine, as a painter begins with a large brush
        (Hertzmann 1998, "Painterly Rendering with Curved Brush Strokes of Multiple Sizes").

        Strokes have the size in pixels that they had in training, which is nothing in a large photo. So it is painted
        at half its size first, and again on top of that. Only a style that has learned to leave paintings what they are
        can go over its own.
        """
        height, width = photos.shape[-2:]
        if self.style.recipe.leaves_paintings and max(height, width) > LARGE * self.size:
            half = shrink(photos, -(-height // 2), -(-width // 2))
            coarse = F.interpolate(self._paint(half), size=(height, width), mode="bicubic")
            photos = photos.lerp(coarse, UNDER).clamp_(-1, 1)
        return self._network(photos)

    def require_photos(self) -> None:
        """Raises ImpastoError if the style paints no photos."""
        if not self.style.recipe.translates:
            raise ImpastoError(
                f"This style turns {self.card.turns} and cannot paint photos: choose another (impasto styles)."
            )


def load(style: str | Path, device: str = "auto") -> Painter:
    """The painter in a style that comes along, a style file or a run folder. It needs no settings: the file holds them.

    Raises :class:`impasto.errors.ImpastoError` where there is no style, or a damaged one.
    """
    return Painter(Style.load(style), choose_device(device))
