"""The colours that a picture, or a set of pictures, is made of."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Values
from impasto.exploration.results import Colour

#: Pixels that colours are sought among: of 1,024, shares are right within 3 %, and a search takes a few milliseconds.
ENOUGH = 1024
#: The same for a set, whose search happens once.
ENOUGH_OF_SET = 20_000

#: Linear sRGB to the cones' responses, and their cube roots to L, a, b: Ottosson 2020, "A perceptual color space for
#: image processing" (https://bottosson.github.io/posts/oklab).
CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
OPPONENTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
#: What makes distances in OKLab as even as they get: its a and b count twice, by Ottosson's own later fit to data of
#: colour differences (https://github.com/w3c/csswg-drafts/issues/6642).
UNIFORM = np.array([1.0, 2.0, 2.0])
#: Of k-means, at most: half of the pictures need 12, nine in ten 23.
STEPS = 30
#: Bits by which red, green and blue are shifted to make one number of a colour.
PLACES = np.array([16, 8, 0])
#: What a hue of OKLCh is called up to which angle, in degrees: sRGB's red is at 29°, its yellow at 110°, its green at
#: 142°, its blue at 264°.
HUES = (
    (10, "pink"),
    (45, "red"),
    (85, "orange"),
    (115, "yellow"),
    (165, "green"),
    (220, "turquoise"),
    (285, "blue"),
    (325, "violet"),
    (361, "pink"),
)
#: Chroma below which a colour is called black, grey or white.
GREYISH = 0.025


def palette(pixels: NDArray[np.uint8], count: int = 6) -> list[Colour]:
    """Up to ``count`` colours that stand for a picture, sRGB uint8 (..., 3), the largest share first.

    Found by k-means (Lloyd 1982; begun by Arthur & Vassilvitskii 2007) in OKLab, where distances are about those that
    eyes see. Shares sum to 1. Pixels are thinned out evenly first, so that a picture takes a few milliseconds.
    """
    return _clusters(_thinned(pixels, ENOUGH), count)


def set_palette(pictures: NDArray[np.uint8], count: int = 8) -> list[Colour]:
    """The palette of a set of pictures, uint8 (N, S, S, 3), as that of one."""
    return _clusters(_thinned(pictures, ENOUGH_OF_SET), count)


def _thinned(pixels: NDArray[np.uint8], enough: int) -> NDArray[np.uint8]:
    """As many pixels (M, 3) as are enough, one by chance out of each of as many equal stretches."""
    flat = pixels.reshape(-1, 3)
    if len(flat) <= enough:
        return flat
    place = np.arange(enough) + np.random.default_rng(0).random(enough)
    return flat[(place * (len(flat) / enough)).astype(np.int64)]


def _clusters(pixels: NDArray[np.uint8], count: int) -> list[Colour]:
    packed, counts = np.unique(pixels.astype(np.int64) @ (1 << PLACES), return_counts=True)
    times = counts.astype(np.float64)
    colours = (packed[:, None] >> PLACES & 255).astype(np.uint8)  # (K, 3), those that there are
    if len(colours) > count:
        centres, times = _k_means(oklab(colours) * UNIFORM, times, count)
        colours = srgb(centres / UNIFORM)
    shares: dict[str, float] = {}
    for (red, green, blue), part in zip(colours.tolist(), times.tolist(), strict=True):
        name = f"#{red:02x}{green:02x}{blue:02x}"  # two centres may be one colour when rounded
        shares[name] = shares.get(name, 0.0) + part / len(pixels)
    found = [Colour(hex=name, share=share) for name, share in shares.items() if share]
    return sorted(found, key=lambda colour: -colour.share)


def _k_means(points: Values, times: Values, count: int) -> tuple[Values, Values]:
    """Centres (count, 3) of points (K, 3) that are there so many times, and how many are nearest to each.

    Ours from the start on: for a thousand points, scikit-learn's spends its time on setting up threads, 7 to 200 ms.
    """
    from sklearn.cluster import kmeans_plusplus  # takes a second to load

    centres, _ = kmeans_plusplus(points, count, sample_weight=times, random_state=0)
    weights = np.zeros(count)
    for _ in range(STEPS):
        distances = np.square(centres).sum(axis=1) - 2 * points @ centres.T
        nearest = distances.argmin(axis=1)
        weights = np.bincount(nearest, times, count).astype(np.float64)
        sums = np.stack([np.bincount(nearest, times * axis, count) for axis in points.T], axis=1)
        before = centres
        centres = np.where(weights[:, None] > 0, sums / np.maximum(weights, 1)[:, None], before)
        if np.abs(centres - before).max() < 1e-3:
            break
    return centres, weights


def arranged(colours: list[Colour]) -> list[Colour]:
    """The same colours in an order to be shown in: from dark to light, as a strip."""
    return sorted(colours, key=lambda colour: float(oklab(_levels(colour.hex))[0]))


def name_of(colour: str) -> str:
    """What a layman calls a colour, ``#rrggbb``: one of fourteen words."""
    light, a, b = oklab(_levels(colour)).tolist()
    chroma = float(np.hypot(a, b))
    if light < 0.3:
        return "black"
    if chroma < GREYISH:
        return "white" if light > 0.9 else "grey"
    angle = float(np.degrees(np.arctan2(b, a))) % 360
    hue = next(name for end, name in HUES if angle < end)
    if light >= 0.65:
        return "beige" if hue in ("orange", "yellow") and chroma < 0.1 else hue
    if hue == "yellow":
        return "olive" if chroma >= 0.08 else "brown"
    return "brown" if hue in ("red", "orange") and chroma < 0.14 else hue


def _levels(colour: str) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(colour.removeprefix("#")), np.uint8)


def oklab(pixels: NDArray[np.uint8]) -> Values:
    """sRGB uint8 (..., 3) in OKLab (..., 3): L is 0…1, a and b about -0.4…0.4."""
    found: Values = np.cbrt(_linear()[pixels] @ CONES.T) @ OPPONENTS.T
    return found


def srgb(values: Values) -> NDArray[np.uint8]:
    """OKLab (..., 3) in the nearest sRGB, uint8 (..., 3), each channel for itself where a colour is beyond it."""
    linear = np.clip((values @ np.linalg.inv(OPPONENTS).T) ** 3 @ np.linalg.inv(CONES).T, 0, 1)
    level = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    found: NDArray[np.uint8] = np.rint(level * 255).astype(np.uint8)
    return found


@cache
def _linear() -> Values:
    """Linear light by level of sRGB (256,): IEC 61966-2-1."""
    level = np.arange(256) / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
