"""Detect borders, mounts and frames around an image.

Photographs of paintings include white margins, silk mounts and frames, often nested. Unlike sky or empty paper, a
border has a uniform colour along the whole side and ends in a sharp straight step along that side. Borders are removed
one by one from the outside by searching each side for such a step; in doubt the image is left uncropped.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.config.types import Floats

WORKING_SIDE = 480  # pixels; borders narrower than 1/240 of the image are ignored
MAX_BORDERS = 8  # nested borders, more than any mount has
MIN_SIDE = 24  # pixels at working size
MIN_AREA = 0.25  # of the image; flat borders, such as letterboxes, may leave less
MAX_DEPTH = 0.48  # of the side that a border may take
SEED_LINES = ((0, 2), (0, 6), (2, 2), (3, 6), (5, 4), (8, 4))  # first and number of lines that give a border's colour
TILTS = sorted(np.linspace(-0.05, 0.05, 11), key=abs)  # slopes of the border's edge, as in photographs of a mount
MIN_CONFIDENCE = 0.68  # fraction of a side along which there is an edge, less penalties
HIGH_CONFIDENCE = 0.96  # confidence at which the search stops
MIN_STEPS = (7.0, 24.0)  # levels of 255: a faint edge, and a strong one with JPEG ringing
FLAT_TOLERANCE = 2.5  # levels of 255 between the lines of a printed or digital border
MAX_SINGLE_DEPTH = 0.08  # of the side; a single deeper border is more likely a sky


class Box(NamedTuple):
    """A rectangle in pixels, right and bottom exclusive, as in Pillow's ``crop``."""

    left: int
    top: int
    right: int
    bottom: int


class _Edge(NamedTuple):
    """The inner edge of a border.

    Attributes:
        depth: of the border, in pixels.
        first: first pixel along the side.
        last: last pixel along the side.
        length: fraction of the side on which the edge was found.
        confidence: fraction of the side with a sharp edge, less penalties.
        is_flat: whether the border is uniform but for noise.
    """

    depth: int
    first: int
    last: int
    length: float
    confidence: float
    is_flat: bool


def find_content_box(rgb: NDArray[np.uint8]) -> Box:
    """Return the box of the image inside all borders, mounts and frames; the whole image if there are none.

    Args:
        rgb: pixels (H, W, 3), 0…255.
    """
    height, width = rgb.shape[:2]
    factor = -(-max(height, width) // WORKING_SIDE)
    small = np.asarray(Image.fromarray(rgb).reduce(factor), dtype=np.float32)
    box = whole = Box(0, 0, small.shape[1], small.shape[0])
    for _ in range(MAX_BORDERS):
        view = small[box.top : box.bottom, box.left : box.right]
        inner = _remove_outer_border(view) or _find_solid_shape(view)
        if inner is None:
            break
        box = Box(box.left + inner.left, box.top + inner.top, box.left + inner.right, box.top + inner.bottom)
    if box == whole:
        return Box(0, 0, width, height)
    return Box(box.left * factor, box.top * factor, min(box.right * factor, width), min(box.bottom * factor, height))


def _remove_outer_border(picture: Floats) -> Box | None:
    """Return the box inside the outermost border, on the sides that have one; None if no side has."""
    height, width = picture.shape[:2]
    if min(height, width) < MIN_SIDE:
        return None
    views = {
        "top": picture,
        "bottom": picture[::-1],
        "left": picture.transpose(1, 0, 2),
        "right": picture[:, ::-1].transpose(1, 0, 2),
    }
    edges = {side: edge for side, view in views.items() if (edge := _find_edge(view))}
    edges = _drop_partial_edges(edges, height, width)
    if len(edges) == 1:
        ((side, edge),) = edges.items()
        if edge.depth > MAX_SINGLE_DEPTH * (height if side in ("top", "bottom") else width) and not edge.is_flat:
            return None
    depth = {side: edges[side].depth if side in edges else 0 for side in views}
    box = Box(depth["left"], depth["top"], width - depth["right"], height - depth["bottom"])
    area = (box.right - box.left) * (box.bottom - box.top)
    if not edges or min(box.right - box.left, box.bottom - box.top) < MIN_SIDE:
        return None
    if area < MIN_AREA * height * width and not all(edge.is_flat for edge in edges.values()):
        return None
    return box


def _drop_partial_edges(edges: dict[str, _Edge], height: int, width: int) -> dict[str, _Edge]:
    """Drop edges that do not run along their whole side, apart from the corners that other borders cover."""
    edges = dict(edges)
    while True:
        depth = {side: edge.depth for side, edge in edges.items()}
        for side, edge in edges.items():
            along, ends = (width, ("left", "right")) if side in ("top", "bottom") else (height, ("top", "bottom"))
            before = max(edge.first - depth.get(ends[0], 0), 0)
            after = max(along - 1 - edge.last - depth.get(ends[1], 0), 0)
            if before + after > along / 4:
                del edges[side]
                break
        else:
            return edges


def _find_edge(view: Floats) -> _Edge | None:
    """Return the edge of the border at the top of ``view``, if there is one with enough confidence."""
    found: list[_Edge] = []
    rim = _blur_along(view[: max(start + lines for start, lines in SEED_LINES)])
    blurred: Floats | None = None
    for start, lines in SEED_LINES:
        seed = rim[start : start + lines]
        colour = np.median(seed, axis=0)
        noise = float(np.percentile(_channel_distance(seed - colour), 90))
        if noise > 20:
            continue
        parabola = _fit_parabola(colour)
        if (_channel_distance(colour - parabola) <= max(12, 1.5 * noise)).mean() < 0.85:
            continue
        if blurred is None:  # computed late: most images without a border return before
            blurred = _blur_along(view[: int(view.shape[0] * MAX_DEPTH) + 8])
            sums = np.pad(np.cumsum(blurred, axis=0), ((1, 0), (0, 0), (0, 0)))
        for least in MIN_STEPS:
            found += _straight_steps(view, blurred, sums, parabola, max(noise, least / 2), start, start + lines - 1)
            if any(edge.confidence > HIGH_CONFIDENCE for edge in found):
                return _outermost(found)
    return _outermost(found)


def _outermost(edges: list[_Edge]) -> _Edge | None:
    """Return the outermost of the edges that are about as long as the longest."""
    length = max((edge.length for edge in edges), default=0.0)
    return min((edge for edge in edges if edge.length > length - 0.03), key=lambda edge: edge.depth, default=None)


def _straight_steps(
    view: Floats, blurred: Floats, sums: Floats, parabola: Floats, noise: float, start: int, first: int
) -> list[_Edge]:
    """Return straight steps, at most one per tilt, that end a border starting at line ``start``.

    ``sums`` are cumulative sums of the lines of ``blurred``; a border does not end before line ``first``.
    """
    length, width = blurred.shape[:2]
    tolerance = 2 * noise
    line = np.arange(first, length - 1)
    low, high = np.maximum(start, line - 10), np.maximum(line - 2, start) + 1
    before = (sums[high] - sums[low]) / (high - low)[:, None, None]
    differs = _channel_distance((sums[line + 2] - sums[line]) / 2 - before) > tolerance
    if len(differs) < 4:
        return []
    lasting = differs[:-1] & differs[1:]
    columns = np.flatnonzero(lasting.any(axis=0))
    if len(columns) < 0.3 * width:
        return []
    ends = lasting.argmax(axis=0)[columns] + first  # where the border ends in each column
    outside, inside = blurred[np.maximum(ends - 2, 0), columns], blurred[np.minimum(ends + 2, length - 1), columns]
    sharp = _channel_distance(outside - inside) > 0.8 * tolerance

    edges = []
    for tilt in TILTS:
        if tilt and abs(tilt) * width < 1.5:
            continue
        level = ends - tilt * columns
        lowest = np.floor(level.min())
        bins = (level - lowest).astype(int)
        thickness = 4 if tilt else 3
        base = int(np.convolve(np.bincount(bins, minlength=thickness), np.ones(thickness), "valid").argmax())
        on = (bins >= base) & (bins < base + thickness)
        along = columns[on]
        a, b = (int(along[round(share * (len(along) - 1))]) for share in (0.01, 0.99))
        if b - a + 1 < 0.3 * width:
            continue
        deepest = np.sort(ends[on])
        depth = int(deepest[-1 if tilt else int(0.95 * (len(deepest) - 1))]) + 1
        if not 1 <= depth <= MAX_DEPTH * view.shape[0]:
            continue
        straight = (on & (columns >= a) & (columns <= b)).sum() / (b - a + 1)
        early = (bins < base).sum() / width
        confidence = float(straight * sharp[on].mean() - 1.5 * early - abs(tilt))
        inner = max(int(lowest + base + min(tilt * a, tilt * b)) - 1, start + 1)
        if confidence >= MIN_CONFIDENCE and _is_even(
            blurred[start:inner, a : b + 1] - parabola[a : b + 1], max(14, 2 * noise)
        ):
            edges.append(
                _Edge(depth, a, b, float(on.sum() / width), confidence, _is_flat(view[start:inner, a : b + 1]))
            )
    return edges


def _find_solid_shape(picture: Floats) -> Box | None:
    """Return the box of a solid shape, such as a fan, on a uniform background that fills all four corners."""
    height, width = picture.shape[:2]
    if min(height, width) < 2 * MIN_SIDE:
        return None
    n = max(min(height, width) // 16, 3)
    corners = [picture[y, x].reshape(-1, 3) for y in (slice(n), slice(-n, None)) for x in (slice(n), slice(-n, None))]
    background = np.median(np.concatenate(corners), axis=0)
    away = [_channel_distance(corner - background) for corner in corners]
    tolerance = max(12.0, 1.5 * float(np.percentile(np.concatenate(away), 90)))
    if tolerance > 45 or any((each <= tolerance).mean() < 0.85 for each in away):
        return None
    mask = _channel_distance(picture - background) <= tolerance
    # Averaging four pixels removes specks.
    mask = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).reduce(2)) > 127
    reachable = np.zeros_like(mask)  # background that is reached from a side without crossing the shape
    for axis in (0, 1):
        reachable |= np.logical_and.accumulate(mask, axis=axis)
        reachable |= np.flip(np.logical_and.accumulate(np.flip(mask, axis), axis=axis), axis)
    solid = ~reachable
    rows = np.flatnonzero(solid.mean(axis=1) > 0.012)
    cols = np.flatnonzero(solid.mean(axis=0) > 0.012)
    if not len(rows) or not len(cols):
        return None
    shape = solid[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    if shape.mean() < 0.5 or shape.size < MIN_AREA * solid.size:
        return None
    if min(_outline_smoothness(shape), _outline_smoothness(shape[::-1])) < 0.9:
        return None
    box = Box(  # with a margin: the tips of a shape are thinner than the rows that were counted
        max(int(cols[0]) * 2 - 2, 0),
        max(int(rows[0]) * 2 - 2, 0),
        min(int(cols[-1]) * 2 + 4, width),
        min(int(rows[-1]) * 2 + 4, height),
    )
    return None if box == Box(0, 0, width, height) else box


def _outline_smoothness(shape: NDArray[np.bool_]) -> float:
    """Return the fraction of a shape's upper outline that is smooth, 0…1."""
    outline = shape.argmax(axis=0)[shape.any(axis=0)]
    if len(outline) < 9:
        return 0.0
    return float((np.abs(outline[6:] - 2 * outline[3:-3] + outline[:-6]) <= 2).mean())


def _channel_distance(difference: NDArray[Any]) -> NDArray[Any]:
    """Return the largest absolute value of three channels, (..., 3) to (...); three times as fast as ``max``."""
    red, green, blue = (np.abs(difference[..., channel]) for channel in range(3))
    largest: NDArray[Any] = np.maximum(np.maximum(red, green), blue)
    return largest


def _is_even(deviation: NDArray[np.floating], tolerance: float) -> bool:
    return bool((_channel_distance(deviation) <= tolerance).mean() >= 0.9)


def _is_flat(band: Floats) -> bool:
    """Whether a border is uniform but for noise, both across its lines and along the side.

    Skies are not: they grow lighter towards the horizon or have clouds.
    """
    lines = band.mean(axis=1)
    parts = np.stack([part.mean(axis=(0, 1)) for part in np.array_split(band, 12, axis=1)])
    return all(_is_even(means[None] - np.median(means, axis=0), FLAT_TOLERANCE) for means in (lines, parts))


def _blur_along(view: Floats) -> Floats:
    """Box-blur along the side (1/60 of it), which smooths texture and keeps edges along the side sharp."""
    n = max(view.shape[1] // 60, 1) | 1
    padded = np.pad(view, ((0, 0), (n // 2 + 1, n // 2), (0, 0)), "edge")
    padded[:, 0] = 0
    sums = np.cumsum(padded, axis=1)
    return (sums[:, n:] - sums[:, :-n]) / np.float32(n)


def _fit_parabola(colour: Floats) -> Floats:
    """Fit a parabola robustly to the colours along a side, to model uneven lighting."""
    spare = len(colour) % 12  # pixels that are left out at the ends
    even = colour[spare // 2 : len(colour) - spare + spare // 2]
    bins = np.median(even.reshape(12, -1, 3), axis=1)
    centres = np.linspace(-11 / 12, 11 / 12, 12)
    weight = np.ones(12)
    powers: NDArray[Any] = np.vander(centres, 3)
    for _ in range(2):
        curve = np.linalg.lstsq(powers * weight[:, None], bins * weight[:, None], rcond=None)[0]
        weight = 1 / (1 + (_channel_distance(bins - powers @ curve) / 6) ** 2)
    place = (np.arange(len(colour)) + 0.5) / len(colour) * 2 - 1
    return np.asarray(np.vander(place, 3) @ curve, dtype=np.float32)
