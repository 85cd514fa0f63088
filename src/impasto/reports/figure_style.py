"""Shared style of all figures: light and dark theme, axes, legend and scale."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

TICK_STEPS = (1, 2, 2.5, 5, 10)
"""Multiples at which linear axes have their ticks."""


@dataclass(frozen=True)
class Theme:
    """Colours of a figure. The line colours are safe for colour-blind readers (Okabe & Ito 2008)."""

    paper: str
    ink: str
    faint: str
    lines: tuple[str, ...]


LIGHT = Theme("#ffffff", "#23211d", "#a9a498", ("#0072b2", "#d55e00", "#009e73", "#b0558a", "#7a6a00"))
DARK = Theme("#1b1a17", "#e8e4da", "#6f6a60", ("#56b4e9", "#e69f00", "#2fc495", "#e08fbd", "#f0e442"))

NEUTRAL = Theme("none", "#808080", "#808080", ("#3a8fd0", "#d9691a", "#1f9e77", "#c0699c", "#9a8a20"))
"""Transparent, and legible on white and on black: for notebooks, whose theme is not known."""


def new_figure(
    theme: Theme, width: float, height: float, *, dpi: int = 150, spacing: tuple[float, float] | None = None
) -> Figure:
    """Return an empty figure without pyplot's global state.

    Args:
        theme: its colours.
        width, height: in inches.
        dpi: pixels per inch.
        spacing: vertical and horizontal space between axes, as a share of their size.
    """
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor=theme.paper, layout="constrained")
    if spacing is not None:
        figure.get_layout_engine().set(hspace=spacing[0], wspace=spacing[1])  # type: ignore[union-attr, call-arg]
    return figure


def style_axes(
    axes: Axes,
    theme: Theme,
    title: str,
    *,
    x_label: str = "",
    y_label: str = "",
    title_size: float = 11,
    pad: float = 8,
) -> None:
    """Set the title, the labels and the colours of axes, with horizontal grid lines and without the box.

    An empty ``x_label`` leaves the label as it is.
    """
    axes.set_facecolor(theme.paper)
    axes.set_title(
        title, loc="left", fontsize=title_size, fontweight="bold", color=theme.ink, pad=pad, parse_math=False
    )
    if x_label:
        axes.set_xlabel(x_label, fontsize=9, color=theme.ink, parse_math=False)
    axes.set_ylabel(y_label, fontsize=9, color=theme.ink, parse_math=False)
    axes.tick_params(colors=theme.ink, labelsize=9, length=3)
    axes.grid(axis="y", color=theme.faint, alpha=0.25, lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.faint)


def add_legend(axes: Axes, theme: Theme, columns: int, handles: Sequence[Line2D] | None = None, **options: Any) -> None:
    """Put a legend above the right end of axes; ``options`` are those of :meth:`matplotlib.axes.Axes.legend`."""
    placed: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2, "frameon": False}
    placed |= {"handlelength": 1.7, "columnspacing": 1.4, **options}
    if handles is not None:
        placed["handles"] = handles
    axes.legend(ncols=columns, fontsize=9, labelcolor=theme.ink, **placed)


def set_y_scale(
    axes: Axes, low: float, high: float, *, log: bool = False, below: float = 0.05, above: float = 0.05
) -> None:
    """Set the limits and ticks of the y axis to hold ``low`` to ``high``.

    Args:
        axes: whose y axis.
        low, high: smallest and largest value; above 0 if ``log``.
        log: logarithmic scale.
        below, above: margins, as a share of the extent.
    """
    if log:
        ratio = high / low if high > low else 10.0
        axes.set_yscale("log")
        axes.set_ylim(low / ratio**below, high * ratio**above)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        return
    span = high - low or abs(low) or 1.0
    axes.set_ylim(low - below * span, high + above * span)
    set_ticks(axes.yaxis)


def set_ticks(axis: Axis, most: int = 5, integer: bool = False) -> None:
    """Put about ``most`` ticks at round values of a linear axis."""
    axis.set_major_locator(MaxNLocator(most, integer=integer, steps=TICK_STEPS))


def format_percent(axis: Axis, unit: str = "") -> None:
    """Write shares 0…1 as percentages, followed by ``unit``."""
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}{unit}"))


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
