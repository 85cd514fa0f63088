"""Watermarks, signatures and seals: what sites, painters and collectors leave on pictures, and a GAN would repeat.

They are told by what sets lettering apart from brushwork, without a learned detector. A line of letters is crowded
with thin strokes, ends sharply above and below, and was laid over the picture with one strength. They are only
suspected; where there is doubt, nothing is said.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.exploration.results import Shares

Kind = Literal["watermark", "signature", "seal"]

LARGEST_SIDE = 320  # pixels of the short side: lettering too small to be seen at that size does no harm
SMALLEST_SIDE = 64
SMOOTH = Image.Resampling.BOX
LETTERS = (5, 6, 8, 11, 15, 20, 27)  # pixels: heights of letters such as x
LARGEST_LETTER = 0.06  # of the short side
MARGIN = LETTERS[-1]  # pixels beyond the picture, for what would be above and below lettering at its very edge
LINE = 8  # letters' heights: how long a piece of a line is looked at
FAINTEST = (0.2, 0.35)  # of the way to white or black: how strong an overlay must be, to be seen as strokes
DARKEST_GROUND = 96  # levels: on a ground closer to the overlay's colour, noise is not to be taken for strokes
SILENCE = 1.3  # how much strokes above and below a line speak against it
RIM = 0.2  # of the height, at the upper and lower edge, where marks are put; horizons and fences stand further inside
OUT_OF_PLACE = 1.3  # what a line must have more, further inside; a dark one also at the top, where inscriptions are
FLAT = (0.7, 0.85)  # median by greatest strength of strokes: less is paint, more says no more
CERTAIN = 2.2  # changes from stroke to ground on a letter's height along the line, if all else says nothing

REDDEST = 0.02  # of the picture: with more red than that it is painted red, and what is square among it no seal
SEALS = (0.018, 0.12)  # of the short side: how large they are
MOST_SEALS = 6
ALONE = 0.5  # of all that is red in the picture is in seals, or else red is one of its colours
PALE = (120, 60)  # levels: how light and how colourless the paper around a seal is, at least and at most
UNEVEN = 90  # levels between the lighter and the darker of it, at most

FEWEST = 8  # pictures: the least that can agree by more than chance
AGREEMENT = 4.0  # times what chance makes the gradients of many pictures agree


class Found(NamedTuple):
    """A suspected mark: its kind, its box in shares of the width and height, and what spoke for it."""

    kind: Kind
    box: Shares
    why: str


class _Line(NamedTuple):
    """A piece of a line of strokes: how much it is like lettering, its box in pixels, and whether it is light."""

    belief: float
    left: int
    top: int
    right: int
    bottom: int
    light: bool


def find_watermarks(rgb: NDArray[np.uint8]) -> list[Found]:
    """The lettering laid over one picture, and the red seals on it.

    Found are level lines of at least six letters or so, lighter than their ground, or darker and in the lower fifth.
    Such a dark line in a lower corner is called a signature, any other a watermark. Not found are logos, lettering
    that stands upright or aslant, Chinese inscriptions (which belong to the painting) and most painters' signatures
    (which are too small to be told from brushwork).

    Args:
        rgb: pixels, (H, W, 3), 0…255; larger ones than 320 pixels on the short side are looked at reduced.
    """
    height, width = rgb.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        return []
    scale = min(LARGEST_SIDE / min(height, width), 1)
    small = rgb
    if scale < 1:
        small = np.asarray(Image.fromarray(rgb).resize((round(width * scale), round(height * scale)), SMOOTH))
    return _lettering(small) + _seals(rgb if scale > 0.5 else small)


def common_watermarks(pictures: NDArray[np.uint8]) -> list[tuple[Shares, str]]:
    """What many pictures of a set have at the same place, such as a site's watermark: boxes in shares, and why.

    The gradients of unlike pictures cancel out in their mean, which has 1/N of their power; what is on all of them
    stays (as in Dekel, Rubinstein, Liu & Freeman, *On the effectiveness of visible watermarks*, CVPR 2017).

    Args:
        pictures: unlike ones, uint8 (N, S, S, 3). Of fewer than 8 nothing can be said.
    """
    from scipy import ndimage

    count = len(pictures)
    if count < FEWEST:
        return []
    size = pictures.shape[1]
    window = max(size // 16, 5)
    mean, power = np.zeros((2, size, size), np.float32), np.zeros((size, size), np.float32)
    for picture in pictures:
        grey = picture.astype(np.float32).mean(axis=-1)
        slopes = np.stack(np.gradient(grey - ndimage.uniform_filter(grey, window)))  # for skies, too, have a slope
        slopes /= np.hypot(*slopes) + 8  # a strong edge of one picture must not outweigh all others
        mean += slopes / count
        power += (slopes**2).sum(axis=0) / count
    by_chance = ndimage.uniform_filter(power, window) / count
    agreement = ndimage.uniform_filter((mean**2).sum(axis=0), window) / np.maximum(by_chance, 1e-6)
    usual = float(np.median(agreement))
    spread = float(np.median(np.abs(agreement - usual)))
    for side in (agreement, agreement.T, agreement[::-1], agreement.T[::-1]):
        side[: window // 2] = 0  # where the mean is of fewer pixels, and slim borders are
    labels, _ = ndimage.label(agreement > max(AGREEMENT * max(usual, 1.0), usual + 8 * spread))
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if (labels[rows, columns] == number).sum() < window**2 or max(height, width) > 0.9 * size:
            continue  # a speck, or a border that they have in common
        times = float(agreement[rows, columns].max())
        box = (columns.start / size, rows.start / size, columns.stop / size, rows.stop / size)
        found.append((box, f"edges at the same place in many pictures, {times:.0f} times what chance would do"))
    return found


def _lettering(rgb: NDArray[np.uint8]) -> list[Found]:
    lines = []
    for light, values in ((True, rgb), (False, 255 - rgb)):
        strength = _strength(values)
        for faintest in FAINTEST:
            strokes = strength > faintest
            changes = _changes(strokes)
            lines += [_line(values, strength, strokes, changes, letter, light) for letter in LETTERS]
    best = max((line for line in lines if line), default=None)
    if best is None or best.belief < CERTAIN:
        return []
    height, width = rgb.shape[:2]
    box = best.left / width, best.top / height, best.right / width, best.bottom / height
    shade = "light" if best.light else "dark"
    why = f"a level line of even {shade} strokes, {best.bottom - best.top} of {height} pixels high"
    centre = (box[0] + box[2]) / 2
    corner = box[1] > 1 - RIM and box[2] - box[0] < 0.4 and abs(centre - 0.5) > 0.15
    return [Found("signature" if corner and not best.light else "watermark", box, why)]


def _strength(values: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far thin light strokes are from their ground towards white, 0…1: (H, W, 3) to (H, W).

    A white overlay moves all three channels alike, so the one that moves least counts.
    """
    side = min(values.shape[:2]) // 40 | 1
    ground = _extreme(np.maximum, _extreme(np.minimum, values, side), side)
    least = (values - ground) / np.maximum(255 - ground, DARKEST_GROUND).astype(np.float32)
    strength: NDArray[np.float32] = np.minimum(np.minimum(least[..., 0], least[..., 1]), least[..., 2])
    return strength


def _extreme(which: np.ufunc, values: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The least or greatest of each channel in a square around each pixel, ten times as fast as with scipy."""
    around = np.pad(values, ((side // 2,) * 2, (side // 2,) * 2, (0, 0)), "edge")
    seen = 1  # lines that each line stands for
    while seen < side:
        more = min(seen, side - seen)
        around = which(around[more:], around[:-more])
        around = which(around[:, more:], around[:, :-more])
        seen += more
    return around


def _changes(strokes: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How often stroke and ground change along the rows, above and to the left of each pixel.

    That is (H + 1 + 2 MARGIN, W + 1), for there is a margin of nothing above and below the picture.
    """
    changes = np.pad(strokes[:, 1:] != strokes[:, :-1], ((MARGIN + 1, MARGIN), (2, 0)))
    sums: NDArray[np.float32] = np.cumsum(np.cumsum(changes, axis=1, dtype=np.float32), axis=0)
    return sums


def _line(
    values: NDArray[np.uint8],
    strength: NDArray[np.float32],
    strokes: NDArray[np.bool_],
    changes: NDArray[np.float32],
    letter: int,
    light: bool,
) -> _Line | None:
    """The best piece of a line with letters of that height, if there is room for one."""
    rows, columns = strokes.shape
    beside, length, step = max(letter // 2, 2), LINE * letter, max(letter // 2, 1)
    reach = beside + 1
    if letter > LARGEST_LETTER * min(rows, columns) or length > columns:
        return None
    sums = changes[:, length::step] - changes[:, :-length:step]
    tops = rows - letter + 1

    def density(first: int, lines: int) -> NDArray[np.float32]:
        """Changes on a letter's height, in so many lines, of which the first is so far from a letter's top."""
        begin = MARGIN + first
        band = sums[begin + lines : begin + lines + tops] - sums[begin : begin + tops]
        return np.asarray(band / (lines * LINE), dtype=np.float32)

    belief = density(0, letter) - SILENCE * np.maximum(density(-reach, beside), density(letter + 1, beside))
    centre = (np.arange(tops) + letter / 2) / rows
    belief[(centre < 1 - RIM) & ((centre > RIM) | (not light))] -= OUT_OF_PLACE
    y, place = (int(index) for index in np.unravel_index(belief.argmax(), belief.shape))
    x = place * step
    on = strokes[y : y + letter, x : x + length]
    if not on.any() or on.all():
        return None

    # What is between dark letters looks like light strokes, but is no lighter than what is above and below.
    above, below = values[max(y - reach, 0) : y, x : x + length], values[y + letter :, x : x + length][:reach]
    inside, outside = values[y : y + letter, x : x + length], np.concatenate([above, below])
    height = float(inside[on].mean() - inside[~on].mean())
    lift = float(inside[on].mean() - outside.mean()) / max(height, 1)
    power = strength[y : y + letter, x : x + length][on]
    flat = float(np.median(power) / np.quantile(power, 0.95))
    certain = float(belief[y, place]) + 4 * (min(flat, FLAT[1]) - FLAT[0]) + 3 * min(lift - 0.7, 0)
    return _Line(certain, x, y, x + length, y + letter, light)


def _seals(rgb: NDArray[np.uint8]) -> list[Found]:
    """Small red squares that stand alone on pale ground."""
    from scipy import ndimage

    red, green, blue = (channel.astype(np.int16) for channel in np.moveaxis(rgb, -1, 0))
    other = np.maximum(green, blue)
    mask = (red - other > 28) & (4 * red > 5 * other)
    if not 0 < mask.mean() <= REDDEST:
        return []
    solid = ndimage.binary_closing(np.pad(mask, 3), iterations=2)[3:-3, 3:-3]
    labels, _ = ndimage.label(solid)
    height, width = mask.shape
    least, most = (share * min(height, width) for share in SEALS)
    found, accounted = [], 0
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        down, across = rows.stop - rows.start, columns.stop - columns.start
        if not max(least, 5) <= min(down, across) <= max(down, across) <= most or not 0.6 <= down / across <= 2.2:
            continue
        if (labels[rows, columns] == number).mean() < 0.65:
            continue
        top, left = max(rows.start - 3, 0), max(columns.start - 3, 0)
        near = np.s_[top : rows.stop + 3, left : columns.stop + 3]
        ground = rgb[near][labels[near] == 0].astype(np.int16)
        low, paper, high = np.quantile(ground, (0.15, 0.5, 0.85), axis=0)
        if paper.max() - paper.min() > PALE[1] or paper.max() < PALE[0] or (high - low).max() > UNEVEN:
            continue
        accounted += int(mask[rows, columns].sum())
        box = columns.start / width, rows.start / height, columns.stop / width, rows.stop / height
        found.append(Found("seal", box, f"a red square, {across} by {down} pixels, alone on pale ground"))
    return found if accounted >= ALONE * mask.sum() and len(found) <= MOST_SEALS else []
