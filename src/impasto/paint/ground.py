"""What is painted on: photos, or a coarser painting of them with some of the photos in it. Pixels are uint8
(B, H, W, 3), RGB."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from impasto.data.augment import to_float
from impasto.paint.photo import Pixels
from impasto.paint.window import Window


@dataclass(frozen=True)
class Ground:
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

    def each(self) -> "Iterator[Ground]":
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
        rows, columns, grid = look(self.height, self.width, window, self.coarse.shape[1:3], self.device)
        coarse = to_float(torch.from_numpy(np.array(self.coarse[:, rows, columns])).to(self.device))
        grid = grid.expand(len(coarse), -1, -1, -1)
        under = F.grid_sample(coarse, grid, mode="bicubic", padding_mode="border", align_corners=True)
        return pictures.lerp(under, self.share).clamp_(-1, 1)


def look(
    height: int, width: int, window: Window, sides: tuple[int, int], device: torch.device
) -> tuple[slice, slice, Tensor]:
    """How a picture of ``sides`` is seen through a window of one of ``height`` × ``width`` that shows the same.

    Returns which of its rows and columns are needed, and where among them each pixel of the window looks, (1, rows,
    columns, 2) as ``grid_sample`` wants it.
    """
    rows, down = _places(window.top, window.bottom, height, sides[0], device)
    columns, across = _places(window.left, window.right, width, sides[1], device)
    grid = torch.stack([across.expand(len(down), -1), down[:, None].expand(-1, len(across))], dim=-1)
    return rows, columns, grid[None]


def _places(first: int, last: int, length: int, side: int, device: torch.device) -> tuple[slice, Tensor]:
    looks = (torch.arange(first, last, device=device).double() + 0.5) * (side / length) - 0.5
    begin, end = max(int(looks[0].floor()) - 1, 0), min(int(looks[-1].floor()) + 3, side)
    return slice(begin, end), (2 * (looks - begin) / max(end - begin - 1, 1) - 1).float()


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Pictures (B, H, W, 3) of another size, bicubic and antialiased."""
    pictures = (Image.fromarray(each).resize((width, height), Image.Resampling.BICUBIC) for each in pixels)
    return np.stack([np.asarray(each) for each in pictures])
