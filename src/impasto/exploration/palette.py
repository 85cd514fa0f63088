"""Colour palettes of images and data sets, and names of colours."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Values
from impasto.errors import require
from impasto.exploration.results import Colour

#: Number of pixels that are clustered: with 1,024, fractions are accurate to 3 % within a few milliseconds.
SAMPLED_PIXELS = 1024
#: The same for a data set.
SAMPLED_PIXELS_OF_SET = 20_000

#: Linear sRGB to cone responses, and their cube roots to L, a, b: Ottosson 2020, "A perceptual color space for
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
#: Weights for perceptually uniform distances in OKLab, by Ottosson's later fit to colour-difference data (https://github.com/w3c/csswg-drafts/issues/6642).
UNIFORM = np.array([1.0, 2.0, 2.0])
#: Of k-means: half of the images need 12, nine in ten 23.
MAX_ITERATIONS = 30
#: Bit shifts that pack red, green and blue into one integer.
PLACES = np.array([16, 8, 0])
#: Names of OKLCh hues by their upper angle in degrees: sRGB's red is at 29°, its yellow at 110°, its green at
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
#: Chroma below which a colour is called grey or white.
GREYISH = 0.025


def palette(pixels: NDArray[np.uint8], count: int = 6) -> list[Colour]:
    """Return up to ``count`` representative colours of an image, sRGB (..., 3), largest share first. Shares sum to 1.

    K-means (Lloyd 1982) with k-means++ initialisation (Arthur & Vassilvitskii 2007) in OKLab, where distances are about
    perceptual, on a stratified sample of the pixels.
    """
    return _cluster_colours(_subsample(pixels, SAMPLED_PIXELS), count)


def set_palette(pictures: NDArray[np.uint8], count: int = 8) -> list[Colour]:
    """Return the palette of a data set, (N, S, S, 3)."""
    return _cluster_colours(_subsample(pictures, SAMPLED_PIXELS_OF_SET), count)


def _subsample(pixels: NDArray[np.uint8], enough: int) -> NDArray[np.uint8]:
    """Return ``enough`` pixels (M, 3): a random one out of each of as many equal runs."""
    flat = pixels.reshape(-1, 3)
    if len(flat) <= enough:
        return flat
    place = np.arange(enough) + np.random.default_rng(0).random(enough)
    return flat[(place * (len(flat) / enough)).astype(np.int64)]


def _cluster_colours(pixels: NDArray[np.uint8], count: int) -> list[Colour]:
    packed, counts = np.unique(pixels.astype(np.int64) @ (1 << PLACES), return_counts=True)
    times = counts.astype(np.float64)
    colours = (packed[:, None] >> PLACES & 255).astype(np.uint8)  # (K, 3), unique
    if len(colours) > count:
        centres, times = _k_means(oklab(colours) * UNIFORM, times, count)
        colours = srgb(centres / UNIFORM)
    shares: dict[str, float] = {}
    for (red, green, blue), part in zip(colours.tolist(), times.tolist(), strict=True):
        name = f"#{red:02x}{green:02x}{blue:02x}"  # rounded centres may coincide
        shares[name] = shares.get(name, 0.0) + part / len(pixels)
    found = [Colour(hex=name, share=share) for name, share in shares.items() if share]
    return sorted(found, key=lambda colour: -colour.share)


def _k_means(points: Values, times: Values, count: int) -> tuple[Values, Values]:
    """Return centres (count, 3) of points (K, 3) with weights ``times``, and the total weight of each cluster.

    scikit-learn initialises; its own iterations take 7 to 200 ms for a thousand points, mostly to start threads.
    """
    cluster = require("sklearn.cluster", extra="train")  # takes a second to import

    centres, _ = cluster.kmeans_plusplus(points, count, sample_weight=times, random_state=0)
    weights = np.zeros(count)
    for _ in range(MAX_ITERATIONS):
        distances = np.square(centres).sum(axis=1) - 2 * points @ centres.T
        nearest = distances.argmin(axis=1)
        weights = np.bincount(nearest, times, count).astype(np.float64)
        sums = np.stack([np.bincount(nearest, times * axis, count) for axis in points.T], axis=1)
        before = centres
        centres = np.where(weights[:, None] > 0, sums / np.maximum(weights, 1)[:, None], before)
        if np.abs(centres - before).max() < 1e-3:
            break
    return centres, weights


def colour_name(colour: str) -> str:
    """Return the common name of a colour ``#rrggbb``, one of fourteen."""
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
    """Convert sRGB uint8 (..., 3) to OKLab (..., 3): L in 0…1, a and b about −0.4…0.4.

    Hand-written for speed and an exact round trip: see docs/decisions.md.
    """
    found: Values = np.cbrt(_linear()[pixels] @ CONES.T) @ OPPONENTS.T
    return found


def srgb(values: Values) -> NDArray[np.uint8]:
    """Convert OKLab (..., 3) to sRGB uint8 (..., 3), clipped per channel."""
    linear = np.clip((values @ np.linalg.inv(OPPONENTS).T) ** 3 @ np.linalg.inv(CONES).T, 0, 1)
    level = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    found: NDArray[np.uint8] = np.rint(level * 255).astype(np.uint8)
    return found


@cache
def _linear() -> Values:
    """Return linear light by sRGB level, (256,): IEC 61966-2-1."""
    level = np.arange(256) / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
