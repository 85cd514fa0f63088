"""Statistics of images, and a description of the differences between two data sets."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.config.types import Pixels
from impasto.errors import require
from impasto.exploration.palette import colour_name
from impasto.exploration.results import Domain, ImageStatistics, Percentiles

#: Names of the statistics in :class:`ImageStatistics`, in the order of the report.
STATISTICS = ("brightness", "contrast", "colourfulness", "sharpness")
#: Relative luminance of linear sRGB: IEC 61966-2-1, with the primaries of ITU-R BT.709 and white D65.
LUMINANCE = (0.2126, 0.7152, 0.0722)
#: Power that is added to every spectrum, in L* squared, so that uniform images have finite decibels.
FAINTEST = 1e-4
#: Effect sizes from which a difference is reported, called clear, and called large: Cohen 1988, "Statistical Power
#: Analysis for the Behavioral Sciences".
SMALL, MEDIUM, LARGE = 0.2, 0.5, 0.8
#: Typical standard deviation over images of the power in an octave, in dB, where only the sum over the data set is
#: known: 3.5 to 4.3 for Monet's paintings, 3.8 to 5.2 for photos of landscapes.
POWER_DEVIATION = 4.0
#: The same for a channel's mean minus that of the others, in levels, of red, green and blue: 21, 10, 24 (paintings) and
#: 24, 10, 25 (photos).
CAST_DEVIATIONS = (22.0, 10.0, 25.0)


@dataclass(frozen=True)
class Measurements:
    """Measurements of one image: those of :class:`ImageStatistics`, and those that are summed over a data set.

    Attributes:
        histogram: number of pixels at each level, by channel, (3, 256).
        power: power spectrum of L* at 1, 2 … S/2 cycles per image, (S // 2,), normalised so that white noise has its
            variance at every frequency.
    """

    brightness: float
    contrast: float
    colourfulness: float
    sharpness: float
    histogram: NDArray[np.int64]
    power: NDArray[np.float64]


def measure_image(pixels: Pixels) -> Measurements:
    """Measure an image, sRGB (S, S, 3).

    ``brightness`` and ``contrast`` are the mean and the standard deviation of lightness L* (0…100, CIE 1976).
    ``colourfulness`` is M̂⁽³⁾ of Hasler & Süsstrunk 2003, "Measuring Colourfulness in Natural Images".
    ``sharpness`` is the mean absolute Laplacian of L*, divided by 4. ``power`` is the squared Fourier transform with a
    Hann window, averaged over all directions.
    """
    light = lightness(pixels)
    brightness, contrast = _moments(light)
    return Measurements(
        brightness=brightness,
        contrast=contrast,
        colourfulness=_colourfulness(pixels),
        sharpness=_sharpness(light),
        histogram=np.array(Image.fromarray(pixels).histogram()).reshape(3, 256),
        power=_power(light),
    )


def lightness(pixels: Pixels) -> NDArray[np.float32]:
    """Return CIELAB's L*, 0…100, of sRGB (..., 3): (...), within 0.02.

    Hand-written for speed: see docs/decisions.md.
    """
    luminance, light = _tables()
    index = luminance[0].take(pixels[..., 0])
    index += luminance[1].take(pixels[..., 1])
    index += luminance[2].take(pixels[..., 2])
    found: NDArray[np.float32] = light.take(index)
    return found


@cache
def _tables() -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the luminance of each level by channel (3, 256), in 1/65535, and L* by luminance (65538,)."""
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    luminance = np.rint(np.outer(LUMINANCE, linear) * 65535).astype(np.int32)
    y = np.minimum(np.arange(65538) / 65535, 1)  # the sum of three rounded parts may exceed white
    light = np.where(y <= (6 / 29) ** 3, y * (29 / 3) ** 3, 116 * np.cbrt(y) - 16)
    return luminance, light.astype(np.float32)


def _colourfulness(pixels: Pixels) -> float:
    red, green, blue = (pixels[..., channel].astype(np.float32) for channel in range(3))
    means, deviations = zip(_moments(red - green), _moments((red + green) / 2 - blue), strict=True)
    return math.hypot(*deviations) + 0.3 * math.hypot(*means)


def _moments(plane: NDArray[np.floating]) -> tuple[float, float]:
    """Return mean and standard deviation of (S, S), three times as fast as numpy's ``std`` in float64."""
    centre = float(plane.mean())
    away = plane - plane.dtype.type(centre)
    return centre, math.sqrt(float(np.vdot(away, away)) / plane.size)


def _sharpness(light: NDArray[np.float32]) -> float:
    """Return the sharpness of L* (S, S), without the outermost pixels."""
    if min(light.shape) < 3:
        return 0.0
    around = light[:-2, 1:-1] + light[2:, 1:-1]
    around += light[1:-1, :-2]
    around += light[1:-1, 2:]
    around *= 0.25
    around -= light[1:-1, 1:-1]
    return float(np.abs(around, out=around).mean())


def _power(light: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the power of L* (S, S) at 1 … S/2 cycles, (S // 2,), without the corners of the spectrum."""
    side = len(light)
    window, ring, weight, total = _rings(side)
    # Subtract the windowed mean: otherwise the brightness leaks into 1 cycle.
    waves = require("scipy.fft", extra="train").rfft2((light - np.vdot(window, light) / window.sum()) * window)
    power = (waves.real**2 + waves.imag**2) * weight
    found: NDArray[np.float64] = np.bincount(ring, power.ravel(), side // 2 + 2)[1 : side // 2 + 1] / total
    return found


@cache
def _rings(side: int) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.float32], NDArray[np.float64]]:
    """Return the window (S, S), the ring of each frequency (S·(S/2 + 1),), its weight, and the sums of weights by ring.

    ``rfft2`` computes half of the spectrum, so frequencies off its edges count twice. The window is symmetric, so that
    flipping an image does not change its power.
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


def percentiles(statistics: Sequence[ImageStatistics]) -> dict[str, Percentiles]:
    """Return the percentiles of each of :data:`STATISTICS` over at least one image."""
    return {name: _spread([getattr(each, name) for each in statistics]) for name in STATISTICS}


def _spread(values: list[float]) -> Percentiles:
    low, median, high = np.percentile(values, (5, 50, 95))
    return Percentiles(low=float(low), median=float(median), high=float(high))


def decibels(power: NDArray[np.float64], count: int) -> list[float]:
    """The mean of ``count`` images' :attr:`Measurements.power`, given their sum, in dB relative to 1 L*²."""
    found: list[float] = (10 * np.log10(power / max(count, 1) + FAINTEST)).tolist()
    return found


@dataclass(frozen=True)
class _Difference:
    """A difference between the domains.

    Attributes:
        effect: effect size, above 0 where photos have more.
        sentence: its description.
    """

    effect: float
    sentence: str


def describe_differences(paintings: Domain, photos: Domain) -> list[str]:
    """Return one sentence for each difference that is not negligible, largest first.

    Both domains have at least one image and were measured at the same size.

    Differences are ranked by effect size (Cohen 1988): for statistics d, the difference in standard deviations over
    images; for channels and spectrum the same with typical deviations; for fractions of colours h, the difference of
    their arcsines.
    """
    found = [
        *(_of_measure(name, paintings, photos) for name in STATISTICS),
        _of_channels(paintings, photos),
        _of_spectrum(paintings, photos),
        _of_colours(paintings, photos),
    ]
    relevant = [each for each in found if each is not None and abs(each.effect) >= SMALL]
    return [each.sentence for each in sorted(relevant, key=lambda each: -abs(each.effect))]


#: For each statistic: the words for more and less of it, and the meaning of its numbers.
_TERMS = {
    "brightness": ("lighter", "darker", "mean lightness {} against {}, where 0 is black and 100 is white"),
    "contrast": (
        "higher in contrast",
        "lower in contrast",
        "the standard deviation of the lightness is {} within an image, against {}, of 100",
    ),
    "colourfulness": ("more colourful", "less colourful", "{} against {}, where 0 is grey and 60 is highly colourful"),
    "sharpness": ("sharper", "softer", "a pixel differs from its neighbours by {} of 100 in lightness, against {}"),
}


def _of_measure(name: str, paintings: Domain, photos: Domain) -> _Difference:
    one, other = (np.array([getattr(each, name) for each in domain.statistics]) for domain in (paintings, photos))
    effect = _standardised(other.mean() - one.mean(), np.hypot(one.std(), other.std()) / np.sqrt(2))
    more, less, numbers = _TERMS[name]
    shown = numbers.format(_rounded(other.mean()), _rounded(one.mean()))
    return _Difference(effect, f"Photos are {_degree(effect)}{more if effect > 0 else less} than paintings: {shown}.")


def _standardised(difference: float, deviation: float) -> float:
    """Return the effect size d; large but finite for data sets without variance."""
    return float(difference / max(deviation, abs(difference) / 10, 1e-9))


def _of_channels(paintings: Domain, photos: Domain) -> _Difference:
    """Return the difference of the channel that differs most apart from brightness: a colour cast."""
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
        f"Photos have {_degree(effect)}{'more' if effect > 0 else 'less'} {name} than paintings: its mean is "
        f"{other} {others}, against {one}, of 255 levels.",
    )


def _side(cast: float) -> str:
    return f"{abs(cast):.0f} {'above' if cast >= 0 else 'below'}"


def _of_spectrum(paintings: Domain, photos: Domain) -> _Difference | None:
    """Return the difference of the octave in which the power differs most; None for spectra of different sizes."""
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
        what, where = "finest detail", f"above {edges[band]} cycles per image"
    elif band == 0:
        what, where = "coarsest shapes", f"up to {edges[1]} cycles per image"
    else:
        what, where = "medium-sized detail", f"{edges[band]} to {edges[band + 1]} cycles per image"
    factor = 10 ** (bands[band] / 10)
    times = f"{_rounded(factor)} times" if factor >= 1 else f"{factor:.0%} of" if factor >= 0.01 else "hardly any of"
    return _Difference(
        effect,
        f"Photos have {abs(bands[band]):.1f} dB {'more' if effect > 0 else 'less'} of the {what} ({where}) than "
        f"paintings: {times} the power.",
    )


def _of_colours(paintings: Domain, photos: Domain) -> _Difference | None:
    """Return the difference of the named colour whose fraction differs most."""
    one, other = (_named(domain) for domain in (paintings, photos))
    if not one or not other:
        return None
    effects = {name: _arcsine(other.get(name, 0.0)) - _arcsine(one.get(name, 0.0)) for name in sorted({*one, *other})}
    name = max(effects, key=lambda each: abs(effects[each]))
    effect = effects[name]
    return _Difference(
        effect,
        f"Photos contain {'more' if effect > 0 else 'less'} {name} than paintings: "
        f"{other.get(name, 0.0):.0%} of their area, against {one.get(name, 0.0):.0%}.",
    )


def _named(domain: Domain) -> dict[str, float]:
    """Return fractions of colours by name, from the palettes of the images, or else from that of the data set."""
    palettes = [each.palette for each in domain.statistics if each.palette] or [tuple(domain.palette)]
    shares: dict[str, float] = {}
    for colour in chain.from_iterable(palettes):
        name = colour_name(colour.hex)
        shares[name] = shares.get(name, 0.0) + colour.share / len(palettes)
    return shares


def _arcsine(share: float) -> float:
    return 2 * float(np.arcsin(np.sqrt(min(max(share, 0.0), 1.0))))


def _degree(effect: float) -> str:
    return "much " if abs(effect) >= LARGE else "" if abs(effect) >= MEDIUM else "slightly "


def _rounded(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value < 0.05 else f"{value:.1f}"
