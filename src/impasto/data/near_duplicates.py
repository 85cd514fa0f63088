"""Pictures that are nearly the same: another compression, size, exposure or scan of one picture.

A picture is looked at as 16×16 greys with brightness and contrast taken out, split by the cosine transform into
its composition (the eight slowest waves) and its detail (all the others). Two are near duplicates if their
compositions are close and their details agree. Skies, which have no detail, are never taken for one another.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 16
SLOWEST = 3  # waves in each direction that make up the composition, of which the mean is left out
CLOSE = 0.15  # how far apart each of the eight may be, as part of the picture's contrast
CELL = 0.25  # side of a grid's cell in the same measure
GRIDS = 12
AGREEMENT = 0.93  # least correlation of the details
CONTRAST = 2.0  # grey levels that the details must span, as a standard deviation, to say anything

Thumbnail = NDArray[np.uint8]


def thumbnail(picture: Image.Image) -> Thumbnail:
    """What is kept of an RGB picture to compare it by: (16, 16) greys.

    An eighth at each side is left out, for there frames may be, which are alike around different pictures.
    """
    width, height = picture.size
    middle = (width / 8, height / 8, width * 7 / 8, height * 7 / 8)
    return np.asarray(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX, middle))


def near_pairs(thumbnails: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Pairs of indices (smaller first, in order) of near duplicates among (N, 16, 16) thumbnails.

    Not every pair is compared: a grid is laid over the space of compositions, ``GRIDS`` times at random places,
    and only pictures that fall into one cell meet. Re-compressed or re-sized copies, whose compositions
    hardly differ, meet almost surely; of those about ``CLOSE`` apart, some never do.
    """
    if len(thumbnails) < 2:
        return []
    composition, detail, telling = _describe(thumbnails)
    axes = composition.shape[1]
    found: set[tuple[int, int]] = set()
    for shift in np.random.default_rng(0).random((GRIDS, axes)):
        cells = np.floor(composition / CELL + shift).astype(np.int64)
        keys = cells @ (64 ** np.arange(axes, dtype=np.int64))  # for a cell's number is below 32 in size
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        for step in range(1, len(order)):  # all that share a cell lie in one run: first neighbours, then wider
            shared = np.flatnonzero(keys[step:] == keys[:-step])
            if not len(shared):
                break
            one, other = order[shared], order[shared + step]
            close = np.abs(composition[one] - composition[other]).max(axis=1) <= CLOSE
            one, other = telling[one[close]], telling[other[close]]
            agree = np.einsum("ij,ij->i", detail[one], detail[other]) >= AGREEMENT
            found.update((int(min(i, j)), int(max(i, j))) for i, j in zip(one[agree], other[agree], strict=True))
    return sorted(found)


def _describe(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Compositions (M, 8), details (N, 247) of length 1, and the M indices of those with any detail."""
    place = np.arange(SIDE)
    waves = np.sqrt(2 / SIDE) * np.cos(np.pi / SIDE * (place[None] + 0.5) * place[:, None])
    waves[0] /= np.sqrt(2)
    waves = waves.astype(np.float32)
    spectrum = waves @ thumbnails.astype(np.float32) @ waves.T
    slow = np.zeros((SIDE, SIDE), dtype=bool)
    slow[:SLOWEST, :SLOWEST] = True
    detail = spectrum[:, ~slow]
    slow[0, 0] = False
    strength = np.linalg.norm(detail, axis=1)
    telling = np.flatnonzero(strength >= CONTRAST * SIDE)
    detail /= np.maximum(strength, 1e-6)[:, None]
    slowly = spectrum[:, slow]
    contrast = np.sqrt(strength**2 + (slowly**2).sum(axis=1))
    return slowly[telling] / contrast[telling, None], detail, telling
