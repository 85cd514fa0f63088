"""Enlarge a small painting by re-rendering it with brush strokes.

A network paints strokes of a few pixels at any image size: right for a painting of some 500 pixels, far too small in
one of 4,000. So a large photo is painted small, and that painting is rendered at full size with strokes: coarse ones
everywhere, then fine ones where there is detail (Hertzmann 1998, "Painterly Rendering with Curved Brush Strokes of
Multiple Sizes"). A stroke has one colour, that of the painting at its centre, and is perpendicular to the local
gradient, by the structure tensor (Förstner & Gülch 1987). Bristles leave ridges, which are lit from the upper left
(Hertzmann 2002, "Fast Paint Texture").

Each stroke depends on its neighbourhood alone: the result is the same in any number of bands, and equal parts of two
video frames get equal strokes. Pixels are uint8 RGB.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Floats, Pixels
from impasto.inference.share_done import ShareDone, unreported

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Layer:
    """Strokes of one size, in pixels of the small painting: their spacing, and half their length and width."""

    spacing: float
    length: float
    width: float


#: Coarse strokes everywhere, and fine ones where there is detail.
COARSE, FINE = Layer(2.6, 6.5, 2.2), Layer(1.25, 3.2, 1.0)
#: Mean luma gradient (of 0…1, over two pixels) from which on all fine strokes are drawn.
DETAIL = 0.035
#: Mean squared gradient below which strokes take a default direction, in radians: rising slightly to the right.
FLAT, DEFAULT_ANGLE = 2e-4, -0.3
#: Relative variation of sizes, and variation of directions in radians.
SIZE_JITTER, ANGLE_JITTER = 0.2, 0.18
#: Smallest distance of two ridges in pixels, and largest number across half a stroke.
PITCH, RIDGES = 2.2, 7
#: Amplitude of ridges in the colour, and of their shading, relative to full brightness.
STREAKS, RELIEF = 0.05, 0.08
#: Pixels rendered at a time, in whole rows, and margin rows that their shading depends on.
BAND, MARGIN = 1 << 19, 4
#: Vertices of a stroke's outline, and fractional bits of their coordinates.
POINTS, SHIFT = 16, 4
#: Number of ridge profiles, and samples of each.
PROFILES, SAMPLES = 256, 64


@dataclass(frozen=True)
class Strokes:
    """All N strokes of a painting, in drawing order.

    Attributes:
        y, x: centres, in pixels of the small painting.
        cosine, sine: of the angle to the x axis.
        length, width: half of each, in the same pixels.
        height: thickness of the paint below.
        profile: index of the ridge profile.
        colour: (N, 3), 0…255.
    """

    y: Floats
    x: Floats
    cosine: Floats
    sine: Floats
    length: Floats
    width: Floats
    height: Floats
    profile: Floats
    colour: Floats

    @classmethod
    def of(cls, painting: Pixels) -> "Strokes":
        """Compute the strokes of a small painting (h, w, 3)."""
        angles, detail = _orientation(painting)
        soft = _blurred(painting.astype(np.float32), 1.0)
        layers = [
            _layer_strokes(soft, angles, COARSE, np.ones_like(detail), 0),
            _layer_strokes(painting.astype(np.float32), angles, FINE, detail, 1),
        ]
        return cls(*(np.concatenate(parts) for parts in zip(*layers, strict=True)))

    def outlines(self, down: float, across: float) -> Ints:
        """Return the outlines, enlarged by these factors: (N, POINTS, 2), x and y in fixed-point pixels of the large
        image. The shape is |t|⁴ + |r|² = 1, elongated with round ends."""
        turn = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
        along = (np.sign(np.cos(turn)) * np.sqrt(np.abs(np.cos(turn)))).astype(np.float32)
        t, r = self.length[:, None] * along, self.width[:, None] * np.sin(turn).astype(np.float32)
        x = self.x[:, None] + t * self.cosine[:, None] - r * self.sine[:, None]
        y = self.y[:, None] + t * self.sine[:, None] + r * self.cosine[:, None]
        # OpenCV puts the centre of pixel 0 at 0, not at 0.5
        places = np.stack([x * np.float32(across), y * np.float32(down)], 2) - 0.5
        return np.rint(places * (1 << SHIFT)).astype(np.int32)


def enlarge(painting: Pixels, large: Pixels, progress: ShareDone = unreported) -> None:
    """Render the painting (h, w, 3) with strokes into ``large`` (H, W, 3), of nearly the same aspect ratio."""
    height, width, _ = large.shape
    scales = height / painting.shape[0], width / painting.shape[1]
    strokes = Strokes.of(painting)
    outlines = strokes.outlines(*scales)
    first, last = (edge(outlines[:, :, 1], axis=1) >> SHIFT for edge in (np.min, np.max))
    room = int((last - first).max()) + 2
    rows = max(BAND // width, MARGIN)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        above, below = max(top - MARGIN, 0), min(bottom + MARGIN, height)
        here = np.flatnonzero((last >= above - 1) & (first <= below))
        # OpenCV draws clipped shapes slightly differently: leave room for complete ones.
        numbers = _visible(outlines, here, above - room, below + room, width)[room:-room]
        while (bare := numbers < 0).any():  # gaps left by jitter
            numbers = np.where(bare, cv2.dilate(numbers.astype(np.float32), np.ones((3, 3))).astype(np.int32), numbers)
        band = _paint(strokes, numbers, above, scales)
        large[top:bottom] = band[top - above : bottom - above]
        progress(bottom / height)


def _orientation(painting: Pixels) -> tuple[Floats, Floats]:
    """Return the stroke direction (h, w) in radians, and the amount of detail, (h, w) in 0…1."""
    luma = _blurred(cv2.cvtColor(painting, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255), 0.7)
    across, down = (cv2.Scharr(luma, cv2.CV_32F, *order, scale=1 / 32) for order in ((1, 0), (0, 1)))
    tensor = np.stack([across**2 - down**2, 2 * across * down, across**2 + down**2], 2)
    # The nearest structure dominates; where there is none, structure further away.
    smoothed = _blurred(tensor, 1.5) + 0.5 * _blurred(tensor, 4) + 0.25 * _blurred(tensor, 12)
    for part, value in enumerate((math.cos(2 * DEFAULT_ANGLE), math.sin(2 * DEFAULT_ANGLE))):
        smoothed[..., part] -= FLAT * value
    angles = np.arctan2(smoothed[..., 1], smoothed[..., 0]) / 2 + np.pi / 2
    energy = np.sqrt(np.maximum(_blurred(tensor[..., 2], 2), 0))
    detail = (energy / DETAIL).clip(0, 1)
    return angles.astype(np.float32), detail.astype(np.float32)


def _layer_strokes(painting: Floats, angles: Floats, layer: Layer, share: Floats, number: int) -> tuple[Floats, ...]:
    """Return the strokes of one layer on a jittered grid, as the attributes of :class:`Strokes`; ``share`` (h, w) is
    the probability of a stroke at each position."""
    height, width, _ = painting.shape
    rows, columns = (math.ceil(side / layer.spacing) + 1 for side in (height, width))
    draws = np.stack([_random(rows, columns, 8 * number + kind) for kind in range(7)]).reshape(7, -1)
    row, column = (each.ravel() for each in np.indices((rows, columns), np.float32))
    y, x = (each * layer.spacing for each in (row - 0.35 + 0.7 * draws[0], column - 0.35 + 0.7 * draws[1]))
    down, right = y.astype(int).clip(0, height - 1), x.astype(int).clip(0, width - 1)
    order = np.argsort(draws[2], kind="stable")
    order = order[share[down, right][order] > draws[3][order]]
    y, x, down, right, draws = y[order], x[order], down[order], right[order], draws[:, order]
    angle = angles[down, right] + ANGLE_JITTER * (2 * draws[4] - 1)
    size = 1 + SIZE_JITTER * (2 * draws[5] - 1)
    colour = painting[down, right]
    profile = np.floor(draws[6] * PROFILES)
    height_of = np.full(len(y), 0.3 * number)
    laid = (y, x, np.cos(angle), np.sin(angle), layer.length * size, layer.width * size, height_of, profile, colour)
    return tuple(each.astype(np.float32) for each in laid)


def _blurred(maps: Floats, size: float) -> Floats:
    """Blur (H, W) or (H, W, C) by a Gaussian of that standard deviation in pixels."""
    return cv2.GaussianBlur(maps, (0, 0), size).astype(np.float32, copy=False)


def _random(rows: int, columns: int, kind: int) -> Floats:
    """Return hashed uniform numbers in 0…1, (rows, columns), that depend on row, column and ``kind`` alone."""
    row, column = np.indices((rows, columns), np.uint32)
    bits = row * np.uint32(0x9E3779B1) ^ column * np.uint32(0x85EBCA77)
    bits ^= np.uint32((kind + 1) * 0x27D4EB2F & 0xFFFFFFFF)
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39), (15, 1)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    return (bits >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


def _visible(outlines: Ints, here: NDArray[np.intp], top: int, bottom: int, width: int) -> Ints:
    """Return the index of the topmost of the strokes ``here`` at each pixel of rows ``top`` to ``bottom``; −1 for
    none."""
    numbers = np.full((bottom - top, width), -1, np.int32)
    shapes = outlines[here] - np.array([0, top << SHIFT], np.int32)
    for number, shape in zip(here.tolist(), shapes, strict=True):
        cv2.fillConvexPoly(numbers, shape, number, cv2.LINE_8, SHIFT)
    return numbers


def _paint(strokes: Strokes, numbers: Ints, top: int, scales: tuple[float, float]) -> Pixels:
    """Return the shaded colours (rows, width, 3) of the visible strokes, in rows from ``top`` on."""
    rows, width = numbers.shape
    down, across = map(np.float32, scales)
    y = ((np.arange(top, top + rows, dtype=np.float32) + 0.5) / down)[:, None] - strokes.y[numbers]
    x = ((np.arange(width, dtype=np.float32) + 0.5) / across)[None] - strokes.x[numbers]
    cosine, sine, half = strokes.cosine[numbers], strokes.sine[numbers], strokes.width[numbers]
    along = (x * cosine + y * sine) / strokes.length[numbers]  # −1…1
    side = y * cosine - x * sine  # −half…half
    ridges = _ridges(strokes.profile[numbers], side, math.sqrt(down * across))
    rising = 0.8 * (ridges - 0.5) + 0.5 * (1 - np.square(side / half)) - 0.25 * along + strokes.height[numbers]
    height = _blurred(rising.astype(np.float32, copy=False), 0.6)
    light = np.zeros_like(height)
    light[1:-1, 1:-1] = (height[2:, 2:] - height[:-2, :-2]).clip(-1, 1)
    colours = _blurred(strokes.colour[numbers], 0.6)  # no steps at the edges
    colours *= (1 + 2 * STREAKS * (ridges - 0.5))[..., None]
    colours += (255 * RELIEF * light)[..., None]
    painted: Pixels = np.rint(colours.clip(0, 255)).astype(np.uint8)
    return painted


def _ridges(profile: Floats, side: Floats, scale: float) -> Floats:
    """Return the height of the ridges, 0…1, at a distance ``side`` from the centre line, for each profile."""
    pitch = max(PITCH / scale, COARSE.width / RIDGES)
    place = (side / np.float32(pitch) + SAMPLES / 2).clip(0, SAMPLES - 2)
    base = place.astype(np.int32)
    share = place - base
    share = share * share * (3 - 2 * share)
    table = _random(PROFILES, SAMPLES, 97).ravel()
    index = profile.astype(np.int32) * SAMPLES + base
    ridges: Floats = table[index] * (1 - share) + table[index + 1] * share
    return ridges
