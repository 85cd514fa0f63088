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
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from impasto.config.types import Pixels
from impasto.data.augment import to_float, to_pixels
from impasto.device import available
from impasto.inference.options import PaintOptions
from impasto.inference.precision import BatchedNetwork, max_batch_pixels, optimise_network
from impasto.inference.resample import CubicTaps, resize
from impasto.inference.share_done import ShareDone, span, unreported
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

    def render(self, photos: Pixels, options: PaintOptions, progress: ShareDone = unreported) -> Pixels:
        """Return paintings of photos (B, H, W, 3), with strokes of size ``options.brush``.

        For another brush than 1 the photos are painted at another size and the paintings resized. An enlarged painting
        is painted over, if the style can repaint its own output.
        """
        pyramid, larger = self._sizes(photos, options.brush)
        areas = [level.shape[1] * level.shape[2] for level in reversed(pyramid)]
        areas += [height * width for height, width in larger]
        ends = np.cumsum([0, *areas]) / sum(areas)
        parts = (span(progress, start, end) for start, end in pairwise(ends.tolist()))
        paintings = None
        while pyramid:
            source = CoarseToFineInput(pyramid.pop(), self._device, paintings, COARSE_SHARE)
            paintings = self._run(source, next(parts))
        for sides in larger:
            source = CoarseToFineInput(resize(photos, *sides), self._device, paintings, ENLARGED_SHARE)
            paintings = self._run(source, next(parts))
        assert paintings is not None
        return resize(paintings, *photos.shape[1:3])

    def _sizes(self, photos: Pixels, brush: float) -> tuple[list[Pixels], list[tuple[int, int]]]:
        """Return the photos at the sizes at which they are painted, from the largest one to the coarsest, and the sides
        at which the paintings are painted over after that."""
        height, width = photos.shape[1:3]
        down, across = (max(round(side / brush), 1) for side in (height, width))
        pyramid = [photos if brush == 1 else resize(photos, down, across)]
        larger = list[tuple[int, int]]()
        if self._style.recipe.preserves_target:
            for _ in range(_halvings(height, width, self._style.recipe.sample_size)):
                pyramid.append(resize(pyramid[-1], *(-(-side // 2) for side in pyramid[-1].shape[1:3])))
            while brush > 1 and (down, across) != (height, width):
                down, across = min(2 * down, height), min(2 * across, width)
                larger.append((down, across))
        return pyramid, larger

    def _run(self, source: CoarseToFineInput, progress: ShareDone) -> Pixels:
        """Run the network once, in tiles where the input exceeds the batch limit: (B, H, W, 3)."""
        full = Window(0, source.height, 0, source.width)
        if full.area * len(source.photos) <= max_batch_pixels(self._device):
            output: Pixels = to_pixels(self._batched(source.read(full))).cpu().numpy()
            progress(1.0)
            return output
        paintings = np.empty_like(source.photos)
        with nullcontext() if self._device.type == "cpu" else self._gpu_lock:
            memory = CPU_MEMORY if self._device.type == "cpu" else int(GPU_MEMORY_SHARE * available(self._device))
            for number, (painting, single) in enumerate(zip(paintings, source.split(), strict=True)):
                part_done = span(progress, number / len(paintings), (number + 1) / len(paintings))
                for window, part in self._tiled_network.run(single, memory, part_done):
                    rows, columns = slice(window.top, window.bottom), slice(window.left, window.right)
                    painting[rows, columns] = to_pixels(part)[0].cpu().numpy()
        return paintings

    @cached_property
    def _tiled_network(self) -> TiledNetwork:
        """In float32 on a CPU if it has instance or group normalisation. In bfloat16,
        the last bits of the statistics would change roundings, and in the end grey levels."""
        normalises = any(isinstance(module, nn.GroupNorm) for module in self._style.network.modules())
        if self._device.type == "cpu" and normalises:
            return TiledNetwork(copy.deepcopy(self._style.network).to(self._device), self._device)
        return TiledNetwork(self._network, self._device)


def _halvings(height: int, width: int, size: int) -> int:
    """Return how often a photo is halved before the first pass of a style trained at ``size``."""
    return max(math.ceil(math.log2(max(height, width) / (COARSE_FROM * size))), 0)
