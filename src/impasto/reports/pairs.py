"""Photos with their paintings to the right of them."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.data.image_grid import tile
from impasto.reports.run_record import RunRecord, Sample

WITHIN, BETWEEN = 2, 16
"""Pixels between a photo and its painting, and between one pair and the next."""

WHITE = 250
"""A place without a darker pixel is empty, for JPEG changes white a little."""


def beside(photos: NDArray[np.uint8], paintings: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pairs (N, S, 2 S + :data:`WITHIN`, 3) of photos and paintings, both (N, S, S, 3), the last of which may be empty
    places."""
    taken = np.flatnonzero(photos.min((1, 2, 3)) < WHITE)
    count = int(taken[-1]) + 1 if len(taken) else 0
    gap = np.full((count, photos.shape[1], WITHIN, 3), 255, np.uint8)
    return np.concatenate([photos[:count], gap, paintings[:count]], axis=2)


def painted(record: RunRecord) -> NDArray[np.uint8]:
    """The pairs of a translator's final sheet, where each photo is followed by its painting.

    Raises:
        ImpastoError: the sheet is damaged, or made of pictures of another size.
    """
    row = record.pictures(record.paintings)
    return beside(row[: len(row) // 2 * 2 : 2], row[1::2])


def sampled(record: RunRecord, sample: Sample) -> NDArray[np.uint8] | None:
    """The pairs of a translator's sample; None for any other painter, and where nobody knows its photos any more.

    Raises:
        ImpastoError: a sheet is damaged, or made of pictures of another size.
    """
    if not record.translates or not record.photos.exists():
        return None
    return beside(record.pictures(record.photos), record.pictures(sample.path))


def sheet(pairs: NDArray[np.uint8], columns: int | None = None) -> Image.Image:
    """Pairs beside and below each other; if no ``columns`` are given, as many of them as make a square."""
    if columns is None:
        columns = max(1, int((len(pairs) / 2) ** 0.5))
        pairs = pairs[: 2 * columns**2]  # a pair is twice as wide as it is high
    return tile(pairs, columns=columns, gap=BETWEEN)
