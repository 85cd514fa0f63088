"""What is done to a painting at the end: the photo's colours, and some of the photo itself. Pixels are uint8
(B, H, W, 3), RGB."""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.config.types import Pixels
from impasto.inference.coarse_to_fine import Taps
from impasto.inference.options import PaintOptions
from impasto.inference.tiling.window import Window, partition

#: Colours are compared in cells, so many along the longer side of a picture, of so many pixels at least: strokes keep
#: the colours that they have among themselves.
CELLS, LEAST = 256, 4
#: What red, green and blue add to the brightness (ITU-R BT.601).
BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)
#: Side of the parts in which a picture is worked on.
PART = 1024


def postprocess(photos: Pixels, paintings: Pixels, manner: PaintOptions) -> None:
    """Changes paintings in their place: to the colours of their photos, and towards these, as the manner has it."""
    if manner.strength == 1 and not manner.keep_colour:
        return
    for photo, painting in zip(photos, paintings, strict=True):
        change = _change(photo, painting) if manner.keep_colour else None
        height, width, _ = painting.shape
        for window in partition(height, width, PART):
            here = slice(window.top, window.bottom), slice(window.left, window.right)
            values = painting[here].astype(np.float32)
            if change is not None:
                values += _enlarged(change, height, width, window)
            painting[here] = blend(photo[here], values.clip(0, 255), manner.strength)


def _change(photo: Pixels, painting: Pixels) -> Tensor:
    """By how much the colours of a painting have to change to be the photo's, without its brightness: (1, 3, rows,
    columns) of cells."""
    height, width, _ = photo.shape
    cell = max(max(height, width) // CELLS, LEAST)
    rows, columns = -(-height // cell), -(-width // cell)
    change = _cells(photo, rows, columns) - _cells(painting, rows, columns)
    change -= (change @ BRIGHTNESS)[..., None]
    return torch.from_numpy(change).permute(2, 0, 1)[None]


def _cells(pixels: Pixels, rows: int, columns: int) -> NDArray[np.float32]:
    """The mean colours of a picture in cells, (rows, columns, 3)."""
    height, width, _ = pixels.shape
    tops, lefts = np.arange(rows + 1) * height // rows, np.arange(columns + 1) * width // columns
    bands = [pixels[top:bottom].sum(axis=0, dtype=np.uint32) for top, bottom in pairwise(tops)]
    sums = np.add.reduceat(np.stack(bands), lefts[:-1], axis=1)
    places = np.diff(tops)[:, None] * np.diff(lefts)
    found: NDArray[np.float32] = (sums / places[..., None]).astype(np.float32)
    return found


def _enlarged(change: Tensor, height: int, width: int, window: Window) -> NDArray[np.float32]:
    """That part of it, (rows, columns, 3), brought to the size of the picture, without a step from cell to cell."""
    down = Taps.of(window.top, window.bottom, height, change.shape[2])
    across = Taps.of(window.left, window.right, width, change.shape[3])
    colours = across.resample(down.resample(change[..., down.seen, across.seen], 2), 3)
    found: NDArray[np.float32] = colours[0].permute(1, 2, 0).numpy()
    return found


def blend(photo: Pixels, painting: NDArray[np.float32], strength: float) -> Pixels:
    """From the photo itself at ``strength`` 0 to the painting itself at 1, in a line, rounded to the nearest.

    Between the values as they are stored, not between amounts of light: half is then half-way to the eye.
    """
    mixed: NDArray[np.float32] = photo + strength * (painting - photo)
    return np.rint(mixed).astype(np.uint8)
