"""Memorisation in a report: histogram of distances, and the fakes nearest to reals."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from PIL import Image

from impasto.config.types import Pixels
from impasto.data.image_grid import cut
from impasto.errors import ImpastoError
from impasto.metrics.formatting import format_number
from impasto.metrics.results import Evaluation, Memorisation, NearestReals
from impasto.reports.embed import Picture, jpeg, lossless
from impasto.reports.figure_style import Theme, new_figure, set_ticks, style_axes

CELL_SIDE = 256
"""Longest side in pixels of one image."""

LOSSLESS_SIDE = 96
"""Largest side of images embedded losslessly: browsers enlarge them, and JPEG artefacts with them."""

BINS = 36
"""Bins of the histogram."""


@dataclass(frozen=True)
class Near:
    """A real image, its name, and its distance to the fake."""

    name: str
    distance: str
    picture: Picture | None


@dataclass(frozen=True)
class Suspect:
    """A fake and its nearest reals."""

    name: str
    picture: Picture | None
    reals: list[Near]


def select_images(evaluation: Evaluation, grid: Image.Image | None) -> list[Suspect]:
    """Return the fakes nearest to reals.

    Args:
        evaluation: the evaluation.
        grid: a row per suspect, the fake and its nearest reals, as ``copies.jpg``; without it only names are returned.

    Raises:
        ImpastoError: the grid belongs to another evaluation.
    """
    suspects = evaluation.copies.suspects
    if grid is None or not suspects:
        return [Suspect(one.fake, None, [Near(*named, None) for named in _reals(one)]) for one in suspects]
    size = evaluation.scores[0].size if evaluation.scores else grid.height
    wrong = "copies.jpg does not belong to this evaluation"
    try:
        cells = cut(grid, size, size)
    except ValueError as error:
        raise ImpastoError(f"{wrong}: {error}; evaluate again.") from error
    if len(cells) < len(suspects):
        raise ImpastoError(f"{wrong}: it has {len(cells)} rows for {len(suspects)} fakes; evaluate again.")
    shown = []
    for one, (fake, *reals) in zip(suspects, cells, strict=False):
        near = [Near(*named, _cell(cell)) for named, cell in zip(_reals(one), reals, strict=False)]
        shown.append(Suspect(one.fake, _cell(fake), near))
    return shown


def _reals(suspect: NearestReals) -> list[tuple[str, str]]:
    """Return names and distances of a fake's nearest reals."""
    pairs = zip(suspect.reals, suspect.distances, strict=False)
    return [(name, format_number(distance, 3)) for name, distance in pairs]


def _cell(pixels: Pixels) -> Picture:
    image = Image.fromarray(pixels)
    return lossless(image) if image.width <= LOSSLESS_SIDE else jpeg(image, CELL_SIDE)


def draw_histogram(found: Memorisation, theme: Theme) -> Figure:
    """Draw distances to the nearest real: of the fakes as bars, of the reals to each other as a line."""
    fakes, reals = np.array(found.fakes), np.array(found.reals)
    high = max(float(np.quantile(np.concatenate([fakes, reals]), 0.995)), found.threshold) * 1.04 or 0.1
    edges = np.linspace(0, high, BINS + 1)
    figure = new_figure(theme, 9, 3.3)
    axes = figure.subplots()
    shares = [np.histogram(np.minimum(each, high), edges)[0] / len(each) for each in (fakes, reals)]
    labels = (f"{len(fakes):,} fakes to their nearest real", f"{len(reals):,} reals to their nearest other real")
    axes.stairs(shares[0], edges, fill=True, color=theme.lines[0], alpha=0.75, label=labels[0])
    axes.stairs(shares[1], edges, color=theme.lines[1], lw=2, label=labels[1])
    axes.axvline(found.threshold, color=theme.ink, lw=1.2, ls=(0, (4, 3)))
    right = found.threshold < 0.6 * high
    axes.annotate(
        "5th percentile of the reals", (found.threshold, 1), (5 if right else -5, -3),
        xycoords=axes.get_xaxis_transform(), textcoords="offset points", va="top", ha="left" if right else "right",
        fontsize=9, color=theme.ink,
    )  # fmt: skip
    style_axes(
        axes, theme, "", x_label=f"cosine distance, features of {found.network}", y_label="share of the images, %"
    )
    axes.set(xlim=(0, high), ylim=(0, 1.22 * max(share.max() for share in shares)))
    set_ticks(axes.yaxis)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=10, labelcolor=theme.ink)
    return figure
