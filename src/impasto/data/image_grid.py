"""Tile images into a grid, and cut a grid back into images."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def tile(images: NDArray[np.uint8], columns: int | None = None, gap: int = 2) -> Image.Image:
    """Return images (N, H, W, 3), uint8, as one, row by row on white, ``gap`` pixels apart.

    The grid is about square unless ``columns`` is given.
    """
    count, height, width, _ = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    grid = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        grid[top : top + height, left : left + width] = image
    return Image.fromarray(grid)


def cut(grid: Image.Image, height: int, width: int, gap: int = 2) -> NDArray[np.uint8]:
    """Return the images of a grid made by :func:`tile`: uint8 (rows, columns, height, width, 3), empty cells white.

    Raises:
        ValueError: the grid does not divide into images of that size.
    """
    rows, below = divmod(grid.height + gap, height + gap)
    columns, beside = divmod(grid.width + gap, width + gap)
    if below or beside:
        raise ValueError(f"{grid.width}×{grid.height} px is not a grid of {width}×{height} px images")
    cells = np.full((rows * (height + gap), columns * (width + gap), 3), 255, np.uint8)
    cells[: grid.height, : grid.width] = np.asarray(grid.convert("RGB"))
    cells = cells.reshape(rows, height + gap, columns, width + gap, 3).swapaxes(1, 2)
    return cells[:, :, :height, :width]
