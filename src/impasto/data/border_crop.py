"""Where the picture is inside its borders, mounts and frames.

People's pictures of paintings come with paper around them: a white letterbox, a silk mount, a black line, often
one inside the other. A border differs from a sky or from empty paper in two ways: it is even along the whole side,
and it ends everywhere along that side at once, in a sharp straight step. So the borders are peeled one by one,
from outside, by looking at each side for such a step; where there is any doubt the picture is left whole.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.config.types import Floats

WORKING_SIDE = 480  # pixels: borders narrower than a 240th of the picture do no harm to what is learned
LAYERS = 8  # more borders inside one another than any mount has
SMALLEST = 24  # pixels at working size: less is no picture
LEAST_AREA = 0.25  # of the picture, which may only be undercut by dead even borders, such as a letterbox
DEEPEST = 0.48  # of the side: how much of it a border may take
SEEDS = ((0, 2), (0, 6), (2, 2), (3, 6), (5, 4), (8, 4))  # first line and number of those that tell its colour
TILTS = sorted(np.linspace(-0.05, 0.05, 11), key=abs)  # slopes of a border's edge, as in photographs of a mount
BELIEF = 0.68  # the share of a side along which there must be an edge, less what speaks against it
CERTAIN = 0.96  # of that belief: no need to look further
LEAST_STEPS = (7.0, 24.0)  # levels of 255: a faint edge; a strong one, which JPEG surrounds with ripples
DEAD = 2.5  # levels of 255 by which the lines of a printed or digital border may differ
LONE = 0.08  # of the side: a single border deeper than this is rather a sky above a horizon


class Box(NamedTuple):
    """A rectangle of pixels, its right and bottom outside of it, as Pillow's ``crop`` takes it."""

    left: int
    top: int
    right: int
    bottom: int


class _Edge(NamedTuple):
    """Where a border ends: its depth, from where to where it runs along the side, and on how much of it."""

    depth: int
    first: int
    last: int
    length: float
    belief: float
    dead_even: bool


def find_frame(rgb: NDArray[np.uint8]) -> Box:
    """The picture inside uniform borders, mounts and frames, however many; the whole where there is none.

    Args:
        rgb: pixels, (H, W, 3), 0…255.
    """
    height, width = rgb.shape[:2]
    factor = -(-max(height, width) // WORKING_SIDE)
    small = np.asarray(Image.fromarray(rgb).reduce(factor), dtype=np.float32)
    box = whole = Box(0, 0, small.shape[1], small.shape[0])
    for _ in range(LAYERS):
        view = small[box.top : box.bottom, box.left : box.right]
        inner = _peel(view) or _cut_out(view)
        if inner is None:
            break
        box = Box(box.left + inner.left, box.top + inner.top, box.left + inner.right, box.top + inner.bottom)
    if box == whole:
        return Box(0, 0, width, height)
    return Box(box.left * factor, box.top * factor, min(box.right * factor, width), min(box.bottom * factor, height))


def _peel(picture: Floats) -> Box | None:
    """The picture without its outermost border, on whichever sides it has one."""
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST:
        return None
    views = {
        "top": picture,
        "bottom": picture[::-1],
        "left": picture.transpose(1, 0, 2),
        "right": picture[:, ::-1].transpose(1, 0, 2),
    }
    edges = {side: edge for side, view in views.items() if (edge := _edge(view))}
    edges = _consistent(edges, height, width)
    if len(edges) == 1:
        ((side, edge),) = edges.items()
        if edge.depth > LONE * (height if side in ("top", "bottom") else width) and not edge.dead_even:
            return None
    depth = {side: edges[side].depth if side in edges else 0 for side in views}
    box = Box(depth["left"], depth["top"], width - depth["right"], height - depth["bottom"])
    area = (box.right - box.left) * (box.bottom - box.top)
    if not edges or min(box.right - box.left, box.bottom - box.top) < SMALLEST:
        return None
    if area < LEAST_AREA * height * width and not all(edge.dead_even for edge in edges.values()):
        return None
    return box


def _consistent(edges: dict[str, _Edge], height: int, width: int) -> dict[str, _Edge]:
    """Drop edges that do not run along their whole side, save for the corners that other borders take."""
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


def _edge(view: Floats) -> _Edge | None:
    """The end of the border at the top of ``view``, if there surely is one."""
    found: list[_Edge] = []
    rim = _blur_along(view[: max(start + lines for start, lines in SEEDS)])
    blurred: Floats | None = None
    for start, lines in SEEDS:
        seed = rim[start : start + lines]
        colour = np.median(seed, axis=0)
        noise = float(np.percentile(_apart(seed - colour), 90))
        if noise > 20:
            continue
        trend = _trend(colour)
        if (_apart(colour - trend) <= max(12, 1.5 * noise)).mean() < 0.85:
            continue
        if blurred is None:  # which most pictures without a border never come to
            blurred = _blur_along(view[: int(view.shape[0] * DEEPEST) + 8])
            sums = np.pad(np.cumsum(blurred, axis=0), ((1, 0), (0, 0), (0, 0)))
        for least in LEAST_STEPS:
            found += _steps(view, blurred, sums, trend, max(noise, least / 2), start, start + lines - 1)
            if any(edge.belief > CERTAIN for edge in found):
                return _longest(found)
    return _longest(found)


def _longest(edges: list[_Edge]) -> _Edge | None:
    """The outermost of the edges that run along about as much of the side as any."""
    length = max((edge.length for edge in edges), default=0.0)
    return min((edge for edge in edges if edge.length > length - 0.03), key=lambda edge: edge.depth, default=None)


def _steps(
    view: Floats, blurred: Floats, sums: Floats, trend: Floats, noise: float, start: int, first: int
) -> list[_Edge]:
    """Straight steps, one for each tilt, that end a border which begins with line ``start``.

    ``sums`` are those of the lines of ``blurred`` above each; no border ends before line ``first``.
    """
    length, width = blurred.shape[:2]
    tolerance = 2 * noise
    line = np.arange(first, length - 1)
    low, high = np.maximum(start, line - 10), np.maximum(line - 2, start) + 1
    before = (sums[high] - sums[low]) / (high - low)[:, None, None]
    differs = _apart((sums[line + 2] - sums[line]) / 2 - before) > tolerance
    if len(differs) < 4:
        return []
    lasting = differs[:-1] & differs[1:]
    columns = np.flatnonzero(lasting.any(axis=0))
    if len(columns) < 0.3 * width:
        return []
    ends = lasting.argmax(axis=0)[columns] + first  # where the border ends in each column
    outside, inside = blurred[np.maximum(ends - 2, 0), columns], blurred[np.minimum(ends + 2, length - 1), columns]
    sharp = _apart(outside - inside) > 0.8 * tolerance

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
        if not 1 <= depth <= DEEPEST * view.shape[0]:
            continue
        straight = (on & (columns >= a) & (columns <= b)).sum() / (b - a + 1)
        early = (bins < base).sum() / width
        belief = float(straight * sharp[on].mean() - 1.5 * early - abs(tilt))
        inner = max(int(lowest + base + min(tilt * a, tilt * b)) - 1, start + 1)
        if belief >= BELIEF and _is_even(blurred[start:inner, a : b + 1] - trend[a : b + 1], max(14, 2 * noise)):
            edges.append(
                _Edge(depth, a, b, float(on.sum() / width), belief, _is_dead_even(view[start:inner, a : b + 1]))
            )
    return edges


def _cut_out(picture: Floats) -> Box | None:
    """The box of a solid shape, such as a fan, that lies on an even ground seen in all four corners."""
    height, width = picture.shape[:2]
    if min(height, width) < 2 * SMALLEST:
        return None
    n = max(min(height, width) // 16, 3)
    corners = [picture[y, x].reshape(-1, 3) for y in (slice(n), slice(-n, None)) for x in (slice(n), slice(-n, None))]
    ground = np.median(np.concatenate(corners), axis=0)
    away = [_apart(corner - ground) for corner in corners]
    tolerance = max(12.0, 1.5 * float(np.percentile(np.concatenate(away), 90)))
    if tolerance > 45 or any((each <= tolerance).mean() < 0.85 for each in away):
        return None
    mask = _apart(picture - ground) <= tolerance
    mask = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).reduce(2)) > 127  # a vote of four against specks
    seen = np.zeros_like(mask)  # ground that is in sight from one of the sides
    for axis in (0, 1):
        seen |= np.logical_and.accumulate(mask, axis=axis)
        seen |= np.flip(np.logical_and.accumulate(np.flip(mask, axis), axis=axis), axis)
    solid = ~seen
    rows = np.flatnonzero(solid.mean(axis=1) > 0.012)
    cols = np.flatnonzero(solid.mean(axis=0) > 0.012)
    if not len(rows) or not len(cols):
        return None
    shape = solid[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    if shape.mean() < 0.5 or shape.size < LEAST_AREA * solid.size:
        return None
    if min(_smoothness(shape), _smoothness(shape[::-1])) < 0.9:
        return None
    box = Box(  # with a little ground around it, for a shape's tips are thinner than what was counted
        max(int(cols[0]) * 2 - 2, 0),
        max(int(rows[0]) * 2 - 2, 0),
        min(int(cols[-1]) * 2 + 4, width),
        min(int(rows[-1]) * 2 + 4, height),
    )
    return None if box == Box(0, 0, width, height) else box


def _smoothness(shape: NDArray[np.bool_]) -> float:
    """How much of a shape's upper outline is a smooth line, 0…1."""
    outline = shape.argmax(axis=0)[shape.any(axis=0)]
    if len(outline) < 9:
        return 0.0
    return float((np.abs(outline[6:] - 2 * outline[3:-3] + outline[:-6]) <= 2).mean())


def _apart(difference: NDArray[Any]) -> NDArray[Any]:
    """The largest of the three channels' differences, (..., 3) to (...); numpy's own ``max`` takes thrice as long."""
    red, green, blue = (np.abs(difference[..., channel]) for channel in range(3))
    largest: NDArray[Any] = np.maximum(np.maximum(red, green), blue)
    return largest


def _is_even(deviation: NDArray[np.floating], tolerance: float) -> bool:
    return bool((_apart(deviation) <= tolerance).mean() >= 0.9)


def _is_dead_even(band: Floats) -> bool:
    """Whether neither the lines of a border nor its parts along the side differ in colour, noise aside.

    No sky passes: each grows lighter towards the horizon, or has its clouds.
    """
    lines = band.mean(axis=1)
    parts = np.stack([part.mean(axis=(0, 1)) for part in np.array_split(band, 12, axis=1)])
    return all(_is_even(means[None] - np.median(means, axis=0), DEAD) for means in (lines, parts))


def _blur_along(view: Floats) -> Floats:
    """Average over a sixtieth of the side: it calms texture, and leaves an edge along the side sharp."""
    n = max(view.shape[1] // 60, 1) | 1
    padded = np.pad(view, ((0, 0), (n // 2 + 1, n // 2), (0, 0)), "edge")
    padded[:, 0] = 0
    sums = np.cumsum(padded, axis=1)
    return (sums[:, n:] - sums[:, :-n]) / np.float32(n)


def _trend(colour: Floats) -> Floats:
    """A parabola through the colours along a side, as uneven light bends them; what sticks out counts little."""
    spare = len(colour) % 12  # pixels, of which each end is spared some
    even = colour[spare // 2 : len(colour) - spare + spare // 2]
    bins = np.median(even.reshape(12, -1, 3), axis=1)
    centres = np.linspace(-11 / 12, 11 / 12, 12)
    weight = np.ones(12)
    powers: NDArray[Any] = np.vander(centres, 3)
    for _ in range(2):
        curve = np.linalg.lstsq(powers * weight[:, None], bins * weight[:, None], rcond=None)[0]
        weight = 1 / (1 + (_apart(bins - powers @ curve) / 6) ** 2)
    place = (np.arange(len(colour)) + 0.5) / len(colour) * 2 - 1
    return np.asarray(np.vander(place, 3) @ curve, dtype=np.float32)
