"""RGB colour spaces other than sRGB, as numbers: primaries and transfer functions, and the conversion to sRGB."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]
#: From levels to light, both 0…1.
Transfer = Callable[[Levels], Levels]
#: x and y of white, red, green and blue.
Chromaticities = tuple[float, ...]

#: Rows that are converted at a time.
BAND = 256
#: Levels of 255: a colour space in which no colour differs by more is sRGB but for rounding.
NEUTRAL_DIFFERENCE = 3
#: gAMA stands for sRGB's curve if it is as near to 1/2.2 as this; it has no other way to say it (libpng's threshold).
SRGB_GAMMA, GAMMA_THRESHOLD = 1 / 2.2, 0.05

_D65 = (0.3127, 0.3290)
_C = (0.310, 0.316)
SRGB: Chromaticities = (*_D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
#: ColourPrimaries of ITU-T H.273, table 2.
PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB,
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}


def _srgb(level: Levels) -> Levels:
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def _bt709(level: Levels) -> Levels:
    return np.where(level < 0.081243, level / 4.5, ((level + 0.099297) / 1.099297) ** (1 / 0.45))


def _smpte240(level: Levels) -> Levels:
    return np.where(level < 0.0913, level / 4, ((level + 0.1115) / 1.1115) ** (1 / 0.45))


def _power(exponent: float) -> Transfer:
    return lambda level: level**exponent


def _logarithm(decades: float) -> Transfer:
    return lambda level: np.where(level > 0, 10 ** (decades * (level - 1)), 0)


#: TransferCharacteristics of ITU-T H.273, table 3, as functions from levels to light, both 0…1.
TRANSFERS: dict[int, Transfer] = {
    **dict.fromkeys((1, 6, 11, 12, 14, 15), _bt709),
    4: _power(2.2),
    5: _power(2.8),
    7: _smpte240,
    8: _power(1.0),
    9: _logarithm(2.0),
    10: _logarithm(2.5),
    13: _srgb,
    17: lambda level: (52.37 / 48) * level**2.6,
}
#: Those of high dynamic range: PQ and HLG.
HDR_TRANSFERS = (16, 18)


@dataclass(frozen=True)
class ColourSpace:
    """An RGB colour space.

    Attributes:
        chromaticities: x and y of white, red, green and blue.
        transfer: from levels to light, both 0…1.
        narrow: whether 8-bit levels lie in 16…235.
    """

    chromaticities: Chromaticities = SRGB
    transfer: Transfer = _srgb
    narrow: bool = False

    @classmethod
    def of_gamma(cls, gamma: float | None, chromaticities: Chromaticities | None) -> "ColourSpace":
        """Return the space of PNG's chunks gAMA (level = light ^ gamma) and cHRM, either of which may be missing or
        invalid."""
        transfer: Transfer = _srgb
        if gamma and abs(gamma / SRGB_GAMMA - 1) > GAMMA_THRESHOLD:
            transfer = _power(1 / gamma)
        return cls(chromaticities if chromaticities and _to_xyz(chromaticities) is not None else SRGB, transfer)

    @property
    def is_srgb(self) -> bool:
        """Whether its colours are those of sRGB, but for rounding."""
        ramp = np.arange(0, 256, 17, dtype=np.uint8)
        colours = np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1).reshape(1, -1, 3)
        return int(np.abs(self.to_srgb(colours).astype(int) - colours).max()) <= NEUTRAL_DIFFERENCE

    def to_srgb(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        """Convert grey (H, W) or RGB (H, W, 3) samples, uint8 or uint16 of full range, to sRGB levels. Colours outside
        sRGB are clipped."""
        top = np.iinfo(samples.dtype).max
        levels = np.arange(top + 1) / top
        if self.narrow:
            levels = ((levels * 255 - 16) / 219).clip(0, 1)
        light = self.transfer(levels).clip(0, 1).astype(np.float32)
        if samples.ndim == 2:
            grey: NDArray[np.uint8] = _encode(light)[samples]
            return grey
        converted, encoded = np.empty(samples.shape, np.uint8), _encoded()
        matrix = self._to_srgb_light().T.astype(np.float32)
        for first in range(0, len(samples), BAND):
            band = (light[samples[first : first + BAND]] @ matrix).clip(0, 1)
            converted[first : first + BAND] = encoded[np.rint(band * 65535).astype(np.uint16)]
        return converted

    def _to_srgb_light(self) -> NDArray[np.float64]:
        """Return the matrix (3, 3) from linear RGB to sRGB's, adapted to its white (Bradford)."""
        own, srgb = _to_xyz(self.chromaticities), _to_xyz(SRGB)
        if own is None or srgb is None:
            raise ValueError(f"impossible chromaticities {self.chromaticities}")
        cones = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
        scale = (cones @ srgb.sum(axis=1)) / (cones @ own.sum(axis=1))
        adapted = np.linalg.inv(cones) @ np.diag(scale) @ cones @ own
        matrix: NDArray[np.float64] = np.linalg.inv(srgb) @ adapted
        return matrix


def _to_xyz(chromaticities: Chromaticities) -> NDArray[np.float64] | None:
    """Return the matrix (3, 3) from linear RGB to XYZ; None if there is no such space."""
    points = np.reshape(chromaticities, (4, 2))
    if (points <= 0).any() or (points.sum(axis=1) > 1).any():
        return None
    white, *primaries = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in points)
    columns = np.stack(primaries, axis=1)
    if abs(np.linalg.det(columns)) < 1e-6:
        return None
    scales = np.linalg.solve(columns, white)
    return columns * scales if (scales > 0).all() else None


def _encode(light: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the sRGB levels of light 0…1."""
    level = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    encoded: NDArray[np.uint8] = np.rint(level * 255).astype(np.uint8)
    return encoded


@cache
def _encoded() -> NDArray[np.uint8]:
    """Return the sRGB levels of light in 65536 steps."""
    return _encode(np.linspace(0, 1, 1 << 16))
