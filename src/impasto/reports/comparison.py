"""Comparison of several runs: its data, its page and its terminal summary."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from impasto._version import __version__
from impasto.config.types import Pixels
from impasto.data.image_grid import tile
from impasto.files import atomic_write
from impasto.reports import pairs
from impasto.reports.comparison_results import ComparedRun, Comparison, Entry, setting_differences
from impasto.reports.comparison_tables import score_blocks, settings_block, time_block, training_block
from impasto.reports.comparison_text import conclude, warnings
from impasto.reports.curve_overlay import DASHES, draw_overlay, overlay_panels
from impasto.reports.embed import Picture, drawing, jpeg, render
from impasto.reports.figure_style import DARK, LIGHT

COLUMNS, GRID_SIDE = 8, 1600
"""Columns of a run's grid of samples, and its longest side in the page, in pixels."""

OWN_FILES, RECORD = re.compile(r"comparison\.(html|json)"), "comparison.json"
"""Names of the files of a comparison, and the one with its results."""

SAME_PHOTOS = 8.0
"""Mean absolute difference, of 255, up to which two grids show the same photos: JPEG artefacts depend on position."""


def compare_runs(entries: Sequence[Entry], *, against: str | None = None, price: float | None = None) -> Comparison:
    """Compare runs, at least one, with distinct names."""
    runs = [ComparedRun.of(entry, price) for entry in entries]
    return Comparison(
        impasto=__version__,
        created=datetime.now(UTC).replace(microsecond=0),
        against=against,
        price=price,
        runs=runs,
        differences=setting_differences(entries),
        verdict=conclude(runs),
        warnings=list(warnings(runs)),
    )


def write_comparison(entries: Sequence[Entry], comparison: Comparison, out: Path) -> Path:
    """Write ``comparison.html``, one self-contained file, and ``comparison.json`` into an existing folder.

    Returns:
        The path of the page.
    """
    records = [entry.record for entry in entries]
    page, photos = out / "comparison.html", shared_photos(entries)
    html = render(
        "comparison.html",
        comparison=comparison,
        themes=(LIGHT.lines, DARK.lines),
        swatches=[_swatch(index) for index in range(len(entries))],
        photos=None if photos is None else _grid(photos),
        grids=[_samples(entry, paired=photos is None) for entry in entries],
        entries=entries,
        scores=score_blocks(comparison.runs),
        during=training_block(comparison.runs),
        settings=settings_block(comparison),
        times=time_block(comparison),
        curves=drawing(lambda theme: draw_overlay(records, theme)) if overlay_panels(records) else None,
    )
    with atomic_write(out / "comparison.json") as part:
        part.write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")
    with atomic_write(page) as part:
        part.write_text(html, encoding="utf-8")
    return page


def summary(comparison: Comparison) -> RenderableType:
    """Return the comparison for the terminal: settings that differ, scores, time, and the conclusion."""
    blocks = [settings_block(comparison), *score_blocks(comparison.runs), training_block(comparison.runs)]
    parts: list[RenderableType] = []
    for block in (*blocks, time_block(comparison)):
        if not block.lines:
            continue
        shown = Table(box=None, header_style="bold", pad_edge=False)
        shown.add_column("")
        for index in block.runs:
            shown.add_column(Text(comparison.runs[index].name))
        plain = [False] * len(block.runs)
        for line in block.lines:
            # As Text: rich would take [efficientnet-lite0] for markup.
            cells = (
                Text(text, "bold" if best else "") for text, best in zip(line.texts, line.best or plain, strict=True)
            )
            shown.add_row(Text(line.label), *cells)
        parts += [Text(block.caption, style="italic"), shown, Text()]
    parts.append(Text(comparison.verdict, style="bold"))
    parts += [Text(f"Note: {warning}") for warning in comparison.warnings]
    return Group(*parts)


def shared_photos(entries: Sequence[Entry]) -> Pixels | None:
    """Return the source images (N, S, S, 3) that all translation runs share; None if they differ, or for fewer than two
    such runs."""
    found = [entry.photos for entry in entries if entry.photos is not None]
    if len(found) < 2 or len({photos.shape for photos in found}) > 1:
        return None
    first = found[0].astype(np.float32)
    return found[0] if all(np.abs(first - each).mean((1, 2, 3)).max() < SAME_PHOTOS for each in found[1:]) else None


def _samples(entry: Entry, paired: bool) -> Picture | None:
    """Return a run's samples; ``paired``: beside their source images, if it has any."""
    if entry.pictures is None or not len(entry.pictures):
        return None
    if paired and entry.photos is not None:
        return jpeg(
            pairs.pair_grid(pairs.make_pairs(entry.photos, entry.pictures), columns=COLUMNS // 2), GRID_SIDE, 90
        )
    return _grid(entry.pictures)


def _grid(images: Pixels) -> Picture:
    size = images.shape[1]
    # Small images are enlarged here by a whole factor: a browser's scaling would differ between runs.
    factor = max(1, round(GRID_SIDE / COLUMNS / size)) if size < GRID_SIDE / COLUMNS else 1
    grid = tile(images, columns=COLUMNS)
    if factor > 1:
        grid = grid.resize((grid.width * factor, grid.height * factor), Image.Resampling.BICUBIC)
    return jpeg(grid, GRID_SIDE, quality=90)


def _swatch(index: int) -> str:
    """Return the CSS classes of a run's mark: colour and dashes of its lines."""
    colours = len(LIGHT.lines)
    return f"line-{index % colours} dash-{index // colours % len(DASHES)}"
