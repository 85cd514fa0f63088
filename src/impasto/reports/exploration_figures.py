"""Figures of an exploration report; lines of paintings are solid, of photos dashed."""

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
from impasto.reports.figure_style import Theme, add_legend, new_figure, set_ticks, style_axes
from impasto.reports.smoothing import smooth

ImageWithPalette = tuple[Pixels, Sequence[Colour]]

WIDTH, DPI = 10.5, 120
"""Width of all figures in inches, and their resolution."""

FEW = 20
"""Maximum number of images that are drawn as single markers instead of a distribution."""

BINS = 40
"""Maximum number of bins of a distribution."""

ENDS = 8
"""Levels at both ends of a histogram that hold clipped pixels and are ignored for its scale."""

SHAPES = ((1, 3), (1, 2), (2, 3), (1, 1), (3, 2), (2, 1), (3, 1))
"""Aspect ratios at which the axis is labelled."""

CELLS = 360
"""Maximum number of rows of a similarity matrix that are drawn."""

STATISTICS = {
    "brightness": ("Brightness", "mean lightness L*, 0 black to 100 white"),
    "contrast": ("Contrast", "standard deviation of L* within an image"),
    "colourfulness": ("Colourfulness", "0 grey, about 30 moderate, 60 high"),
    "sharpness": ("Sharpness", "mean strength of the finest detail, in L*"),
}
"""Title and axis label of each statistic."""


@dataclass(frozen=True)
class Pen:
    """Line style of a domain, distinguishable without colour."""

    place: int  #: index of the theme's line colour
    dash: Any
    marker: str


PENS = {"paintings": Pen(0, "-", "o"), "photos": Pen(1, (0, (4, 1.6)), "^")}


def sizes_differ(domains: Sequence[Domain]) -> bool:
    """Whether the images have more than one size."""
    return len({(each.width, each.height) for domain in domains for each in domain.inventory.pictures}) > 1


def sizes(domains: Sequence[Domain], size: int, theme: Theme) -> Figure:
    """Plot width against height, and the distribution of aspect ratios. Images below ``size`` are enlarged."""
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
    _style(places, "Image sizes", "width, pixels", "height, pixels", theme)
    _distributions(shapes, ratios, theme, extent=_ratio_range([values for _, values in ratios]))
    left, right = shapes.get_xlim()
    shown = {f"{wide}:{high}": np.log2(wide / high) for wide, high in SHAPES if left <= np.log2(wide / high) <= right}
    shapes.xaxis.set_major_locator(FixedLocator([float(place) for place in shown.values()]))
    shapes.set_xticklabels(list(shown))
    _style(shapes, "Aspect ratios", "width : height", _share_label(domains), theme, ticks=False)
    _legend(shapes, domains, theme, markers=True)
    return figure


def histograms(domains: Sequence[Domain], theme: Theme) -> Figure:
    """Plot the histograms of red, green and blue."""
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
    grid[0].set_ylim(0, 1.25 * top or 1)  # clipped black and white may exceed the axis
    _legend(grid[-1], domains, theme)
    return figure


def statistics(domains: Sequence[Domain], theme: Theme) -> Figure:
    """Plot the distributions of brightness, contrast, colourfulness and sharpness."""
    figure = _figure(5.8, theme, between=0.09)
    grid = figure.subplots(2, 2)
    for axes, (name, (title, unit)) in zip(grid.flat, STATISTICS.items(), strict=True):
        _distributions(axes, [(domain, _column(domain.statistics, name)) for domain in domains], theme)
        _style(axes, title, unit, _share_label(domains), theme)
    _legend(grid[0, 1], domains, theme, markers=True)
    return figure


def spectrum(domains: Sequence[Domain], size: int, theme: Theme) -> Figure:
    """Plot the mean power spectrum, and below it the difference between photos and paintings."""
    pair = len(domains) > 1 and len(domains[0].spectrum) == len(domains[1].spectrum)
    figure = _figure(4.8 if pair else 3.2, theme, between=0.06)
    grid = figure.subplots(1 + pair, 1, sharex=True, squeeze=False, height_ratios=(2, 1.1) if pair else (1,))[:, 0]
    for domain in domains:
        pen = PENS[domain.role]
        power = np.asarray(domain.spectrum, float)
        grid[0].plot(_frequencies(power, size), power, color=theme.lines[pen.place], lw=1.8, ls=pen.dash)
    _style(grid[0], "Power spectrum", "", "power, dB", theme)
    if pair:
        difference = np.asarray(domains[1].spectrum, float) - np.asarray(domains[0].spectrum, float)
        frequencies = _frequencies(difference, size)
        colour = theme.lines[2]
        grid[1].axhline(0, color=theme.ink, lw=0.8)
        grid[1].fill_between(frequencies, difference, color=colour, alpha=0.2, lw=0)
        grid[1].plot(frequencies, difference, color=colour, lw=1.6)
        _mark_maximum(grid[1], frequencies, difference, theme)
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
        "cycles per image: coarse shapes on the left, fine detail on the right", fontsize=9, color=theme.ink
    )
    _legend(grid[0], domains, theme)
    return figure


def palettes(domains: Sequence[Domain], images: Mapping[str, Sequence[ImageWithPalette]], theme: Theme) -> Figure:
    """Plot the palette of each domain as a bar, and below it single images with their palettes.

    Args:
        domains: with palettes.
        images: by role, square images (S, S, 3) of equal size with their palettes.
        theme: of the figure.
    """
    figure = _figure(2.3 * len(domains), theme, between=0.05)
    rows = figure.subplots(2 * len(domains), 1, squeeze=False, height_ratios=(1, 3.1) * len(domains))[:, 0]
    for domain, bar, pictures in zip(domains, rows[::2], rows[1::2], strict=True):
        _bar(bar, domain, theme)
        pictures.set_axis_off()
        shown = images.get(domain.role, ())
        if shown:
            pictures.imshow(images_over_palettes(shown), interpolation="lanczos", aspect="equal")
    return figure


def images_over_palettes(pictures: Sequence[ImageWithPalette], columns: int = 12) -> Pixels:
    """Return one row of images (S, S, 3), each above its palette: RGBA (H, W, 4), transparent in between."""
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
    """Plot matrices (N, N) side by side, each with its title and the limits of its colour scale."""
    figure = _figure(4.9 if len(matrices) > 1 else 5.2, theme)
    grid = figure.subplots(1, max(2, len(matrices)), squeeze=False)[0]
    for axes in grid[len(matrices) :]:
        axes.set_axis_off()
    for axes, (title, matrix, (low, high)) in zip(grid, matrices, strict=False):
        shown = axes.imshow(matrix, cmap="viridis", vmin=low, vmax=high, interpolation="nearest", aspect="equal")
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=theme.ink, pad=8, parse_math=False)
        axes.set(xticks=[], yticks=[])
        axes.set_xlabel("every image …", fontsize=9, color=theme.ink)
        axes.set_ylabel("… with every image", fontsize=9, color=theme.ink)
        axes.spines[:].set_color(theme.faint)
        bar = figure.colorbar(shown, ax=axes, shrink=0.7, aspect=24, pad=0.04)
        bar.outline.set_edgecolor(theme.faint)
        bar.ax.tick_params(colors=theme.ink, labelsize=8, length=2)
        bar.ax.yaxis.set_major_locator(MaxNLocator(5))
        bar.ax.set_title("similar", fontsize=8, color=theme.ink, pad=5)
        bar.ax.set_xlabel("different", fontsize=8, color=theme.ink, labelpad=5)
    return figure


def condensed(matrix: NDArray[np.float32], cells: int = CELLS) -> NDArray[np.float32]:
    """Reduce a matrix (N, N) to at most ``cells`` rows and columns by averaging neighbours."""
    count = len(matrix)
    if count <= cells:
        return matrix
    starts = np.arange(cells) * count // cells
    many = np.diff(starts, append=count).astype(np.float32)
    rows = np.add.reduceat(matrix, starts, axis=0) / many[:, None]
    return np.asarray(np.add.reduceat(rows, starts, axis=1) / many, np.float32)


def scale(matrices: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """Return colour limits for several matrices: the 1st and 99th percentile off the diagonal."""
    values = np.concatenate([matrix[~np.eye(len(matrix), dtype=bool)] for matrix in matrices if len(matrix) > 1])
    low, high = np.quantile(values[:: len(values) // 200_000 + 1], (0.01, 0.99))
    middle, half = (
        (low + high) / 2,
        max((high - low) / 2, 0.05),
    )
    return float(middle - half), float(middle + half)


def _bar(axes: Axes, domain: Domain, theme: Theme) -> None:
    """Draw a palette as one bar, with the hex codes where there is room."""
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
    axes.set_title(domain.role.capitalize(), loc="left", fontsize=11, fontweight="bold", color=theme.ink, pad=6)


def _distributions(
    axes: Axes, columns: Sequence[tuple[Domain, Values]], theme: Theme, extent: tuple[float, float] | None = None
) -> None:
    """Draw one distribution per domain over common bins, with markers at the medians; few values as single markers."""
    columns = [(domain, values) for domain, values in columns if len(values)]
    if not columns:
        return
    low, high = extent or _value_range([values for _, values in columns])
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
    return "% of the images" if any(domain.count > FEW for domain in domains) else "one marker per image"


def _value_range(columns: Sequence[Values]) -> tuple[float, float]:
    """Return the limits of the 0.2nd to 99.8th percentile; values outside count in the outermost bins."""
    bounds = np.array([np.quantile(values, (0.002, 0.998)) for values in columns])
    low, high = float(bounds[:, 0].min()), float(bounds[:, 1].max())
    margin = 0.03 * (high - low) or 1.0
    return max(low - margin, 0.0) if low >= 0 else low - margin, high + margin


def _ratio_range(columns: Sequence[Values]) -> tuple[float, float]:
    """Return the limits of the log2 aspect ratios, at least 3:4 to 4:3."""
    far = max([abs(np.log2(3 / 4)), *(float(np.abs(values).max()) for values in columns if len(values))])
    return -min(far, 2) - 0.1, min(far, 2) + 0.1


def _column(statistics: Sequence[ImageStatistics], name: str) -> Values:
    return np.array([getattr(each, name) for each in statistics], float)


def _frequencies(power: Values, size: int) -> Values:
    return np.linspace(1, size / 2, len(power))


def _mark_maximum(axes: Axes, frequencies: Values, difference: Values, theme: Theme) -> None:
    """Annotate the largest difference."""
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


def _legend(axes: Axes, domains: Sequence[Domain], theme: Theme, markers: bool = False) -> None:
    """Add a legend of lines, with ``markers`` also of markers."""
    if len(domains) < 2:
        return
    handles = [
        Line2D(
            [], [], color=theme.lines[pen.place], ls=pen.dash, lw=1.8, marker=pen.marker if markers else "", label=role
        )
        for role, pen in PENS.items()
    ]  # fmt: skip
    add_legend(axes, theme, 2, handles, handlelength=2.4)


def _style(axes: Axes, title: str, across: str, up: str, theme: Theme, ticks: bool = True) -> None:
    style_axes(axes, theme, title, x_label=across, y_label=up, pad=10)
    if ticks and axes.get_xscale() == "linear":
        set_ticks(axes.xaxis, 6)
