"""Image-to-image translation: photos → paintings."""

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from operator import index
from pathlib import Path
from typing import SupportsIndex

import numpy as np
import torch
from PIL import Image

from impasto.config.types import Pixels
from impasto.device import out_of_memory
from impasto.errors import ImpastoError
from impasto.inference.coarse_to_fine import CoarseToFineRenderer
from impasto.inference.options import DEFAULT, FINEST, PaintOptions
from impasto.inference.photo import TooLargeError, open_photo
from impasto.inference.pipeline import Pipeline
from impasto.inference.postprocess import postprocess
from impasto.inference.precision import max_batch_pixels
from impasto.inference.share_done import ShareDone, span, unreported
from impasto.inference.stroke_renderer import Mood, StrokeRenderer
from impasto.networks.feature_decoder import Generator
from impasto.ordered_map import choose_workers
from impasto.style import Style

#: Photos of more pixels are processed one at a time, on all threads, as each takes much memory: on a CPU, on a GPU.
LARGE, LARGE_GPU = 1 << 22, 1 << 25
#: Photos in flight to and from a GPU.
GPU_WORKERS = 12
#: Photos of a stream per batch.
STREAM_BATCH = 16


class Translator(Pipeline):
    """Translates photos of any size with a translation style."""

    usage = "paint(photo)"

    def __init__(self, style: Style, device: torch.device) -> None:
        """Raises ImpastoError if the style is unconditional."""
        super().__init__(style, device)
        if not style.recipe.translates:
            raise ImpastoError(
                f"This style is an unconditional model ({style.card.domains}) and cannot stylise photos: choose a "
                "translation style (impasto styles)."
            )
        self._large_lock, self._threads = threading.RLock(), torch.get_num_threads()
        self._strokes = (
            StrokeRenderer(style.network, device, style.recipe.size) if isinstance(style.network, Generator) else None
        )
        self._renderer = self._strokes or CoarseToFineRenderer(style, device)

    def paint(
        self,
        photo: str | Path | Image.Image,
        strength: float = 1.0,
        brush: float = 1.0,
        keep_colour: bool = False,
        mood: SupportsIndex | Sequence[SupportsIndex] = (),
        like: str | Path | Sequence[str | Path] = (),
    ) -> Image.Image:
        """Return the painting of one photo, a file or a Pillow image, at its own size.

        ``strength``, ``brush`` and ``keep_colour`` are those of :class:`impasto.inference.options.PaintOptions`;
        ``mood`` and ``like`` those of :meth:`mood`. Raises ImpastoError if the photo cannot be read, an option is out
        of range, or memory is insufficient.
        """
        options = PaintOptions(strength, brush, keep_colour, self.mood(mood, like))
        pixels = open_photo(photo)
        return Image.fromarray(self.paint_pixels(pixels[None], options)[0])

    @torch.inference_mode()
    def paint_pixels(self, pixels: Pixels, options: PaintOptions = DEFAULT, progress: ShareDone = unreported) -> Pixels:
        """Return the paintings of photos of one size, both uint8 (B, H, W, 3). Thread-safe. On a CPU the result does
        not depend on the batch size. ``progress`` is called after each part of a large photo.

        Raises TooLargeError if memory is insufficient.
        """
        count, height, width, _ = pixels.shape
        batch = 1 if self.device.type == "cpu" else max(1, max_batch_pixels(self.device) // (height * width))
        try:
            parts = []
            for first in range(0, count, batch):
                some = pixels[first : first + batch]
                part_done = span(progress, first / count, (first + len(some)) / count)
                parts.append(self._renderer.render(some, options, part_done))
            paintings = parts[0] if len(parts) == 1 else np.concatenate(parts)
            postprocess(pixels, paintings, options)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise TooLargeError(f"{width}×{height} pixels take more memory than there is: scale it down.") from error
        return paintings

    def options_at(self, scale: float, options: PaintOptions) -> PaintOptions:
        """Return options with which a photo reduced by ``scale`` (0…1) becomes the painting at full size, reduced."""
        if self._strokes is not None:  # of a size relative to the painting
            return options
        return replace(options, brush=max(FINEST, options.brush * scale))

    def paint_stream(self, photos: Iterable[Pixels]) -> Iterator[Pixels]:
        """Yield the paintings of photos of one size, each uint8 (H, W, 3); one batch is in memory at a time."""
        pending = iter(photos)
        while batch := list(islice(pending, STREAM_BATCH)):
            yield from self.paint_pixels(np.stack(batch))

    @property
    def moods(self) -> int:
        """Number of moods (one per training painting, numbered from 0); 0 if the style has none."""
        return 0 if self._strokes is None else self._strokes.moods

    def mood(
        self, numbers: SupportsIndex | Sequence[SupportsIndex] = (), like: str | Path | Sequence[str | Path] = ()
    ) -> Mood | None:
        """Return the mean of the moods (light and palette) of training paintings, by number, and of reference images,
        for :class:`impasto.inference.options.PaintOptions`. None without either.

        Raises ImpastoError for a number out of range, an image that cannot be read, or a style without moods.
        """
        numbers = [numbers] if isinstance(numbers, SupportsIndex) else numbers
        like = [like] if isinstance(like, str | Path) else like
        if not (numbers or like):
            return None
        return self._require_moods().mood([index(number) for number in numbers], like)

    def require_moods(self) -> None:
        """Raise ImpastoError if the style has no moods."""
        self._require_moods()

    def fix_mood(self, options: PaintOptions, photo: Pixels) -> PaintOptions:
        """Return options with one mood for all frames of a scene: if none is set, that of the training painting nearest
        to ``photo`` (H, W, 3)."""
        if self._strokes is None or options.mood is not None or not self.moods:
            return options
        return replace(options, mood=self._strokes.mood([self._strokes.nearest(photo)]))

    def workers(self) -> int:
        """Return the fastest number of concurrent photos, measured on a grey test image."""
        if self.device.type != "cpu":
            return GPU_WORKERS
        side = min(self.size, math.isqrt(max_batch_pixels(self.device)))
        grey = np.full((1, side, side, 3), 127, np.uint8)
        return choose_workers(lambda: self.paint_pixels(grey))

    @contextmanager
    def limit_large(self, pixels: int) -> Iterator[None]:
        """Process a photo of so many pixels inside: large ones run one at a time, on all threads."""
        if pixels <= (LARGE if self.device.type == "cpu" else LARGE_GPU):
            yield
            return
        with self._large_lock:
            threads = torch.get_num_threads()
            torch.set_num_threads(self._threads)
            try:
                yield
            finally:
                torch.set_num_threads(threads)

    def _require_moods(self) -> StrokeRenderer:
        if self._strokes is None or not self.moods:
            raise ImpastoError("This style has no moods: remove --mood, --moods and --like, or choose monet.")
        return self._strokes
