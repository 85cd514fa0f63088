"""A style at work."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from impasto.data.augment import to_pixels
from impasto.data.loader import stream_seed
from impasto.device import choose_device
from impasto.style import Card, Style

#: Pictures computed together, always: picture *i* is the same however many are asked for, to the last bit, because
#: the network never sees another shape of batch.
BLOCK = 16


class Painter:
    """Makes pictures with a style."""

    def __init__(self, style: Style, device: torch.device) -> None:
        self.style, self.device = style, device
        self._network = style.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def card(self) -> Card:
        return self.style.card

    @property
    def size(self) -> int:
        """Side of its pictures, in pixels."""
        return self.style.recipe.size

    def generate(self, count: int, seed: int = 0, start: int = 0) -> list[Image.Image]:
        """``count`` new pictures out of nothing: those numbered ``start``, ``start`` + 1, … of ``seed``."""
        return [Image.fromarray(picture) for picture in self.stream(count, seed, start)]

    def stream(self, count: int, seed: int = 0, start: int = 0) -> Iterator[np.ndarray]:
        """The same pictures one by one, as uint8 (S, S, 3); only a few are in memory at a time."""
        for first in range(start - start % BLOCK, start + count, BLOCK):
            pixels = self._block(first, seed)
            for number in range(max(first, start), min(first + BLOCK, start + count)):
                yield pixels[number - first]

    @torch.no_grad()
    def _block(self, first: int, seed: int) -> np.ndarray:
        latents = torch.stack([self._latent(seed, number) for number in range(first, first + BLOCK)])
        pixels: np.ndarray = to_pixels(self._network(latents.to(self.device))).cpu().numpy()
        return pixels

    def _latent(self, seed: int, number: int) -> Tensor:
        # numpy's generator: torch's on the CPU takes only 32 bits of a seed, and 7,000 such seeds may well meet.
        rng = np.random.default_rng(stream_seed(seed, "picture", number))
        return torch.from_numpy(rng.standard_normal(self.style.recipe.latent, dtype=np.float32))


def load(style: str | Path, device: str = "auto") -> Painter:
    """The painter in a style that comes along, a style file or a run folder. It needs no settings: the file holds them.

    Raises :class:`impasto.errors.ImpastoError` where there is no style, or a damaged one.
    """
    return Painter(Style.load(style), choose_device(device))
