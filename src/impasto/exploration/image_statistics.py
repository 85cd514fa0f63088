"""Pictures in numbers: how light, how lively, how sharp, and where two sets of pictures differ."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft

from impasto.config.types import Pixels
from impasto.exploration.palette import name_of
from impasto.exploration.results import Domain, ImageStatistics, Spread

#: The numbers of :class:`ImageStatistics`, in the order in which they are told.
MEASURES = ("brightness", "contrast", "colourfulness", "sharpness")
#: Relative luminance of linear sRGB: IEC 61966-2-1, with the primaries of ITU-R BT.709 and white D65.
LUMINANCE = (0.2126, 0.7152, 0.0722)
#: Power that is taken to be in every spectrum, in levels of L* squared: even pictures have none, which has no decibels.
FAINTEST = 1e-4
#: An effect from which on a difference is told, and from which on it is called clear and great: Cohen 1988,
#: "Statistical Power Analysis for the Behavioral Sciences".
SMALL, MEDIUM, LARGE = 0.2, 0.5, 0.8
#: How far single pictures are from their set, as a standard deviation, where only the set's sum is kept; it makes an
#: effect of a difference. Of the power in an octave, in dB: 3.5 to 4.3 for Monet's paintings, 3.8 to 5.2 for photos of
#: landscapes.
POWER_DEVIATION = 4.0
#: Of a channel's mean over that of the others, in levels, of red, green and blue: 21, 10, 24 and 24, 10, 25.
CAST_DEVIATIONS = (22.0, 10.0, 25.0)


@dataclass(frozen=True)
class Measures:
    """One picture in numbers: those of :class:`ImageStatistics`, and those that add up over a set.

    Attributes:
        histogram: how many pixels have each level, by channel, (3, 256).
        power: of L* at 1, 2 … S/2 cycles per picture, (S // 2,), in levels squared: that of white noise is its variance
            at any of them.
    """

    brightness: float
    contrast: float
    colourfulness: float
    sharpness: float
    histogram: NDArray[np.int64]
    power: NDArray[np.float64]


def measure(pixels: Pixels) -> Measures:
    """Measures a picture, uint8 sRGB (S, S, 3).

    ``brightness`` and ``contrast`` are the mean and the standard deviation of lightness L* (0…100, CIE 1976).
    ``colourfulness`` is M̂⁽³⁾ of Hasler & Süsstrunk 2003, "Measuring Colourfulness in Natural Images".
    ``sharpness`` is how far a pixel's L* is from the mean of its four neighbours, on average: a quarter of the absolute
    Laplacian. ``power`` is the squared Fourier transform under Hann's window, averaged over all directions.
    """
    light = lightness(pixels)
    brightness, contrast = _moments(light)
    return Measures(
        brightness=brightness,
        contrast=contrast,
        colourfulness=_colourfulness(pixels),
        sharpness=_sharpness(light),
        histogram=np.array(Image.fromarray(pixels).histogram()).reshape(3, 256),
        power=_power(light),
    )


def lightness(pixels: Pixels) -> NDArray[np.float32]:
    """CIELAB's L*, 0…100, of uint8 sRGB (..., 3): (...), within 0.02."""
    luminance, light = _tables()
    index = luminance[0].take(pixels[..., 0])
    index += luminance[1].take(pixels[..., 1])
    index += luminance[2].take(pixels[..., 2])
    found: NDArray[np.float32] = light.take(index)
    return found


@cache
def _tables() -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Each level's part of the luminance by channel (3, 256), in 65535ths, and L* by luminance (65538,)."""
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    luminance = np.rint(np.outer(LUMINANCE, linear) * 65535).astype(np.int32)
    y = np.minimum(np.arange(65538) / 65535, 1)  # three parts, each rounded, may come to a little more than white
    light = np.where(y <= (6 / 29) ** 3, y * (29 / 3) ** 3, 116 * np.cbrt(y) - 16)
    return luminance, light.astype(np.float32)


def _colourfulness(pixels: Pixels) -> float:
    red, green, blue = (pixels[..., channel].astype(np.float32) for channel in range(3))
    means, deviations = zip(_moments(red - green), _moments((red + green) / 2 - blue), strict=True)
    return math.hypot(*deviations) + 0.3 * math.hypot(*means)


def _moments(plane: NDArray[np.floating]) -> tuple[float, float]:
    """The mean and the standard deviation of (S, S), in a third of the time of numpy's ``std`` in float64."""
    centre = float(plane.mean())
    away = plane - plane.dtype.type(centre)
    return centre, math.sqrt(float(np.vdot(away, away)) / plane.size)


def _sharpness(light: NDArray[np.float32]) -> float:
    """Of L* (S, S); its outermost pixels lack a neighbour, so they only are neighbours."""
    if min(light.shape) < 3:
        return 0.0
    around = light[:-2, 1:-1] + light[2:, 1:-1]
    around += light[1:-1, :-2]
    around += light[1:-1, 2:]
    around *= 0.25
    around -= light[1:-1, 1:-1]
    return float(np.abs(around, out=around).mean())


def _power(light: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of L* (S, S), at 1 … S/2 cycles: (S // 2,). The corners of the spectrum, which lie beyond, count nowhere."""
    side = len(light)
    window, ring, weight, total = _rings(side)
    # The mean is the window's own: what it would leave of a plain picture's brightness is at 1 cycle, and strong.
    waves = fft.rfft2((light - np.vdot(window, light) / window.sum()) * window)
    power = (waves.real**2 + waves.imag**2) * weight
    found: NDArray[np.float64] = np.bincount(ring, power.ravel(), side // 2 + 2)[1 : side // 2 + 1] / total
    return found


@cache
def _rings(side: int) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.float32], NDArray[np.float64]]:
    """The window (S, S), each frequency's ring (S·(S/2 + 1),), its weight, and each ring's sum of those.

    Half of the spectrum is computed: what is not on its edge stands for its mirror image too. The window is the same
    from either side, as a mirrored picture is to have the same power.
    """
    hann = np.hanning(side + 2)[1:-1]
    window = np.outer(hann, hann)
    half, last = side // 2 + 1, side // 2
    ring = np.rint(np.hypot(np.fft.fftfreq(side, 1 / side)[:, None], np.arange(half))).astype(np.intp)
    ring = np.minimum(ring, last + 1).ravel()
    weight = np.full(half, 2.0)
    weight[0] = 1.0
    if side % 2 == 0:
        weight[last] = 1.0
    total = np.bincount(ring, np.tile(weight, side), last + 2)[1 : last + 1]
    return window.astype(np.float32), ring, weight.astype(np.float32), total * np.square(window).sum()


def spreads(looks: Sequence[ImageStatistics]) -> dict[str, Spread]:
    """How each of :data:`MEASURES` lies over a set of at least one picture."""
    return {name: _spread([getattr(each, name) for each in looks]) for name in MEASURES}


def _spread(values: list[float]) -> Spread:
    low, median, high = np.percentile(values, (5, 50, 95))
    return Spread(low=float(low), median=float(median), high=float(high))


def decibels(power: NDArray[np.float64], count: int) -> list[float]:
    """The mean of ``count`` pictures' :attr:`Measures.power`, given as their sum, in dB over one level squared."""
    found: list[float] = (10 * np.log10(power / max(count, 1) + FAINTEST)).tolist()
    return found


@dataclass(frozen=True)
class _Difference:
    """A sentence, and the effect size of what it tells: above 0 where photos have more of it."""

    effect: float
    words: str


def differences(paintings: Domain, photos: Domain) -> list[str]:
    """Where photos differ from paintings, a sentence each, the greatest difference first; none that is negligible.

    Both hold at least one picture, measured at the same size.

    Differences of different kinds are compared by effect size (Cohen 1988): of each measure d, its difference in
    standard deviations over pictures; of the channels and the spectrum the same, with deviations that are usual; of
    colours' shares h, the difference of their arcsines.
    """
    found = [
        *(_of_measure(name, paintings, photos) for name in MEASURES),
        _of_channels(paintings, photos),
        _of_spectrum(paintings, photos),
        _of_colours(paintings, photos),
    ]
    told = [each for each in found if each is not None and abs(each.effect) >= SMALL]
    return [each.words for each in sorted(told, key=lambda each: -abs(each.effect))]


#: Of each measure: what those are that have more of it and less of it, and what its numbers mean.
_WORDS = {
    "brightness": ("lighter", "darker", "mean lightness {} against {}, where 0 is black and 100 is white"),
    "contrast": (
        "richer in contrast",
        "poorer in contrast",
        "lightness varies by {} within a picture, against {}, of 100",
    ),
    "colourfulness": ("more colourful", "less colourful", "{} against {}, where 0 is grey and 60 is lively"),
    "sharpness": ("sharper", "softer", "a pixel is {} of 100 lighter or darker than those around it, against {}"),
}


def _of_measure(name: str, paintings: Domain, photos: Domain) -> _Difference:
    one, other = (np.array([getattr(each, name) for each in domain.looks]) for domain in (paintings, photos))
    effect = _standardised(other.mean() - one.mean(), np.hypot(one.std(), other.std()) / np.sqrt(2))
    more, less, numbers = _WORDS[name]
    shown = numbers.format(_rounded(other.mean()), _rounded(one.mean()))
    return _Difference(effect, f"Photos are {_degree(effect)}{more if effect > 0 else less} than paintings: {shown}.")


def _standardised(difference: float, deviation: float) -> float:
    """An effect size. Sets without any variety of their own have one that is great, not endless."""
    return float(difference / max(deviation, abs(difference) / 10, 1e-9))


def _of_channels(paintings: Domain, photos: Domain) -> _Difference:
    """The channel that differs most when the difference in brightness is taken out: a cast."""
    shares = np.array([paintings.histogram, photos.histogram])  # (2, 3, 256)
    means = shares @ np.arange(256)
    casts = means - (means.sum(axis=1, keepdims=True) - means) / 2  # of each channel over the mean of the others
    more = casts[1] - casts[0]
    channel = int(np.abs(more).argmax())
    effect = float(more[channel] / CAST_DEVIATIONS[channel])
    name, others = (("red", "green and blue"), ("green", "red and blue"), ("blue", "red and green"))[channel]
    one, other = (_side(domain[channel]) for domain in casts)
    return _Difference(
        effect,
        f"Photos hold {_degree(effect)}{'more' if effect > 0 else 'less'} {name} than paintings: on average it is "
        f"{other} {others}, against {one}, of 255 levels.",
    )


def _side(cast: float) -> str:
    return f"{abs(cast):.0f} {'above' if cast >= 0 else 'below'}"


def _of_spectrum(paintings: Domain, photos: Domain) -> _Difference | None:
    """The band, an octave each, in which powers differ most; None for spectra that have no two bands in common."""
    if len(paintings.spectrum) < 2 or len(paintings.spectrum) != len(photos.spectrum):
        return None
    more = np.subtract(photos.spectrum, paintings.spectrum)
    edges = [len(more)]
    while edges[0] >= 2 and len(edges) < 6:
        edges.insert(0, edges[0] // 2)
    edges[0] = 0
    bands = [more[low:high].mean() for low, high in pairwise(edges)]
    band = int(np.abs(bands).argmax())
    effect = float(bands[band] / POWER_DEVIATION)
    if band == len(bands) - 1:
        what, where = "finest detail", f"above {edges[band]} cycles per picture"
    elif band == 0:
        what, where = "broadest shapes", f"up to {edges[1]} cycles per picture"
    else:
        what, where = "details of middle size", f"{edges[band]} to {edges[band + 1]} cycles per picture"
    factor = 10 ** (bands[band] / 10)
    times = f"{_rounded(factor)} times" if factor >= 1 else f"{factor:.0%} of" if factor >= 0.01 else "hardly any of"
    return _Difference(
        effect,
        f"Photos hold {abs(bands[band]):.1f} dB {'more' if effect > 0 else 'less'} of the {what} ({where}) than "
        f"paintings: {times} the power.",
    )


def _of_colours(paintings: Domain, photos: Domain) -> _Difference | None:
    """The colour, of those that have a name, whose share differs most."""
    one, other = (_named(domain) for domain in (paintings, photos))
    if not one or not other:
        return None
    effects = {name: _arcsine(other.get(name, 0.0)) - _arcsine(one.get(name, 0.0)) for name in sorted({*one, *other})}
    name = max(effects, key=lambda each: abs(effects[each]))
    effect = effects[name]
    return _Difference(
        effect,
        f"Photos show {'more' if effect > 0 else 'less'} {name} than paintings: "
        f"{other.get(name, 0.0):.0%} of their area, against {one.get(name, 0.0):.0%}.",
    )


def _named(domain: Domain) -> dict[str, float]:
    """Shares of colours by name: of the pictures' own palettes, which are many, or else of the set's."""
    palettes = [each.palette for each in domain.looks if each.palette] or [domain.palette]
    shares: dict[str, float] = {}
    for colour in chain.from_iterable(palettes):
        name = name_of(colour.hex)
        shares[name] = shares.get(name, 0.0) + colour.share / len(palettes)
    return shares


def _arcsine(share: float) -> float:
    return 2 * float(np.arcsin(np.sqrt(min(max(share, 0.0), 1.0))))


def _degree(effect: float) -> str:
    return "much " if abs(effect) >= LARGE else "" if abs(effect) >= MEDIUM else "slightly "


def _rounded(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value < 0.05 else f"{value:.1f}"
