"""A small painting made large, stroke by stroke.

A network paints strokes of a few pixels, whatever the size of the picture: right for a painting of some 500 pixels,
far too small in one of 4,000. So a large photo is painted small, and each stroke of that painting is laid again at
full size, as a painter does who works after a sketch: first broad strokes everywhere, then fine ones where there is
detail (Hertzmann 1998, "Painterly Rendering with Curved Brush Strokes of Multiple Sizes"). A stroke has one colour,
that of the painting in its middle, and follows the forms around it: across the gradient, by the structure tensor
(Förstner & Gülch 1987). Its bristles leave ridges, which are lit from above left (as Hertzmann 2002, "Fast Paint
Texture").

Where a stroke lies, and how, depends on what is near it alone: so a picture is the same in any number of bands, and
equal parts of two frames of a film get equal strokes. Pixels are uint8 RGB.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from impasto.config.types import Floats, Pixels

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Layer:
    """Strokes of one size, in pixels of the small painting: the distance between them, and half their length and
    width."""

    spacing: float
    length: float
    width: float


#: Broad strokes everywhere, and fine ones where there is detail.
BROAD, FINE = Layer(2.6, 6.5, 2.2), Layer(1.25, 3.2, 1.0)
#: The contrast from which on there are all fine strokes, as a mean gradient of a brightness of 0…1 over two pixels.
DETAIL = 0.035
#: Where there is hardly a gradient, of this mean square, strokes rise a little to the right.
EVEN, HAND = 2e-4, -0.3
#: Sizes vary by this factor up and down, directions by so many radians.
VARIATION, TURN = 0.2, 0.18
#: The least distance of two ridges, in pixels, and how many there are at most across half a stroke.
PITCH, RIDGES = 2.2, 7
#: How much ridges change the colour, and how much light and shadow do, of all brightness.
STREAKS, RELIEF = 0.05, 0.08
#: Pixels that are painted at a time, in whole rows, and the rows beside them that their light depends on.
BAND, MARGIN = 1 << 19, 4
#: Points of a stroke's outline, and the fractions of a pixel that they are placed by, in bits.
POINTS, SHIFT = 16, 4
#: Different profiles of ridges, and the places that each is known at.
PROFILES, PLACES = 256, 64


@dataclass(frozen=True)
class Strokes:
    """All strokes of a painting, in the order in which they are laid: arrays of N.

    Attributes:
        y, x: where their middles are, in pixels of the small painting.
        cosine, sine: of their directions, from the x axis.
        length, width: halves of both, in the same pixels.
        height: how much paint lies under them.
        profile: which ridges their bristles leave, a whole number.
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
        """The strokes of a small painting (h, w, 3)."""
        angles, detail = _forms(painting)
        soft = _blurred(painting.astype(np.float32), 1.0)
        layers = [
            _laid(soft, angles, BROAD, np.ones_like(detail), 0),
            _laid(painting.astype(np.float32), angles, FINE, detail, 1),
        ]
        return cls(*(np.concatenate(parts) for parts in zip(*layers, strict=True)))

    def outlines(self, down: float, across: float) -> Ints:
        """The outline of each where both sides grow by these factors, (N, POINTS, 2) as x and y in fractions of a pixel
        of the large picture: a long shape with round ends, |t|⁴ + |r|² = 1."""
        turn = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
        along = (np.sign(np.cos(turn)) * np.sqrt(np.abs(np.cos(turn)))).astype(np.float32)
        t, r = self.length[:, None] * along, self.width[:, None] * np.sin(turn).astype(np.float32)
        x = self.x[:, None] + t * self.cosine[:, None] - r * self.sine[:, None]
        y = self.y[:, None] + t * self.sine[:, None] + r * self.cosine[:, None]
        # the middle of pixel 0 is at 0 for OpenCV, and at half a pixel here
        places = np.stack([x * np.float32(across), y * np.float32(down)], 2) - 0.5
        return np.rint(places * (1 << SHIFT)).astype(np.int32)


def enlarge(painting: Pixels, large: Pixels) -> None:
    """Paints ``large`` (H, W, 3): the painting (h, w, 3) in strokes, at that size. Both sides grow nearly alike."""
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
        # OpenCV draws a shape that is cut off a little differently: so there is room for all of each.
        numbers = _cover(outlines, here, above - room, below + room, width)[room:-room]
        while (bare := numbers < 0).any():  # jitter might leave a gap
            numbers = np.where(bare, cv2.dilate(numbers.astype(np.float32), np.ones((3, 3))).astype(np.int32), numbers)
        band = _paint(strokes, numbers, above, scales)
        large[top:bottom] = band[top - above : bottom - above]


def _forms(painting: Pixels) -> tuple[Floats, Floats]:
    """The direction (h, w) in radians that strokes take at each place, and how much detail there is, 0…1."""
    luma = _blurred(cv2.cvtColor(painting, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255), 0.7)
    across, down = (cv2.Scharr(luma, cv2.CV_32F, *order, scale=1 / 32) for order in ((1, 0), (0, 1)))
    tensor = np.stack([across**2 - down**2, 2 * across * down, across**2 + down**2], 2)
    # What is near decides, and where there is nothing near, what is further away.
    smoothed = _blurred(tensor, 1.5) + 0.5 * _blurred(tensor, 4) + 0.25 * _blurred(tensor, 12)
    for part, value in enumerate((math.cos(2 * HAND), math.sin(2 * HAND))):
        smoothed[..., part] -= EVEN * value
    angles = np.arctan2(smoothed[..., 1], smoothed[..., 0]) / 2 + np.pi / 2
    energy = np.sqrt(np.maximum(_blurred(tensor[..., 2], 2), 0))
    detail = (energy / DETAIL).clip(0, 1)
    return angles.astype(np.float32), detail.astype(np.float32)


def _laid(painting: Floats, angles: Floats, layer: Layer, share: Floats, number: int) -> tuple[Floats, ...]:
    """The strokes of one layer, on a grid with jitter, as the attributes of :class:`Strokes`; of those at a place only
    that ``share`` (h, w) is laid."""
    height, width, _ = painting.shape
    rows, columns = (math.ceil(side / layer.spacing) + 1 for side in (height, width))
    draws = np.stack([_random(rows, columns, 8 * number + kind) for kind in range(7)]).reshape(7, -1)
    row, column = (each.ravel() for each in np.indices((rows, columns), np.float32))
    y, x = (each * layer.spacing for each in (row - 0.35 + 0.7 * draws[0], column - 0.35 + 0.7 * draws[1]))
    down, right = y.astype(int).clip(0, height - 1), x.astype(int).clip(0, width - 1)
    order = np.argsort(draws[2], kind="stable")
    order = order[share[down, right][order] > draws[3][order]]
    y, x, down, right, draws = y[order], x[order], down[order], right[order], draws[:, order]
    angle = angles[down, right] + TURN * (2 * draws[4] - 1)
    size = 1 + VARIATION * (2 * draws[5] - 1)
    colour = painting[down, right]
    profile = np.floor(draws[6] * PROFILES)
    height_of = np.full(len(y), 0.3 * number)
    laid = (y, x, np.cos(angle), np.sin(angle), layer.length * size, layer.width * size, height_of, profile, colour)
    return tuple(each.astype(np.float32) for each in laid)


def _blurred(maps: Floats, size: float) -> Floats:
    """Maps (H, W) or (H, W, C), by a Gaussian of that standard deviation in pixels."""
    return cv2.GaussianBlur(maps, (0, 0), size).astype(np.float32, copy=False)


def _random(rows: int, columns: int, kind: int) -> Floats:
    """Numbers in 0…1 (rows, columns) that depend on row, column and ``kind`` alone: multiply and xor-shift, twice."""
    row, column = np.indices((rows, columns), np.uint32)
    bits = row * np.uint32(0x9E3779B1) ^ column * np.uint32(0x85EBCA77)
    bits ^= np.uint32((kind + 1) * 0x27D4EB2F & 0xFFFFFFFF)
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39), (15, 1)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    return (bits >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


def _cover(outlines: Ints, here: NDArray[np.intp], top: int, bottom: int, width: int) -> Ints:
    """Which stroke is seen in each pixel of rows ``top`` to ``bottom``: the last of those ``here`` that covers it; −1
    for none."""
    numbers = np.full((bottom - top, width), -1, np.int32)
    shapes = outlines[here] - np.array([0, top << SHIFT], np.int32)
    for number, shape in zip(here.tolist(), shapes, strict=True):
        cv2.fillConvexPoly(numbers, shape, number, cv2.LINE_8, SHIFT)
    return numbers


def _paint(strokes: Strokes, numbers: Ints, top: int, scales: tuple[float, float]) -> Pixels:
    """The colours (rows, width, 3) of strokes that are seen in rows from ``top`` on, with their ridges in the light."""
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
    """How much paint the bristles left, 0…1, at a distance from the middle line of a stroke with that profile."""
    pitch = max(PITCH / scale, BROAD.width / RIDGES)
    place = (side / np.float32(pitch) + PLACES / 2).clip(0, PLACES - 2)
    base = place.astype(np.int32)
    share = place - base
    share = share * share * (3 - 2 * share)
    table = _random(PROFILES, PLACES, 97).ravel()
    index = profile.astype(np.int32) * PLACES + base
    found: Floats = table[index] * (1 - share) + table[index + 1] * share
    return found
