"""Post-processing of paintings: colour transfer from the photo, and blending with it. Pixels are uint8 (B, H, W, 3)."""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.config.types import Pixels
from impasto.inference.options import PaintOptions
from impasto.inference.resample import CubicTaps
from impasto.inference.tiling.window import Window, partition

#: Colour transfer compares the mean colours of cells: so many along the longer side, and their smallest side in pixels.
#: Within a cell, strokes keep their relative colours.
CELLS, MIN_CELL = 256, 4
#: Luma weights of red, green and blue (ITU-R BT.601).
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: Side of the windows that are processed at a time.
WINDOW = 1024


def postprocess(photos: Pixels, paintings: Pixels, options: PaintOptions) -> None:
    """Apply ``options.keep_colour`` and ``options.strength`` to paintings, in place."""
    if options.strength == 1 and not options.keep_colour:
        return
    for photo, painting in zip(photos, paintings, strict=True):
        shift = _colour_shift(photo, painting) if options.keep_colour else None
        height, width, _ = painting.shape
        for window in partition(height, width, WINDOW):
            here = slice(window.top, window.bottom), slice(window.left, window.right)
            values = painting[here].astype(np.float32)
            if shift is not None:
                values += _upsampled(shift, height, width, window)
            painting[here] = blend(photo[here], values.clip(0, 255), options.strength)


def _colour_shift(photo: Pixels, painting: Pixels) -> Tensor:
    """Return the chroma difference of photo and painting per cell, at constant luma: (1, 3, rows, columns)."""
    height, width, _ = photo.shape
    cell = max(max(height, width) // CELLS, MIN_CELL)
    rows, columns = -(-height // cell), -(-width // cell)
    shift = _cells(photo, rows, columns) - _cells(painting, rows, columns)
    shift -= (shift @ LUMA)[..., None]
    return torch.from_numpy(shift).permute(2, 0, 1)[None]


def _cells(pixels: Pixels, rows: int, columns: int) -> NDArray[np.float32]:
    """Return the mean colours of cells, (rows, columns, 3)."""
    height, width, _ = pixels.shape
    tops, lefts = np.arange(rows + 1) * height // rows, np.arange(columns + 1) * width // columns
    bands = [pixels[top:bottom].sum(axis=0, dtype=np.uint32) for top, bottom in pairwise(tops)]
    sums = np.add.reduceat(np.stack(bands), lefts[:-1], axis=1)
    areas = np.diff(tops)[:, None] * np.diff(lefts)
    means: NDArray[np.float32] = (sums / areas[..., None]).astype(np.float32)
    return means


def _upsampled(shift: Tensor, height: int, width: int, window: Window) -> NDArray[np.float32]:
    """Upsample cells to a window of the image, bicubic: (rows, columns, 3)."""
    rows = CubicTaps.of(window.top, window.bottom, height, shift.shape[2])
    columns = CubicTaps.of(window.left, window.right, width, shift.shape[3])
    colours = columns.resample(rows.resample(shift[..., rows.support, columns.support], 2), 3)
    upsampled: NDArray[np.float32] = colours[0].permute(1, 2, 0).numpy()
    return upsampled


def blend(photo: Pixels, painting: NDArray[np.float32], strength: float) -> Pixels:
    """Blend linearly from the photo (``strength`` 0) to the painting (1), rounded to the nearest.

    In sRGB values, not in linear light: 0.5 is then perceptually half-way.
    """
    mixed: NDArray[np.float32] = photo + strength * (painting - photo)
    return np.rint(mixed).astype(np.uint8)
