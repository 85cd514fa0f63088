"""A style at work."""

import copy
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from itertools import islice
from operator import index
from pathlib import Path
from typing import Any, Protocol, SupportsIndex, runtime_checkable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from impasto.config.recipe import NoiseRecipe
from impasto.config.types import Pixels
from impasto.data.augment import to_pixels
from impasto.data.loader import stream_seed
from impasto.device import available, choose_device, out_of_memory
from impasto.errors import ImpastoError
from impasto.inference.coarse_to_fine import CoarseToFineInput, resized
from impasto.inference.latents import Latent, truncated
from impasto.inference.options import DEFAULT, PaintOptions
from impasto.inference.ordered_map import choose_workers
from impasto.inference.photo import TooLargeError, open_photo
from impasto.inference.postprocess import postprocess
from impasto.inference.precision import BatchedNetwork, optimise_network
from impasto.inference.stroke_translator import Mood, StrokeTranslator
from impasto.inference.tiling.executor import paint as paint_piecewise
from impasto.inference.tiling.window import Window
from impasto.networks.feature_decoder import Generator
from impasto.style import Card, Style

#: Pictures computed together, always: picture *i* is the same however many are asked for, to the last bit, because
#: the network never sees another shape of batch.
BLOCK = 16
#: Photos painted at once, alone or several of one size together, have at most so many pixels in all: on a CPU, which
#: gains nothing by more, and on a GPU. Larger ones are painted piece by piece.
AT_ONCE, AT_ONCE_GPU = 1 << 18, 1 << 20
#: Photos of more pixels are painted one at a time, as each takes much memory: on a CPU, on all threads, and on a GPU.
ALONE, ALONE_GPU = 1 << 22, 1 << 25
#: So many photos are on their way to a GPU and back at a time, where there are many.
WORKERS_GPU = 12
#: Bytes of maps that may be alive while a photo is painted piece by piece on a CPU, which is slower with more as well
#: as with fewer; of a GPU's free memory, it may be this share.
MAPS, SHARE = 100 << 20, 0.5
#: Times the size that a style was shown: a longer photo is begun at half its size. And how much of what is painted over
#: is that painting; the rest is the photo.
LARGE, UNDER = 2.5, 0.65
#: The same share of a painting that was enlarged because its strokes are to be larger.
ENLARGED = 0.9


@runtime_checkable
class Mixing(Protocol):
    """A network that paints the forms of some latents in the manner of others, both (B, L): pictures (B, 3, S, S)."""

    def mix(self, forms: Tensor, manners: Tensor) -> Tensor: ...


class Painter:
    """Makes pictures with a style: new ones out of nothing, or paintings of photos, whichever the style has learned."""

    def __init__(self, style: Style, device: torch.device) -> None:
        self.style, self.device = style, device
        self._turn, self._threads = threading.RLock(), torch.get_num_threads()
        self._latent_size = recipe.latent if isinstance(recipe := style.recipe, NoiseRecipe) else 0
        self._stroke_translator = None
        if isinstance(style.network, Generator):
            self._stroke_translator = StrokeTranslator(style.network, device, recipe.size)
        elif recipe.translates:
            self._network = optimise_network(style.network, device)
            self._together = self._network if device.type == "cpu" else BatchedNetwork(self._network, AT_ONCE_GPU)
        else:
            self._network = style.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def card(self) -> Card:
        return self.style.card

    @property
    def makes(self) -> str:
        """What one of the pictures that it makes is called."""
        return "photo" if self.card.domains.endswith(" into photos") else "painting"

    @property
    def size(self) -> int:
        """Side of the pictures that it makes, in pixels, or of the photos that it was shown; others may be of any
        size."""
        return self.style.recipe.sample_size

    @property
    def _at_once(self) -> int:
        return AT_ONCE if self.device.type == "cpu" else AT_ONCE_GPU

    # Out of nothing.

    def generate(self, count: int, seed: int = 0, start: int = 0, truncation: float | None = None) -> list[Image.Image]:
        """``count`` new pictures out of nothing: those numbered ``start``, ``start`` + 1, … of ``seed``.

        ``truncation`` is that of :func:`impasto.inference.latents.truncated`. Raises ImpastoError if the style paints
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
                f"This style turns {self.card.domains} and makes none out of nothing: give it photos (impasto paint)."
            )

    # Of photos.

    def paint(
        self,
        photo: str | Path | Image.Image,
        strength: float = 1.0,
        brush: float = 1.0,
        keep_colour: bool = False,
        mood: SupportsIndex | Sequence[SupportsIndex] = (),
        like: str | Path | Sequence[str | Path] = (),
    ) -> Image.Image:
        """The painting of one photo, a file or a Pillow image, of its size and shape, in that
        :class:`impasto.inference.options.PaintOptions`.

        ``mood`` and ``like`` are those of :meth:`mood`.

        Raises ImpastoError if the style paints no photos, the photo cannot be read or takes more memory than there is.
        """
        self.require_photos()
        manner = PaintOptions(strength, brush, keep_colour, self.mood(mood, like))
        pixels = open_photo(photo)
        return Image.fromarray(self.paint_pixels(pixels[None], manner)[0])

    @torch.inference_mode()
    def paint_pixels(self, pixels: Pixels, manner: PaintOptions = DEFAULT) -> Pixels:
        """The paintings of photos of one size, both uint8 (B, H, W, 3): on a CPU the same, however many come together.
        Any thread may call this.

        Raises ImpastoError if the style paints no photos, and TooLargeError if they take more memory than there is.
        """
        self.require_photos()
        count, height, width, _ = pixels.shape
        together = 1 if self.device.type == "cpu" else max(1, self._at_once // (height * width))
        try:
            blocks = [self._stroked(pixels[first : first + together], manner) for first in range(0, count, together)]
            paintings = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
            postprocess(pixels, paintings, manner)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise TooLargeError(f"{width}×{height} pixels take more memory than there is: scale it down.") from error
        return paintings

    @property
    def moods(self) -> int:
        """How many moods the style has, by number from 0: one a training painting; 0 if it has none."""
        return 0 if self._stroke_translator is None else self._stroke_translator.moods

    def mood(
        self, numbers: SupportsIndex | Sequence[SupportsIndex] = (), like: str | Path | Sequence[str | Path] = ()
    ) -> Mood | None:
        """The light and palette of training paintings by number and of any pictures, a mean of all: as
        :class:`impasto.inference.options.PaintOptions` takes it. None without either.

        Raises ImpastoError for a number that there is not, a picture that cannot be read, or a style without moods.
        """
        numbers = [numbers] if isinstance(numbers, SupportsIndex) else numbers
        like = [like] if isinstance(like, str | Path) else like
        if not (numbers or like):
            return None
        self.require_moods()
        assert self._stroke_translator is not None
        return self._stroke_translator.mood([index(number) for number in numbers], like)

    def require_moods(self) -> None:
        """Raises ImpastoError if the style has no moods."""
        if not self.moods:
            raise ImpastoError(
                "This style has no moods: leave out --mood, --moods and --like, or choose monet (impasto styles)."
            )

    def settled(self, manner: PaintOptions, photo: Pixels) -> PaintOptions:
        """The same for all frames of a film: without a mood of its own, that of the painting nearest to ``photo``
        (H, W, 3)."""
        if self._stroke_translator is None or manner.mood is not None or not self.moods:
            return manner
        return replace(manner, mood=self._stroke_translator.mood([self._stroke_translator.nearest(photo)]))

    def workers(self) -> int:
        """How many photos are painted at a time where there are many: found out by painting some of grey."""
        if self.device.type != "cpu":
            return WORKERS_GPU
        side = min(self.size, math.isqrt(AT_ONCE))
        grey = np.full((1, side, side, 3), 127, np.uint8)
        return choose_workers(lambda: self.paint_pixels(grey))

    @contextmanager
    def in_turn(self, places: int) -> Iterator[None]:
        """What is done here with a photo of so many pixels, one thread at a time does if they are many."""
        if places <= (ALONE if self.device.type == "cpu" else ALONE_GPU):
            yield
            return
        with self._turn:
            threads = torch.get_num_threads()
            torch.set_num_threads(self._threads)
            try:
                yield
            finally:
                torch.set_num_threads(threads)

    def paint_stream(self, photos: Iterable[Pixels]) -> Iterator[Pixels]:
        """The paintings of photos of one size, each uint8 (H, W, 3), one by one; only a few are in memory at a time."""
        coming = iter(photos)
        while block := list(islice(coming, BLOCK)):
            yield from self.paint_pixels(np.stack(block))

    @cached_property
    def _network_for_pieces(self) -> Callable[[Any], Any]:
        """The network; in float32, where it normalises over the picture. In bfloat16 the last bits of its statistics
        would decide roundings, those would decide others, and in the end grey levels would differ. (On a GPU it is in
        float32 anyway.)"""
        normalises = any(isinstance(module, nn.GroupNorm) for module in self.style.network.modules())
        if self.device.type == "cpu" and normalises:
            return copy.deepcopy(self.style.network).to(self.device)
        return self._network

    def _stroked(self, photos: Pixels, manner: PaintOptions) -> Pixels:
        """Paintings of photos (B, H, W, 3) in strokes of that size: with those of the style, at another size of the
        photos, and brought back to this one. What is enlarged is painted over again, by a style that can do so."""
        if self._stroke_translator is not None:
            return self._stroke_translator.paint(photos, manner)
        brush = manner.brush
        _, height, width, _ = photos.shape
        layers = self._layers(height, width)
        if brush == 1:
            return self._layered(photos, layers)
        sides = [max(round(side / brush), 1) for side in (height, width)]
        paintings = self._layered(resized(photos, *sides), layers)
        while brush > 1 and self.style.recipe.preserves_target and sides != [height, width]:
            sides = [min(2 * now, end) for now, end in zip(sides, (height, width), strict=True)]
            paintings = self._on(CoarseToFineInput(resized(photos, *sides), self.device, paintings, ENLARGED))
        return resized(paintings, height, width)

    def _layers(self, height: int, width: int) -> int:
        """How often a photo is halved before it is painted, as a painter begins with a large brush (Hertzmann 1998,
        "Painterly Rendering with Curved Brush Strokes of Multiple Sizes").

        Strokes have the size in pixels that they had in training, which is nothing in a large photo. So it is painted
        at half its size first, and again on top of that. Only a style that has learned to leave paintings what they are
        can go over its own.
        """
        if not self.style.recipe.preserves_target:
            return 0
        return max(math.ceil(math.log2(max(height, width) / (LARGE * self.size))), 0)

    def _layered(self, photos: Pixels, layers: int) -> Pixels:
        """Paintings of photos (B, H, W, 3), from coarse to fine."""
        if layers == 0:
            return self._on(CoarseToFineInput(photos, self.device))
        _, height, width, _ = photos.shape
        coarse = self._layered(resized(photos, -(-height // 2), -(-width // 2)), layers - 1)
        return self._on(CoarseToFineInput(photos, self.device, coarse, UNDER))

    def _on(self, ground: CoarseToFineInput) -> Pixels:
        """What the network paints on some ground, (B, H, W, 3)."""
        whole = Window(0, ground.height, 0, ground.width)
        if whole.places * len(ground.photos) <= self._at_once:
            painted: Pixels = to_pixels(self._together(ground.read(whole))).cpu().numpy()
            return painted
        paintings = np.empty_like(ground.photos)
        with nullcontext() if self.device.type == "cpu" else self._turn:  # a GPU's free memory is shared by none
            memory = MAPS if self.device.type == "cpu" else int(SHARE * available(self.device))
            for painting, one in zip(paintings, ground.each(), strict=True):
                for window, part in paint_piecewise(self._network_for_pieces, one, memory, self.device):
                    here = slice(window.top, window.bottom), slice(window.left, window.right)
                    painting[here] = to_pixels(part)[0].cpu().numpy()
        return paintings

    def require_photos(self) -> None:
        """Raises ImpastoError if the style paints no photos."""
        if not self.style.recipe.translates:
            raise ImpastoError(
                f"This style turns {self.card.domains} and cannot paint photos: choose another (impasto styles)."
            )


def load(style: str | Path, device: str = "auto", *, reverse: bool = False) -> Painter:
    """The painter in a style that comes along, a style file or a run folder. It needs no settings: the file holds them.
    With ``reverse`` it makes photos of paintings, if the style has both directions.

    Raises :class:`impasto.errors.ImpastoError` where there is no style, a damaged one, or one of one direction.
    """
    loaded = Style.load(style)
    return Painter(loaded.reversed() if reverse else loaded, choose_device(device))
