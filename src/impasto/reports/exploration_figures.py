"""The plots of an exploration, each drawn once for each theme; paintings are solid, photos dashed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from impasto.config.types import Pixels, Values
from impasto.exploration.results import Colour, Domain, ImageStatistics
from impasto.reports.curves import smooth
from impasto.reports.figure_style import Theme, add_legend, new_figure, set_ticks, style_axes

Coloured = tuple[Pixels, Sequence[Colour]]

WIDTH, DPI = 10.5, 120
"""Of every figure, in inches, and pixels to the inch."""

FEW = 20
"""So few pictures make no distribution: each is shown as a mark of its own."""

BINS = 40
"""Most bars of a distribution."""

ENDS = 8
"""Levels at either end of a histogram in which pixels pile up that were cut off there."""

SHAPES = ((1, 3), (1, 2), (2, 3), (1, 1), (3, 2), (2, 1), (3, 1))
"""Ratios of width to height that a person can imagine."""

CELLS = 360
"""Most rows of a similarity matrix that are drawn: a screen shows no more, and neighbours are alike anyway."""

MEASURES = {
    "brightness": ("Brightness", "mean lightness L*, 0 black to 100 white"),
    "contrast": ("Contrast", "spread of the lightness within a picture, in levels of L*"),
    "colourfulness": ("Colourfulness", "0 grey, about 30 moderate, 60 lively"),
    "sharpness": ("Sharpness", "strength of the finest detail, in levels of L*"),
}
"""The numbers of a picture by their names: a heading, and what the axis counts."""


@dataclass(frozen=True)
class Pen:
    """How a domain is drawn, so that it can be told from the other without its colour."""

    place: int  #: among the colours of the theme
    dash: Any
    marker: str


PENS = {"paintings": Pen(0, "-", "o"), "photos": Pen(1, (0, (4, 1.6)), "^")}


def sizes_differ(domains: Sequence[Domain]) -> bool:
    """Whether the pictures have more than one size, so that :func:`sizes` shows anything."""
    return len({(each.width, each.height) for domain in domains for each in domain.inventory.pictures}) > 1


def sizes(domains: Sequence[Domain], size: int, theme: Theme) -> Figure:
    """True sizes as points, width by height, and shapes as a distribution of their ratios; ``size`` is drawn as the
    border below which a picture is enlarged."""
    figure = _figure(3.6, theme)
    places, shapes = figure.subplots(1, 2, width_ratios=(1, 1.15))
    ratios = []
    for domain in domains:
        pen, colour = PENS[domain.role], theme.lines[PENS[domain.role].place]
        counted = Counter((each.width, each.height) for each in domain.inventory.pictures).most_common(3000)
        if not counted:
            continue
        extents = np.array([extent for extent, _ in counted], float)
        many = np.array([count for _, count in counted])
        marker_size = 14 + 60 * np.sqrt(many / many.max()) * (many.max() > 3)
        places.scatter(
            *extents.T, marker_size, marker=pen.marker, facecolors=colour + "55", edgecolors=colour, linewidths=0.9,
        )  # fmt: skip
        ratios.append((domain, np.log2(np.repeat(extents[:, 0] / extents[:, 1], many))))
    places.set(xscale="log", yscale="log")
    low = min(size, *(min(axes) for axes in (places.get_xlim(), places.get_ylim()))) * 0.9
    high = max(size, *(max(axes) for axes in (places.get_xlim(), places.get_ylim()))) * 1.1
    places.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    places.plot([low, high], [low, high], color=theme.faint, lw=0.8, ls=":", zorder=0)
    places.plot([size, size, high], [high, size, size], color=theme.ink, lw=0.9, ls="--", alpha=0.7, zorder=0)
    places.annotate(
        f"{size} px", (high, size), (-3, 2), textcoords="offset points", ha="right", va="bottom", fontsize=8,
        color=theme.ink,
    )  # fmt: skip
    ticks = [2**power for power in range(4, 18) if low <= 2**power <= high]
    for axis in (places.xaxis, places.yaxis):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:,.0f}"))
    _style(places, "True sizes", "width, pixels", "height, pixels", theme)
    _distributions(shapes, ratios, theme, extent=_shape_extent([values for _, values in ratios]))
    left, right = shapes.get_xlim()
    shown = {f"{wide}:{high}": np.log2(wide / high) for wide, high in SHAPES if left <= np.log2(wide / high) <= right}
    shapes.xaxis.set_major_locator(FixedLocator([float(place) for place in shown.values()]))
    shapes.set_xticklabels(list(shown))
    _style(shapes, "Shapes", "width : height", _share_label(domains), theme, ticks=False)
    _legend(shapes, domains, theme, marks=True)
    return figure


def histograms(domains: Sequence[Domain], theme: Theme) -> Figure:
    """The shares of the pixels by level, a panel for each of red, green and blue."""
    figure = _figure(3.1, theme)
    grid = figure.subplots(1, 3, sharey=True)
    top = 0.0
    for channel, (axes, name) in enumerate(zip(grid, ("Red", "Green", "Blue"), strict=True)):
        for domain in domains:
            shares = 100 * np.asarray(domain.histogram[channel], float)
            pen, colour = PENS[domain.role], theme.lines[PENS[domain.role].place]
            smoothed = smooth(shares)
            axes.plot(shares, color=colour, lw=0.6, alpha=0.35)
            axes.plot(smoothed, color=colour, lw=1.8, ls=pen.dash)
            if domain is domains[0]:
                axes.fill_between(np.arange(len(smoothed)), smoothed, color=colour, alpha=0.12, lw=0)
            top = max(top, float(smoothed[ENDS:-ENDS].max()))
        axes.set_xlim(0, 255)
        _style(axes, name, "level, 0 none to 255 full", "% of the pixels" if channel == 0 else "", theme)
        axes.xaxis.set_major_locator(FixedLocator([0, 64, 128, 192, 255]))
    grid[0].set_ylim(0, 1.25 * top or 1)  # black and white may tower over all else: they run out at the top
    _legend(grid[-1], domains, theme)
    return figure


def measures(domains: Sequence[Domain], theme: Theme) -> Figure:
    """How brightness, contrast, colourfulness and sharpness lie over the pictures of each domain."""
    figure = _figure(5.8, theme, between=0.09)
    grid = figure.subplots(2, 2)
    for axes, (name, (title, unit)) in zip(grid.flat, MEASURES.items(), strict=True):
        _distributions(axes, [(domain, _column(domain.looks, name)) for domain in domains], theme)
        _style(axes, title, unit, _share_label(domains), theme)
    _legend(grid[0, 1], domains, theme, marks=True)
    return figure


def spectrum(domains: Sequence[Domain], size: int, theme: Theme) -> Figure:
    """Mean power by spatial frequency, and below it what photos have more or less of than paintings."""
    pair = len(domains) > 1 and len(domains[0].spectrum) == len(domains[1].spectrum)
    figure = _figure(4.8 if pair else 3.2, theme, between=0.06)
    grid = figure.subplots(1 + pair, 1, sharex=True, squeeze=False, height_ratios=(2, 1.1) if pair else (1,))[:, 0]
    for domain in domains:
        pen = PENS[domain.role]
        power = np.asarray(domain.spectrum, float)
        grid[0].plot(_frequencies(power, size), power, color=theme.lines[pen.place], lw=1.8, ls=pen.dash)
    _style(grid[0], "How much detail of each size", "", "power, dB", theme)
    if pair:
        difference = np.asarray(domains[1].spectrum, float) - np.asarray(domains[0].spectrum, float)
        frequencies = _frequencies(difference, size)
        colour = theme.lines[2]
        grid[1].axhline(0, color=theme.ink, lw=0.8)
        grid[1].fill_between(frequencies, difference, color=colour, alpha=0.2, lw=0)
        grid[1].plot(frequencies, difference, color=colour, lw=1.6)
        _mark_widest(grid[1], frequencies, difference, theme)
        title = f"{domains[1].role.capitalize()} minus {domains[0].role}"
        _style(grid[1], title, "", "dB", theme)
        margin = 0.35 * (np.ptp([0, *difference]) or 1)
        grid[1].set_ylim(min(0, difference.min()) - margin, max(0, difference.max()) + margin)
    last = grid[-1]
    last.set_xscale("log", base=2)
    last.set_xlim(1, size / 2)
    last.xaxis.set_major_locator(FixedLocator([2**power for power in range(12) if 2**power <= size / 2]))
    last.xaxis.set_minor_locator(NullLocator())
    last.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    last.set_xlabel(
        "waves across a picture: large shapes on the left, the finest detail on the right", fontsize=9, color=theme.ink
    )
    _legend(grid[0], domains, theme)
    return figure


def palettes(
    domains: Sequence[Domain], thumbs: Mapping[str, Sequence[tuple[Pixels, Sequence[Colour]]]], theme: Theme
) -> Figure:
    """The colours of each domain as a bar with their names, and below it single pictures, each with its own.

    Args:
        thumbs: by role, squares (S, S, 3) of one size with their palettes.
    """
    figure = _figure(2.3 * len(domains), theme, between=0.05)
    rows = figure.subplots(2 * len(domains), 1, squeeze=False, height_ratios=(1, 3.1) * len(domains))[:, 0]
    for domain, bar, pictures in zip(domains, rows[::2], rows[1::2], strict=True):
        _bar(bar, domain, theme)
        pictures.set_axis_off()
        shown = thumbs.get(domain.role, ())
        if shown:
            pictures.imshow(swatched(shown), interpolation="lanczos", aspect="equal")
    return figure


def swatched(pictures: Sequence[Coloured], columns: int = 12) -> Pixels:
    """One row of squares (S, S, 3), each over a strip of its colours: (H, W, 4), see-through between them."""
    side = len(pictures[0][0])
    gap, strip = side // 10, side // 5
    row = np.zeros((side + 3 + strip, columns * (side + gap) - gap, 4), np.uint8)
    for place, (picture, palette) in enumerate(pictures[:columns]):
        left = place * (side + gap)
        row[:side, left : left + side, :3] = picture
        row[:side, left : left + side, 3] = 255
        whole = sum(colour.share for colour in palette) or 1
        edges = np.cumsum([0, *(colour.share / whole for colour in palette)]) * side
        for colour, start, end in zip(palette, edges, edges[1:], strict=False):
            place_in_row = slice(left + round(start), left + round(end))
            row[side + 3 :, place_in_row] = (*bytes.fromhex(colour.hex.removeprefix("#")), 255)
    return row


def similarity(matrices: Sequence[tuple[str, NDArray[np.float32], tuple[float, float]]], theme: Theme) -> Figure:
    """Matrices side by side, each (N, N) with its title and the lowest and highest similarity of its scale."""
    figure = _figure(4.9 if len(matrices) > 1 else 5.2, theme)
    grid = figure.subplots(1, max(2, len(matrices)), squeeze=False)[0]
    for axes in grid[len(matrices) :]:
        axes.set_axis_off()
    for axes, (title, matrix, (low, high)) in zip(grid, matrices, strict=False):
        shown = axes.imshow(matrix, cmap="viridis", vmin=low, vmax=high, interpolation="nearest", aspect="equal")
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=theme.ink, pad=8, parse_math=False)
        axes.set(xticks=[], yticks=[])
        axes.set_xlabel("every picture …", fontsize=9, color=theme.ink)
        axes.set_ylabel("… with every picture", fontsize=9, color=theme.ink)
        axes.spines[:].set_color(theme.faint)
        bar = figure.colorbar(shown, ax=axes, shrink=0.7, aspect=24, pad=0.04)
        bar.outline.set_edgecolor(theme.faint)
        bar.ax.tick_params(colors=theme.ink, labelsize=8, length=2)
        bar.ax.yaxis.set_major_locator(MaxNLocator(5))
        bar.ax.set_title("alike", fontsize=8, color=theme.ink, pad=5)
        bar.ax.set_xlabel("unlike", fontsize=8, color=theme.ink, labelpad=5)
    return figure


def condensed(matrix: NDArray[np.float32], cells: int = CELLS) -> NDArray[np.float32]:
    """A matrix (N, N) with at most ``cells`` rows and columns, each the mean of neighbours."""
    count = len(matrix)
    if count <= cells:
        return matrix
    starts = np.arange(cells) * count // cells
    many = np.diff(starts, append=count).astype(np.float32)
    rows = np.add.reduceat(matrix, starts, axis=0) / many[:, None]
    return np.asarray(np.add.reduceat(rows, starts, axis=1) / many, np.float32)


def scale(matrices: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """One scale for matrices that are to be compared: all but the extremes of what two different pictures share."""
    values = np.concatenate([matrix[~np.eye(len(matrix), dtype=bool)] for matrix in matrices if len(matrix) > 1])
    low, high = np.quantile(values[:: len(values) // 200_000 + 1], (0.01, 0.99))
    middle, half = (low + high) / 2, max((high - low) / 2, 0.05)  # else noise would be blown up to look like groups
    return float(middle - half), float(middle + half)


def _bar(axes: Axes, domain: Domain, theme: Theme) -> None:
    """The domain's palette as one bar, each colour as wide as its share, with its name where there is room."""
    start, whole = 0.0, sum(colour.share for colour in domain.palette) or 1
    for colour in domain.palette:
        width = colour.share / whole
        axes.barh(0, width, 1, start, color=colour.hex, lw=0)
        if width > 0.055:
            axes.annotate(
                f"{colour.hex}\n{100 * width:.0f} %", (start + width / 2, -0.5), (0, -3), textcoords="offset points",
                ha="center", va="top", fontsize=8, color=theme.ink, linespacing=1.2,
            )  # fmt: skip
        start += width
    axes.set(xlim=(0, 1), ylim=(-0.5, 0.5))
    axes.set_axis_off()
    axes.set_title(f"The {domain.role}", loc="left", fontsize=11, fontweight="bold", color=theme.ink, pad=6)


def _distributions(
    axes: Axes, columns: Sequence[tuple[Domain, Values]], theme: Theme, extent: tuple[float, float] | None = None
) -> None:
    """Distributions of values, one a domain, over the same bars, with a mark at each median; of few values one mark
    each."""
    columns = [(domain, values) for domain, values in columns if len(values)]
    if not columns:
        return
    low, high = extent or _extent([values for _, values in columns])
    fewest = min((len(values) for _, values in columns if len(values) > FEW), default=0)
    bins = np.linspace(low, high, int(np.clip(1.3 * fewest**0.5, 8, BINS)) + 1)
    for row, (domain, values) in enumerate(columns):
        pen = PENS[domain.role]
        colour, held = theme.lines[pen.place], np.clip(values, low, high)
        if len(values) > FEW:
            shares = 100 * np.histogram(held, bins)[0] / len(held)
            axes.stairs(shares, bins, color=colour, alpha=0.14, fill=True)
            axes.stairs(shares, bins, color=colour, lw=1.7, ls=pen.dash)
        else:
            heights = np.full(len(held), (0.12 if fewest else 0.3) * (1 + row))
            axes.plot(
                held, heights, pen.marker, color=colour, ms=6, mfc=colour + "66", transform=axes.get_xaxis_transform()
            )
        axes.plot(
            [float(np.median(held))], [1], pen.marker, color=colour, ms=7, clip_on=False, zorder=5,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
    axes.set_xlim(low, high)
    if fewest:
        axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    else:
        axes.set(ylim=(0, 1), yticks=[])


def _share_label(domains: Sequence[Domain]) -> str:
    return "% of the pictures" if any(domain.count > FEW for domain in domains) else "a mark for each picture"


def _extent(columns: Sequence[Values]) -> tuple[float, float]:
    """What nearly all values lie in; the few outside count with the outermost bars."""
    bounds = np.array([np.quantile(values, (0.002, 0.998)) for values in columns])
    low, high = float(bounds[:, 0].min()), float(bounds[:, 1].max())
    margin = 0.03 * (high - low) or 1.0
    return max(low - margin, 0.0) if low >= 0 else low - margin, high + margin


def _shape_extent(columns: Sequence[Values]) -> tuple[float, float]:
    """From the tallest shape to the widest, but from 3:4 to 4:3 at least."""
    far = max([abs(np.log2(3 / 4)), *(float(np.abs(values).max()) for values in columns if len(values))])
    return -min(far, 2) - 0.1, min(far, 2) + 0.1


def _column(looks: Sequence[ImageStatistics], name: str) -> Values:
    return np.array([getattr(each, name) for each in looks], float)


def _frequencies(power: Values, size: int) -> Values:
    return np.linspace(1, size / 2, len(power))


def _mark_widest(axes: Axes, frequencies: Values, difference: Values, theme: Theme) -> None:
    """Writes the greatest difference where it is."""
    place = int(np.abs(difference).argmax())
    value = float(difference[place])
    axes.plot([frequencies[place]], [value], "o", ms=6, mfc="none", mec=theme.ink, mew=1.3, zorder=4, clip_on=False)
    late, up = frequencies[place] > frequencies[-1] ** 0.5, value > 0
    axes.annotate(
        f"{value:+.1f} dB at {frequencies[place]:.0f}".replace("-", "−"), (frequencies[place], value),
        (-8 if late else 8, 5 if up else -5), textcoords="offset points", ha="right" if late else "left",
        va="bottom" if up else "top", fontsize=9, color=theme.ink,
    )  # fmt: skip


def _figure(height: float, theme: Theme, between: float = 0.02) -> Figure:
    """Return an empty figure, its rows ``between`` apart as a share of their height."""
    return new_figure(theme, WIDTH, height, dpi=DPI, spacing=(between, 0.03))


def _legend(axes: Axes, domains: Sequence[Domain], theme: Theme, marks: bool = False) -> None:
    """Which line is which, above the right end of a panel; with ``marks``, which mark is."""
    if len(domains) < 2:
        return
    handles = [
        Line2D(
            [], [], color=theme.lines[pen.place], ls=pen.dash, lw=1.8, marker=pen.marker if marks else "", label=role
        )
        for role, pen in PENS.items()
    ]  # fmt: skip
    add_legend(axes, theme, 2, handles, handlelength=2.4)


def _style(axes: Axes, title: str, across: str, up: str, theme: Theme, ticks: bool = True) -> None:
    style_axes(axes, theme, title, x_label=across, y_label=up, pad=10)
    if ticks and axes.get_xscale() == "linear":
        set_ticks(axes.xaxis, 6)
