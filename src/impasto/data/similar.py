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
CLOSE = 0.05  # how far apart each of the eight may be, as part of the picture's contrast
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

    Only those that share a cell of a grid in the space of compositions are compared. The grid is laid nine
    times, each time shifted by ``CLOSE``, a ninth of a cell. A pair that is closer than that is parted by at
    most one of the nine grids along each of the eight axes, so one grid at least holds it together.
    """
    if len(thumbnails) < 2:
        return []
    composition, detail, telling = _describe(thumbnails)
    axes = composition.shape[1]
    pairs: set[tuple[int, int]] = set()
    for shift in range(axes + 1):
        cells = np.floor((composition + shift * CLOSE) / ((axes + 1) * CLOSE)).astype(np.int64)
        keys = cells @ (64 ** np.arange(axes, dtype=np.int64))  # a cell's number is below 32 in size
        order = np.argsort(keys, kind="stable")
        bounds = np.flatnonzero(np.diff(keys[order], prepend=keys[order[0]] - 1, append=keys[order[-1]] + 1))
        for start, end in zip(bounds[:-1], bounds[1:], strict=True):
            if end - start > 1:
                pairs.update(_agreeing(telling[order[start:end]], detail))
    return sorted(pairs)


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


def _agreeing(members: NDArray[np.int64], detail: NDArray[np.float32]) -> set[tuple[int, int]]:
    members = np.sort(members)
    found = set()
    for start in range(0, len(members), 1024):
        rows = members[start : start + 1024]
        i, j = np.nonzero(detail[rows] @ detail[members].T >= AGREEMENT)
        found |= {(int(rows[a]), int(members[b])) for a, b in zip(i, j, strict=True) if rows[a] < members[b]}
    return found
