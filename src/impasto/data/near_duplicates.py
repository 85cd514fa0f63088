"""Detect near duplicates: the same image with another compression, size, exposure, crop or scan.

A DCT of a 16×16 grey thumbnail, normalised for brightness and contrast, is split into the eight lowest frequencies
(composition) and the rest (detail). Two images are near duplicates if their compositions are close and their details
correlate. Images without detail, such as clear skies, are not compared; noise in them can still produce false pairs
(4 among 100 synthetic skies with noise of one level). Why not ImageHash: see docs/decisions.md.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 16
LOW_FREQUENCIES = 3  # in each direction; without the mean they are the composition
MAX_DIFFERENCE = 0.15  # of each composition coefficient, relative to the contrast
CELL_SIDE = 0.25  # of the hash grid, in the same unit
GRIDS = 12
MAX_COMPARED = 32  # images of a cell with each, so that 32,000 frames of one film take seconds and not hours
MIN_CORRELATION = 0.93  # of the details
MIN_DETAIL = 2.0  # standard deviation of the detail in grey levels, below which an image is not compared
WINDOW = 40_000  # consecutive images that are compared with each other; bounds the memory
BLOCK = 4096  # images that are transformed at a time

Thumbnail = NDArray[np.uint8]


def thumbnail(image: Image.Image) -> Thumbnail:
    """Return the grey thumbnail (16, 16) of an RGB image by which it is compared.

    An eighth on each side is left out: frames look alike around different images.
    """
    width, height = image.size
    middle = (width / 8, height / 8, width * 7 / 8, height * 7 / 8)
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX, middle))


class NearDuplicates:
    """Find near duplicates in a stream of images of any length, in memory for :data:`WINDOW` thumbnails.

    Up to ``WINDOW`` images are all compared with each other. Of more, the window moves on by half of its length, so
    that each image is compared with at least ``WINDOW / 2`` before it.
    """

    def __init__(self, known: NDArray[np.uint8] | None = None, next: int = 0) -> None:
        """
        Args:
            known: thumbnails (N, 16, 16) of the last images of the stream so far; its last ``WINDOW / 2`` are used.
            next: position of the next image in the stream.
        """
        known = np.zeros((0, SIDE, SIDE), np.uint8) if known is None else known[-(WINDOW // 2) :]
        self._thumbnails = np.empty((WINDOW, SIDE, SIDE), np.uint8)
        self._thumbnails[: len(known)] = known
        self._count = self._compared = len(known)
        self._first = next - len(known)

    def add(self, thumbnail: Thumbnail) -> NDArray[np.int64]:
        """Add the next image. Return pairs (M, 2) of positions that have been found since the last call."""
        self._thumbnails[self._count] = thumbnail
        self._count += 1
        if self._count < WINDOW:
            return np.zeros((0, 2), np.int64)
        found = self.finish()
        kept = WINDOW // 2
        self._thumbnails[:kept] = self._thumbnails[WINDOW - kept :].copy()
        self._first += WINDOW - kept
        self._count = self._compared = kept
        return found

    def finish(self) -> NDArray[np.int64]:
        """Return the pairs (M, 2) that have not been returned, smaller positions first, sorted."""
        if self._count == self._compared:
            return np.zeros((0, 2), np.int64)
        pairs = find_near_duplicates(self._thumbnails[: self._count])
        new = pairs[pairs[:, 1] >= self._compared]
        self._compared = self._count
        return new + self._first


def find_near_duplicates(thumbnails: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the index pairs (M, 2), smaller first and sorted, of near duplicates among thumbnails (N, 16, 16).

    Locality-sensitive hashing: ``GRIDS`` randomly shifted grids partition the space of compositions, and only images
    that share a cell are compared, each with the ``MAX_COMPARED`` of most similar detail. Recompressed or resized
    copies are found almost surely, pairs about ``MAX_DIFFERENCE`` apart only in part, and of hundreds of similar images
    a part of the pairs.
    """
    if len(thumbnails) < 2:
        return np.zeros((0, 2), np.int64)
    composition, detail, compared = _dct_features(thumbnails)
    axes = composition.shape[1]
    found = [np.empty((0, 2), np.int64)]
    random = np.random.default_rng(0)
    for shift in random.random((GRIDS, axes)):
        cells = np.floor(composition / CELL_SIDE + shift).astype(np.int64)
        keys = cells @ (64 ** np.arange(axes, dtype=np.int64))  # cell numbers are below 32 in magnitude
        # Within a cell, similar details are neighbours.
        order = np.lexsort((detail @ random.standard_normal(detail.shape[1], np.float32), keys))
        keys, compositions, details = keys[order], composition[order], detail[order]
        for step in range(1, min(len(order), 1 + MAX_COMPARED)):  # images of one cell are adjacent when sorted
            one = np.flatnonzero(keys[step:] == keys[:-step])
            if not len(one):
                break
            for block in np.split(one, range(BLOCK, len(one), BLOCK)):
                near = np.abs(compositions[block] - compositions[block + step]).max(axis=1) <= MAX_DIFFERENCE
                block = block[near]
                alike = np.einsum("ij,ij->i", details[block], details[block + step]) >= MIN_CORRELATION
                block = block[alike]
                found.append(compared[np.stack([order[block], order[block + step]], axis=1)])
    count = len(thumbnails)
    numbers = np.unique(np.concatenate([pairs.min(axis=1) * count + pairs.max(axis=1) for pairs in found]))
    return np.stack([numbers // count, numbers % count], axis=1)


def _dct_features(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Return compositions (M, 8), unit-length details (M, 247), and the indices (M,) of images with detail."""
    place = np.arange(SIDE)
    waves = np.sqrt(2 / SIDE) * np.cos(np.pi / SIDE * (place[None] + 0.5) * place[:, None])
    waves[0] /= np.sqrt(2)
    waves = waves.astype(np.float32)
    low = np.zeros((SIDE, SIDE), dtype=bool)
    low[:LOW_FREQUENCIES, :LOW_FREQUENCIES] = True
    high = ~low
    low[0, 0] = False
    compositions, details, places = [], [], []
    for first in range(0, len(thumbnails), BLOCK):
        spectrum = waves @ thumbnails[first : first + BLOCK].astype(np.float32) @ waves.T
        detail, composition = spectrum[:, high], spectrum[:, low]
        strength = np.linalg.norm(detail, axis=1)
        compared = np.flatnonzero(strength >= MIN_DETAIL * SIDE)
        strength, composition, detail = strength[compared, None], composition[compared], detail[compared]
        contrast = np.sqrt(strength**2 + (composition**2).sum(axis=1, keepdims=True))
        compositions.append(composition / contrast)
        details.append(detail / strength)
        places.append(first + compared)
    return np.concatenate(compositions), np.concatenate(details), np.concatenate(places)
