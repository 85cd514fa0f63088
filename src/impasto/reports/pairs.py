"""Source images beside their translations."""

import numpy as np
from PIL import Image

from impasto.config.types import Pixels
from impasto.data.image_grid import tile
from impasto.reports.run_record import RunRecord, Sample

WITHIN, BETWEEN = 2, 16
"""Pixels within a pair, and between pairs."""

WHITE = 250
"""A cell without a darker pixel is empty: JPEG changes white a little."""


def make_pairs(sources: Pixels, translations: Pixels) -> Pixels:
    """Return pairs (N, S, 2 S + :data:`WITHIN`, 3) of images, both (M, S, S, 3), without the empty cells at the end."""
    filled = np.flatnonzero(sources.min((1, 2, 3)) < WHITE)
    count = int(filled[-1]) + 1 if len(filled) else 0
    gap = np.full((count, sources.shape[1], WITHIN, 3), 255, np.uint8)
    return np.concatenate([sources[:count], gap, translations[:count]], axis=2)


def final_pairs(record: RunRecord) -> Pixels:
    """Return the pairs of a translation run's final grid, where each source image precedes its translation.

    Raises:
        ImpastoError: the file is damaged, or its images have another size.
    """
    row = record.images(record.paintings)
    return make_pairs(row[: len(row) // 2 * 2 : 2], row[1::2])


def sample_pairs(record: RunRecord, sample: Sample) -> Pixels | None:
    """Return the pairs of a translation run's sample; None for other runs, or if the source images are missing.

    Raises:
        ImpastoError: a file is damaged, or its images have another size.
    """
    if not record.translates or not record.photos.exists():
        return None
    return make_pairs(record.images(record.photos), record.images(sample.path))


def pair_grid(pairs: Pixels, columns: int | None = None) -> Image.Image:
    """Return pairs as a grid; without ``columns``, as many of them as make a square."""
    if columns is None:
        columns = max(1, int((len(pairs) / 2) ** 0.5))
        pairs = pairs[: 2 * columns**2]  # a pair is twice as wide as it is high
    return tile(pairs, columns=columns, gap=BETWEEN)
