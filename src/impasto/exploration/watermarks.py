"""Detect watermarks, signatures and seals, which generated paintings would reproduce.

Text is told from brush strokes by hand-designed features, without a trained detector: a line of letters has many thin
strokes, ends abruptly above and below, and is overlaid with uniform strength. Findings are suspicions; uncertain
ones are dropped.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.errors import require
from impasto.exploration.results import RelativeBox

Kind = Literal["watermark", "signature", "seal"]

MAX_SIDE = 320  # pixels of the shorter side; text that is invisible at this size is harmless
MIN_SIDE = 64
SMOOTH = Image.Resampling.BOX
LETTERS = (5, 6, 8, 11, 15, 20, 27)  # x-heights in pixels
MAX_LETTER = 0.06  # of the shorter side
MARGIN = LETTERS[-1]  # pixels of padding above and below the image
LINE_LENGTH = 8  # length of a line segment in letter heights
MIN_STRENGTHS = (0.2, 0.35)  # of the way to white or black, from which a pixel counts as a stroke
MIN_BACKGROUND = 96  # levels; closer to the overlay's colour, noise would count as strokes
SURROUND_WEIGHT = 1.3  # weight of strokes above and below a line against it
RIM = 0.2  # of the height at both edges, where watermarks are; horizons and fences are further inside
MISPLACEMENT_PENALTY = 1.3  # for lines further inside, and for dark lines at the top, where inscriptions are
UNIFORMITY = (0.7, 0.85)  # range of the ratio of median to maximum stroke strength; below it is paint
MIN_CONFIDENCE = 2.2  # changes between stroke and background per letter height

MAX_RED = 0.02  # of the image; with more red than this, red squares are not seals
SEAL_SIDES = (0.018, 0.12)  # of the shorter side, minimum and maximum
MAX_SEALS = 6
MIN_SEAL_SHARE = 0.5  # of all red pixels that must be in seals
PAPER = (120, 60)  # levels: minimum lightness and maximum chroma of the paper around a seal
MAX_PAPER_RANGE = 90  # levels between light and dark paper

MIN_IMAGES = 8  # images for a significant agreement
MIN_AGREEMENT = 4.0  # times the expected agreement of the gradients of unrelated images


class Found(NamedTuple):
    """A suspected watermark, signature or seal, and what was detected."""

    kind: Kind
    box: RelativeBox
    reason: str


class _TextLine(NamedTuple):
    """A line segment of strokes: confidence that it is text, its box in pixels, and whether it is light."""

    confidence: float
    left: int
    top: int
    right: int
    bottom: int
    light: bool


def find_watermarks(rgb: NDArray[np.uint8]) -> list[Found]:
    """Return overlaid text and red seals of an image.

    Detects horizontal lines of at least about six letters that are lighter than the background, or darker and in the
    lower fifth. A dark line in a lower corner is a signature, any other a watermark. Does not detect logos, vertical or
    slanted text, Chinese inscriptions (part of the painting) and most painters' signatures (too small).

    Args:
        rgb: pixels (H, W, 3), 0…255; reduced to 320 pixels on the shorter side.
    """
    height, width = rgb.shape[:2]
    if min(height, width) < MIN_SIDE:
        return []
    scale = min(MAX_SIDE / min(height, width), 1)
    small = rgb
    if scale < 1:
        small = np.asarray(Image.fromarray(rgb).resize((round(width * scale), round(height * scale)), SMOOTH))
    return _find_text(small) + _find_seals(rgb if scale > 0.5 else small)


def common_watermarks(images: NDArray[np.uint8]) -> list[tuple[RelativeBox, str]]:
    """Return marks that many images have at the same place, such as a website's watermark: boxes and what was detected.

    Gradients of N different images average out to 1/N of their power; those of a common watermark remain (Dekel,
    Rubinstein, Liu & Freeman, *On the effectiveness of visible watermarks*, CVPR 2017).

    Args:
        images: different images, uint8 (N, S, S, 3); fewer than 8 give no result.
    """
    ndimage = require("scipy.ndimage", extra="train")

    count = len(images)
    if count < MIN_IMAGES:
        return []
    size = images.shape[1]
    window = max(size // 16, 5)
    mean, power = np.zeros((2, size, size), np.float32), np.zeros((size, size), np.float32)
    for image in images:
        grey = image.astype(np.float32).mean(axis=-1)
        slopes = np.stack(np.gradient(grey - ndimage.uniform_filter(grey, window)))  # removes the slope of skies
        slopes /= np.hypot(*slopes) + 8  # limits the weight of strong edges of one image
        mean += slopes / count
        power += (slopes**2).sum(axis=0) / count
    expected = ndimage.uniform_filter(power, window) / count
    agreement = ndimage.uniform_filter((mean**2).sum(axis=0), window) / np.maximum(expected, 1e-6)
    typical = float(np.median(agreement))
    deviation = float(np.median(np.abs(agreement - typical)))
    for side in (agreement, agreement.T, agreement[::-1], agreement.T[::-1]):
        side[: window // 2] = 0  # window effects, and thin borders
    labels, _ = ndimage.label(agreement > max(MIN_AGREEMENT * max(typical, 1.0), typical + 8 * deviation))
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if (labels[rows, columns] == number).sum() < window**2 or max(height, width) > 0.9 * size:
            continue  # a speck, or a common border
        times = float(agreement[rows, columns].max())
        box = (columns.start / size, rows.start / size, columns.stop / size, rows.stop / size)
        found.append((box, f"edges at the same place in many images, {times:.0f} times as strong as by chance"))
    return found


def _find_text(rgb: NDArray[np.uint8]) -> list[Found]:
    lines = []
    for light, values in ((True, rgb), (False, 255 - rgb)):
        strength = _overlay_strength(values)
        for faintest in MIN_STRENGTHS:
            strokes = strength > faintest
            changes = _integral_changes(strokes)
            lines += [_best_line(values, strength, strokes, changes, letter, light) for letter in LETTERS]
    best = max((line for line in lines if line), default=None)
    if best is None or best.confidence < MIN_CONFIDENCE:
        return []
    height, width = rgb.shape[:2]
    box = best.left / width, best.top / height, best.right / width, best.bottom / height
    shade = "light" if best.light else "dark"
    reason = f"a horizontal line of uniform {shade} strokes, {best.bottom - best.top} of {height} pixels high"
    centre = (box[0] + box[2]) / 2
    corner = box[1] > 1 - RIM and box[2] - box[0] < 0.4 and abs(centre - 0.5) > 0.15
    return [Found("signature" if corner and not best.light else "watermark", box, reason)]


def _overlay_strength(values: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how far thin light strokes are from the background towards white, 0…1: (H, W, 3) to (H, W).

    A white overlay changes all channels alike, so the minimum over the channels counts.
    """
    side = min(values.shape[:2]) // 40 | 1
    background = _local_extremum(np.maximum, _local_extremum(np.minimum, values, side), side)
    least = (values - background) / np.maximum(255 - background, MIN_BACKGROUND).astype(np.float32)
    strength: NDArray[np.float32] = np.minimum(np.minimum(least[..., 0], least[..., 1]), least[..., 2])
    return strength


def _local_extremum(which: np.ufunc, values: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the minimum or maximum of each channel in a square around each pixel, ten times as fast as scipy."""
    around = np.pad(values, ((side // 2,) * 2, (side // 2,) * 2, (0, 0)), "edge")
    covered = 1  # lines that each line covers
    while covered < side:
        more = min(covered, side - covered)
        around = which(around[more:], around[:-more])
        around = which(around[:, more:], around[:, :-more])
        covered += more
    return around


def _integral_changes(strokes: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the integral image of changes between stroke and background along the rows.

    Its shape is (H + 1 + 2 MARGIN, W + 1), with padding above and below.
    """
    changes = np.pad(strokes[:, 1:] != strokes[:, :-1], ((MARGIN + 1, MARGIN), (2, 0)))
    sums: NDArray[np.float32] = np.cumsum(np.cumsum(changes, axis=1, dtype=np.float32), axis=0)
    return sums


def _best_line(
    values: NDArray[np.uint8],
    strength: NDArray[np.float32],
    strokes: NDArray[np.bool_],
    changes: NDArray[np.float32],
    letter: int,
    light: bool,
) -> _TextLine | None:
    """Return the best line segment with letters of that height, if it fits into the image."""
    rows, columns = strokes.shape
    beside, length, step = max(letter // 2, 2), LINE_LENGTH * letter, max(letter // 2, 1)
    reach = beside + 1
    if letter > MAX_LETTER * min(rows, columns) or length > columns:
        return None
    sums = changes[:, length::step] - changes[:, :-length:step]
    tops = rows - letter + 1

    def density(first: int, lines: int) -> NDArray[np.float32]:
        """Return changes per letter height in ``lines`` rows, starting ``first`` rows below the letter's top."""
        begin = MARGIN + first
        band = sums[begin + lines : begin + lines + tops] - sums[begin : begin + tops]
        return np.asarray(band / (lines * LINE_LENGTH), dtype=np.float32)

    confidence = density(0, letter) - SURROUND_WEIGHT * np.maximum(density(-reach, beside), density(letter + 1, beside))
    centre = (np.arange(tops) + letter / 2) / rows
    confidence[(centre < 1 - RIM) & ((centre > RIM) | (not light))] -= MISPLACEMENT_PENALTY
    y, place = (int(index) for index in np.unravel_index(confidence.argmax(), confidence.shape))
    x = place * step
    on = strokes[y : y + letter, x : x + length]
    if not on.any() or on.all():
        return None

    # Gaps between dark letters look like light strokes, but are not lighter than the surroundings.
    above, below = values[max(y - reach, 0) : y, x : x + length], values[y + letter :, x : x + length][:reach]
    inside, outside = values[y : y + letter, x : x + length], np.concatenate([above, below])
    height = float(inside[on].mean() - inside[~on].mean())
    lift = float(inside[on].mean() - outside.mean()) / max(height, 1)
    power = strength[y : y + letter, x : x + length][on]
    flat = float(np.median(power) / np.quantile(power, 0.95))
    certain = float(confidence[y, place]) + 4 * (min(flat, UNIFORMITY[1]) - UNIFORMITY[0]) + 3 * min(lift - 0.7, 0)
    return _TextLine(certain, x, y, x + length, y + letter, light)


def _find_seals(rgb: NDArray[np.uint8]) -> list[Found]:
    """Return small red squares that are isolated on pale background."""
    ndimage = require("scipy.ndimage", extra="train")

    red, green, blue = (channel.astype(np.int16) for channel in np.moveaxis(rgb, -1, 0))
    other = np.maximum(green, blue)
    mask = (red - other > 28) & (4 * red > 5 * other)
    if not 0 < mask.mean() <= MAX_RED:
        return []
    solid = ndimage.binary_closing(np.pad(mask, 3), iterations=2)[3:-3, 3:-3]
    labels, _ = ndimage.label(solid)
    height, width = mask.shape
    least, most = (share * min(height, width) for share in SEAL_SIDES)
    found, accounted = [], 0
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        down, across = rows.stop - rows.start, columns.stop - columns.start
        if not max(least, 5) <= min(down, across) <= max(down, across) <= most or not 0.6 <= down / across <= 2.2:
            continue
        if (labels[rows, columns] == number).mean() < 0.65:
            continue
        top, left = max(rows.start - 3, 0), max(columns.start - 3, 0)
        near = np.s_[top : rows.stop + 3, left : columns.stop + 3]
        background = rgb[near][labels[near] == 0].astype(np.int16)
        low, paper, high = np.quantile(background, (0.15, 0.5, 0.85), axis=0)
        if paper.max() - paper.min() > PAPER[1] or paper.max() < PAPER[0] or (high - low).max() > MAX_PAPER_RANGE:
            continue
        accounted += int(mask[rows, columns].sum())
        box = columns.start / width, rows.start / height, columns.stop / width, rows.stop / height
        found.append(Found("seal", box, f"a red square, {across} by {down} pixels, isolated on pale background"))
    return found if accounted >= MIN_SEAL_SHARE * mask.sum() and len(found) <= MAX_SEALS else []
