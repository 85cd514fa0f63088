"""Many pictures as one, and back: the only place that knows how a grid is laid out."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def tile(pictures: NDArray[np.uint8], columns: int | None = None, gap: int = 2) -> Image.Image:
    """Pictures, uint8 (N, H, W, 3), row by row on white, ``gap`` pixels apart; as square a grid as can be
    unless ``columns`` are given."""
    count, height, width, _ = pictures.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return Image.fromarray(sheet)


def cut(sheet: Image.Image, height: int, width: int, gap: int = 2) -> NDArray[np.uint8]:
    """What :func:`tile` laid out, uint8 (rows, columns, height, width, 3), empty places white.

    Raises:
        ValueError: the sheet does not hold a whole number of such pictures.
    """
    rows, below = divmod(sheet.height + gap, height + gap)
    columns, beside = divmod(sheet.width + gap, width + gap)
    if below or beside:
        raise ValueError(f"{sheet.width}×{sheet.height} px is no grid of {width}×{height} px pictures")
    cells = np.full((rows * (height + gap), columns * (width + gap), 3), 255, np.uint8)
    cells[: sheet.height, : sheet.width] = np.asarray(sheet.convert("RGB"))
    cells = cells.reshape(rows, height + gap, columns, width + gap, 3).swapaxes(1, 2)
    return cells[:, :, :height, :width]
