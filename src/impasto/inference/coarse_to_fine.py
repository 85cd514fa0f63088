"""Rendering of photos of any size with a translation network, from coarse to fine. Pixels are uint8 (B, H, W, 3), RGB.

Brush strokes have the size in pixels that they had in training, which is too small in a large photo. So a large photo
is painted at half its size first, and again on top of that painting (Hertzmann 1998, "Painterly Rendering with Curved
Brush Strokes of Multiple Sizes"). Only a style trained to leave paintings unchanged (identity loss) can repaint its own
output. Images beyond the batch limit are computed in tiles (:mod:`impasto.inference.tiling`).
"""

import copy
import math
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from impasto.config.types import Pixels
from impasto.data.augment import to_float, to_pixels
from impasto.device import available
from impasto.inference.options import PaintOptions
from impasto.inference.precision import BatchedNetwork, max_batch_pixels, optimise_network
from impasto.inference.resample import CubicTaps, resize
from impasto.inference.tiling.executor import TiledNetwork
from impasto.inference.tiling.window import Window
from impasto.style import Style

#: Bytes of feature maps alive during tiled inference on a CPU (both more and less are slower), and the share of a GPU's
#: free memory.
CPU_MEMORY, GPU_MEMORY_SHARE = 100 << 20, 0.5
#: A photo longer than this many times the training size is painted at half its size first. Share of that coarse
#: painting in the input of the next pass; the rest is the photo.
COARSE_FROM, COARSE_SHARE = 2.5, 0.65
#: The same share where a painting was enlarged for larger strokes (``brush`` > 1).
ENLARGED_SHARE = 0.9


@dataclass(frozen=True)
class CoarseToFineInput:
    """Photos, blended with a coarser painting of them, as network input that can be read in windows.

    Attributes:
        photos: (B, H, W, 3).
        device: where inputs are put.
        coarse: a painting of the photos at another size, (B, h, w, 3), or None.
        share: weight of ``coarse``; the photo has the rest.
    """

    photos: Pixels
    device: torch.device
    coarse: Pixels | None = None
    share: float = 0.0

    @property
    def height(self) -> int:
        return int(self.photos.shape[1])

    @property
    def width(self) -> int:
        return int(self.photos.shape[2])

    def split(self) -> "Iterator[CoarseToFineInput]":
        """Yield one input per photo."""
        for number in range(len(self.photos)):
            here = slice(number, number + 1)
            coarse = None if self.coarse is None else self.coarse[here]
            yield replace(self, photos=self.photos[here], coarse=coarse)

    def read(self, window: Window) -> Tensor:
        """Return a window, (B, 3, h, w) float32 in −1…1."""
        part = self.photos[:, window.top : window.bottom, window.left : window.right]
        images = to_float(torch.from_numpy(np.array(part)).to(self.device))
        if self.coarse is None:
            return images
        height, width = self.coarse.shape[1:3]
        rows = CubicTaps.of(window.top, window.bottom, self.height, height)
        columns = CubicTaps.of(window.left, window.right, self.width, width)
        coarse = torch.from_numpy(np.array(self.coarse[:, rows.support, columns.support])).to(self.device)
        under = columns.resample(rows.resample(to_float(coarse), 2), 3)
        return images.mul_(1 - self.share).add_(under.mul_(self.share)).clamp_(-1, 1)


class CoarseToFineRenderer:
    """Renders photos of any size with a network (B, 3, H, W) → (B, 3, H, W)."""

    def __init__(self, style: Style, device: torch.device) -> None:
        self._style, self._device = style, device
        self._network = optimise_network(style.network, device)
        limit = max_batch_pixels(device)
        self._batched = self._network if device.type == "cpu" else BatchedNetwork(self._network, limit)
        self._gpu_lock = threading.Lock()  # one tiled image at a time may claim a GPU's free memory

    def render(self, photos: Pixels, options: PaintOptions) -> Pixels:
        """Return paintings of photos (B, H, W, 3), with strokes of size ``options.brush``.

        For another brush than 1 the photos are painted at another size and the paintings resized. An enlarged painting
        is painted over, if the style can repaint its own output.
        """
        brush = options.brush
        _, height, width, _ = photos.shape
        halvings = self._halvings(height, width)
        if brush == 1:
            return self._render_from(photos, halvings)
        sides = [max(round(side / brush), 1) for side in (height, width)]
        paintings = self._render_from(resize(photos, *sides), halvings)
        while brush > 1 and self._style.recipe.preserves_target and sides != [height, width]:
            sides = [min(2 * now, end) for now, end in zip(sides, (height, width), strict=True)]
            paintings = self._run(CoarseToFineInput(resize(photos, *sides), self._device, paintings, ENLARGED_SHARE))
        return resize(paintings, height, width)

    def _halvings(self, height: int, width: int) -> int:
        """Return how often a photo is halved before the first pass."""
        if not self._style.recipe.preserves_target:
            return 0
        return max(math.ceil(math.log2(max(height, width) / (COARSE_FROM * self._style.recipe.sample_size))), 0)

    def _render_from(self, photos: Pixels, halvings: int) -> Pixels:
        """Paint photos (B, H, W, 3) from the coarsest size up to their own."""
        if halvings == 0:
            return self._run(CoarseToFineInput(photos, self._device))
        _, height, width, _ = photos.shape
        coarse = self._render_from(resize(photos, -(-height // 2), -(-width // 2)), halvings - 1)
        return self._run(CoarseToFineInput(photos, self._device, coarse, COARSE_SHARE))

    def _run(self, source: CoarseToFineInput) -> Pixels:
        """Run the network once, in tiles where the input exceeds the batch limit: (B, H, W, 3)."""
        full = Window(0, source.height, 0, source.width)
        if full.area * len(source.photos) <= max_batch_pixels(self._device):
            output: Pixels = to_pixels(self._batched(source.read(full))).cpu().numpy()
            return output
        paintings = np.empty_like(source.photos)
        with nullcontext() if self._device.type == "cpu" else self._gpu_lock:
            memory = CPU_MEMORY if self._device.type == "cpu" else int(GPU_MEMORY_SHARE * available(self._device))
            for painting, single in zip(paintings, source.split(), strict=True):
                for window, part in self._tiled_network.run(single, memory):
                    here = slice(window.top, window.bottom), slice(window.left, window.right)
                    painting[here] = to_pixels(part)[0].cpu().numpy()
        return paintings

    @cached_property
    def _tiled_network(self) -> TiledNetwork:
        """In float32 on a CPU if it has instance or group normalisation. In bfloat16,
        the last bits of the statistics would change roundings, and in the end grey levels."""
        normalises = any(isinstance(module, nn.GroupNorm) for module in self._style.network.modules())
        if self._device.type == "cpu" and normalises:
            return TiledNetwork(copy.deepcopy(self._style.network).to(self._device), self._device)
        return TiledNetwork(self._network, self._device)
