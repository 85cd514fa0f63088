"""Image sets that a style makes, and image sets by name: a style, a pack, or image files."""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from statistics import median_low
from typing import Protocol

import numpy as np
from PIL import Image

from impasto.config.types import Pixels
from impasto.data.decode import image_size
from impasto.data.entry import Entry, UnreadableError
from impasto.data.pixel_store import PixelStore, is_pack
from impasto.data.sources import ImageSource, open_source
from impasto.errors import ImpastoError
from impasto.inference.load import load
from impasto.inference.sampler import BATCH, Sampler
from impasto.inference.translator import Translator
from impasto.metrics.features import CPU_BLOCK
from impasto.metrics.image_sets import FileImages, ImageSet, StoreImages, count_distinct
from impasto.metrics.moments import sample_numbers
from impasto.metrics.results import ImageSetSummary
from impasto.style import Card, find_style

#: Default number of images that a style makes.
GENERATED = 1_000
#: Largest default side at which image files are compared: that of the Kaggle competition.
MAX_SIDE = 256
#: Bytes of the digest of a generated image.
DIGEST = 16
#: Files opened to find a folder's image size.
PROBED = 64

#: What a name refers to: a style, a pack, or a source of files.
Resolved = str | PixelStore | Sampler | Translator


class PixelTranslator(Protocol):
    """What :class:`TranslatedImages` needs of a translator."""

    @property
    def card(self) -> Card: ...

    def paint_pixels(self, pixels: Pixels) -> Pixels:
        """Translate images, both uint8 (B, H, W, 3)."""


class _StyleImages(ImageSet):
    """Images that a style makes. Exact duplicates are counted while they are streamed."""

    def __init__(self, name: str, size: int, count: int) -> None:
        self.name, self.size, self.count = name, size, count
        self._digests = bytearray()

    def _recorded(self, images: Iterable[Pixels]) -> Iterator[Pixels]:
        """Yield all images, and record their digests."""
        self._digests.clear()
        for image in images:
            self._digests += hashlib.blake2b(image.tobytes(), digest_size=DIGEST).digest()
            yield image

    def _summary(
        self, domains: str, *, there: int, scored: int, left_out: Iterable[tuple[str, str]] = ()
    ) -> ImageSetSummary:
        return ImageSetSummary(
            name=self.name,
            domains=domains,
            there=there,
            scored=scored,
            duplicates=scored - count_distinct(self._digests, DIGEST),
            left_out=list(left_out),
        )


class GeneratedImages(_StyleImages):
    """Unconditional samples of a style: numbers 0, 1, … of a seed."""

    def __init__(self, sampler: Sampler, name: str, size: int, count: int | None, seed: int) -> None:
        super().__init__(name, size, count or GENERATED)
        self.sampler, self.seed = sampler, seed

    def stream(self) -> Iterator[Pixels]:
        for image in self._recorded(self.sampler.stream(self.count, self.seed)):
            yield self._resized(image)

    def _load(self, readable: Sequence[int]) -> Pixels:
        found = dict[int, Pixels]()
        for first in sorted({number - number % BATCH for number in readable}):  # each batch is generated once
            found |= {number: image for number, image in self._batch(first) if number in readable}
        return np.stack([self._resized(found[number]) for number in readable])

    def _batch(self, first: int) -> Iterator[tuple[int, Pixels]]:
        return enumerate(self.sampler.stream(BATCH, self.seed, first), first)

    def names(self) -> list[str]:
        return [f"{number:05d}" for number in sample_numbers(self.count)]

    def summary(self) -> ImageSetSummary:
        return self._summary(self.sampler.card.domains, there=self.count, scored=self.count)

    def _resized(self, image: Pixels) -> Pixels:
        if len(image) == self.size:
            return image
        return np.asarray(Image.fromarray(image).resize((self.size, self.size), Image.Resampling.LANCZOS))


class TranslatedImages(_StyleImages):
    """Translations of an image set under the same names, computed again whenever they are needed."""

    def __init__(self, translator: PixelTranslator, name: str, sources: ImageSet) -> None:
        super().__init__(name, sources.size, sources.count)
        self.translator, self.sources = translator, sources

    def stream(self) -> Iterator[Pixels]:
        return self._recorded(image for _, images in self.pairs() for image in images)

    def _load(self, readable: Sequence[int]) -> Pixels:
        return self.translator.paint_pixels(self.sources._load(readable))

    def pairs(self) -> Iterator[tuple[Pixels, Pixels]]:
        sources = self.sources.stream()
        while block := list(islice(sources, CPU_BLOCK)):
            yield np.stack(block), self.translator.paint_pixels(np.stack(block))

    def names(self) -> list[str]:
        return self.sources.names()

    def summary(self) -> ImageSetSummary:
        sources = self.sources.summary()
        return self._summary(
            self.translator.card.domains, there=sources.there, scored=sources.scored, left_out=sources.left_out
        )


def resolve(spec: str, device: str, *, reverse: bool = False) -> Resolved:
    """Return what a name refers to: a style, loaded (in its reverse direction if ``reverse``), a pack, or else the name
    of a source of files.

    Raises:
        ImpastoError: the style cannot be loaded, or ``reverse`` is asked of something that is not a style.
    """
    style = find_style(spec)
    if style.suffix == ".safetensors" or (style / "run.json").is_file():
        return load(spec, device, reverse=reverse)
    if reverse:
        raise ImpastoError(f"{spec} is not a style and has no reverse direction: remove --reverse.")
    return PixelStore.open(spec) if is_pack(spec) else spec


def native_size(resolved: Resolved, open_files: Callable[[str], ImageSource] = open_source) -> int:
    """Return the side of its images in pixels; for files, the median shorter side of the first, at most 256."""
    if not isinstance(resolved, str):
        return resolved.size
    with open_files(resolved) as source:
        sides = [side for side in map(_short_side, islice(source.entries(), PROBED)) if side]
    return min(median_low(sides), MAX_SIDE) if sides else MAX_SIDE


def open_image_set(
    resolved: str | PixelStore | Sampler, name: str, size: int, count: int | None, seed: int
) -> ImageSet:
    """Return the images at ``size`` pixels: at most ``count``, or the default number.

    Args:
        resolved: an unconditional style, a pack, or the name of a source of files.
        name: name of the set in results.
        size: side in pixels.
        count: maximum number of images.
        seed: of an unconditional style's samples.
    """
    match resolved:
        case Sampler():
            return GeneratedImages(resolved, name, size, count, seed)
        case PixelStore():
            return StoreImages(resolved, size, count)
        case str():
            return FileImages(resolved, size, count)


def _short_side(entry: Entry) -> int | None:
    with contextlib.suppress(UnreadableError):
        size = image_size(entry.read())
        return size and min(size)
    return None
