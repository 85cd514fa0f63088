"""What is painted on: photos, or a coarser painting of them with some of the photos in it. Pixels are uint8
(B, H, W, 3), RGB."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from impasto.config.types import Pixels
from impasto.data.augment import to_float
from impasto.inference.photo import pixels
from impasto.inference.tiling.window import Window


@dataclass(frozen=True)
class CoarseToFineInput:
    """Photos on the way to a network on ``device``, in windows.

    Attributes:
        photos: (B, H, W, 3).
        coarse: a painting of them at another size, (B, h, w, 3), which is brought to theirs; if there is one.
        share: how much of what is painted on is that; the rest is the photo.
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

    def each(self) -> "Iterator[CoarseToFineInput]":
        """One for each photo."""
        for number in range(len(self.photos)):
            here = slice(number, number + 1)
            coarse = None if self.coarse is None else self.coarse[here]
            yield replace(self, photos=self.photos[here], coarse=coarse)

    def read(self, window: Window) -> Tensor:
        """That part, (B, 3, h, w), float32 in −1…1."""
        part = self.photos[:, window.top : window.bottom, window.left : window.right]
        pictures = to_float(torch.from_numpy(np.array(part)).to(self.device))
        if self.coarse is None:
            return pictures
        height, width = self.coarse.shape[1:3]
        down = Taps.of(window.top, window.bottom, self.height, height)
        across = Taps.of(window.left, window.right, self.width, width)
        seen = torch.from_numpy(np.array(self.coarse[:, down.seen, across.seen])).to(self.device)
        under = across.resample(down.resample(to_float(seen), 2), 3)
        return pictures.mul_(1 - self.share).add_(under.mul_(self.share)).clamp_(-1, 1)


@dataclass(frozen=True)
class Taps:
    """How rows or columns of a picture are made of those of another that shows the same (Keys 1981, with a = −0.75, as
    torch's bicubic interpolation). Each is computed in the same way, to the last bit, whichever others are with it.

    Attributes:
        seen: which of the other's are needed.
        places: where, among these, the four are that each is made of, (4, N).
        weights: how much of each, (4, N).
    """

    seen: slice
    places: Tensor
    weights: Tensor

    @classmethod
    def of(cls, first: int, last: int, length: int, side: int) -> "Taps":
        """For those from ``first`` to ``last`` of ``length``, made of ``side``."""
        looks = (torch.arange(first, last, dtype=torch.float64) + 0.5) * (side / length) - 0.5
        base = looks.floor()
        steps = torch.arange(-1, 3)[:, None]
        places = (base.long() + steps).clamp_(0, side - 1)
        begin, end = int(places.min()), int(places.max()) + 1
        return cls(slice(begin, end), places - begin, _cubic((looks - base - steps).abs()).float())

    def resample(self, pictures: Tensor, dim: int) -> Tensor:
        """Pictures (B, C, H, W), of which there are those that are seen, along that dimension."""
        shape = [1, 1, 1, 1]
        shape[dim] = -1
        parts = (
            pictures.index_select(dim, places.to(pictures.device)) * weights.to(pictures.device).view(shape)
            for places, weights in zip(self.places, self.weights, strict=True)
        )
        first, second, third, fourth = parts
        made: Tensor = first.add_(second).add_(third).add_(fourth)
        return made


def _cubic(away: Tensor) -> Tensor:
    near = (1.25 * away - 2.25) * away.square() + 1
    far = ((-0.75 * away + 3.75) * away - 6) * away + 3
    return torch.where(away <= 1, near, torch.where(away < 2, far, 0.0))


def resized(pictures: Pixels, height: int, width: int) -> Pixels:
    """Pictures (B, H, W, 3) of another size, bicubic and antialiased."""
    if pictures.shape[1:3] == (height, width):
        return pictures
    images = (Image.fromarray(each).resize((width, height), Image.Resampling.BICUBIC) for each in pictures)
    return np.stack([pixels(each) for each in images])
