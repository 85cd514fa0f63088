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

Thumbnail = NDArray[np.uint8]


def thumbnail(image: Image.Image) -> Thumbnail:
    """Return the grey thumbnail (16, 16) of an RGB image by which it is compared.

    An eighth on each side is left out: frames look alike around different images.
    """
    width, height = image.size
    middle = (width / 8, height / 8, width * 7 / 8, height * 7 / 8)
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX, middle))


def find_near_duplicates(thumbnails: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Return the index pairs (smaller first, sorted) of near duplicates among thumbnails (N, 16, 16).

    Locality-sensitive hashing: ``GRIDS`` randomly shifted grids partition the space of compositions, and only images
    that share a cell are compared, each with the ``MAX_COMPARED`` of most similar detail. Recompressed or resized
    copies are found almost surely, pairs about ``MAX_DIFFERENCE`` apart only in part, and of hundreds of similar images
    a part of the pairs.
    """
    if len(thumbnails) < 2:
        return []
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
            one = one[np.abs(compositions[one] - compositions[one + step]).max(axis=1) <= MAX_DIFFERENCE]
            one = one[np.einsum("ij,ij->i", details[one], details[one + step]) >= MIN_CORRELATION]
            found.append(compared[np.stack([order[one], order[one + step]], axis=1)])
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    return [(int(first), int(second)) for first, second in pairs]


def _dct_features(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Return compositions (M, 8), unit-length details (M, 247), and the indices (M,) of images with detail."""
    place = np.arange(SIDE)
    waves = np.sqrt(2 / SIDE) * np.cos(np.pi / SIDE * (place[None] + 0.5) * place[:, None])
    waves[0] /= np.sqrt(2)
    waves = waves.astype(np.float32)
    spectrum = waves @ thumbnails.astype(np.float32) @ waves.T
    low = np.zeros((SIDE, SIDE), dtype=bool)
    low[:LOW_FREQUENCIES, :LOW_FREQUENCIES] = True
    detail = spectrum[:, ~low]
    low[0, 0] = False
    strength = np.linalg.norm(detail, axis=1)
    compared = np.flatnonzero(strength >= MIN_DETAIL * SIDE)
    strength, composition, detail = strength[compared, None], spectrum[compared][:, low], detail[compared]
    contrast = np.sqrt(strength**2 + (composition**2).sum(axis=1, keepdims=True))
    return composition / contrast, detail / strength, compared
