"""The page of an evaluation: how near the fakes are to the reals, how that was measured, and whether they copy."""

from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from impasto.data.image_grid import cut
from impasto.errors import ImpastoError
from impasto.files import atomic_write
from impasto.metrics.results import MEANINGS, Copies, Copy, Evaluation, Scores, Side, Value
from impasto.reports.embed import Drawing, Picture, drawing, jpeg, lossless, render
from impasto.reports.evaluation_text import Copying, copying, decimals, halves, interval, measured, number, sentences
from impasto.reports.figure_style import Theme

SHEET_SIDE, CELL_SIDE = 1600, 256
"""The longest side, in pixels, at which a contact sheet and one picture of a suspect pair are put into the page."""

BINS = 36
"""Bars of the histogram of distances."""

LISTED = 50
"""Pictures left out that are named one by one."""

CONTENT = {
    "SSIM": "how alike photo and painting are in structure; 1 for the same",
    "ST-LPIPS": "how different photo and painting look, whatever was moved a little; 0 for the same",
}


@dataclass(frozen=True)
class Row:
    """One measure of a table, as it is read."""

    label: str
    meaning: str
    value: str
    interval: str
    floor: str


@dataclass(frozen=True)
class Measures:
    """The measures through one network."""

    reals: str
    """Which real pictures, where there are two kinds."""
    network: str
    counts: str
    size: int
    halves: str
    rows: list[Row]

    @property
    def against(self) -> str:
        """What the counts are of."""
        return f"against {self.reals}" if self.reals else "pictures"

    @property
    def has_intervals(self) -> bool:
        """Whether any measure has an interval."""
        return any(row.interval for row in self.rows)


@dataclass(frozen=True)
class Near:
    """A picture, its name, and its distance from the fake beside it."""

    name: str
    distance: str
    picture: Picture | None


@dataclass(frozen=True)
class Suspect:
    """A fake and the real pictures that are nearest to it."""

    name: str
    picture: Picture | None
    reals: list[Near]


@dataclass(frozen=True)
class Findings:
    """An evaluation as a page shows it."""

    evaluation: Evaluation
    sentences: list[str]
    measures: list[Measures]
    copying: Copying
    histogram: Drawing | None
    suspects: list[Suspect]
    content: list[Row]
    checkerboard: Row | None

    @classmethod
    def of(cls, evaluation: Evaluation, copies: Image.Image | None) -> "Findings":
        """Puts an evaluation into words and pictures.

        Args:
            evaluation: what was measured.
            copies: one row a suspect, each the fake and its nearest reals, made by :func:`impasto.data.image_grid.tile` of
                squares of ``evaluation.scores[0].size`` pixels; without it the suspects are named, not shown.

        Raises:
            ImpastoError: the sheet is not one of this evaluation.
        """
        found = evaluation.copies
        drawable = len(found.fakes) > 0 and len(found.reals) > 0
        return cls(
            evaluation=evaluation,
            sentences=list(sentences(evaluation)),
            measures=_tables(evaluation),
            copying=copying(found),
            histogram=drawing(lambda theme: histogram(found, theme)) if drawable else None,
            suspects=_suspects(evaluation, copies),
            content=_content(evaluation),
            checkerboard=_checkerboard(evaluation),
        )

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """What could not be read, and why, as much as a reader reads."""
        return [*self.evaluation.fakes.left_out, *self.evaluation.reals.left_out][:LISTED]


def write_evaluation(
    evaluation: Evaluation,
    copies: Image.Image | None,
    pictures: tuple[Image.Image, Image.Image] | None,
    folder: Path,
) -> Path:
    """Writes ``evaluation.html``, one file that loads nothing, into a folder that is there.

    Args:
        evaluation: what was measured.
        copies: the suspects beside their nearest reals, as :meth:`Findings.of` wants them.
        pictures: contact sheets of fakes and of reals, to look at.
        folder: where the page goes.

    Returns:
        The path of the page.

    Raises:
        ImpastoError: ``copies`` is not a sheet of this evaluation.
    """
    page = folder / "evaluation.html"
    shown = render(
        "evaluation.html",
        findings=Findings.of(evaluation, copies),
        fakes_name=short(evaluation.fakes.name),
        reals_name=short(evaluation.reals.name),
        sides=[(kind, _side(side)) for kind, side in (("Fakes", evaluation.fakes), ("Reals", evaluation.reals))],
        pictures=[jpeg(sheet, SHEET_SIDE) for sheet in pictures] if pictures else None,
    )
    with atomic_write(page) as part:
        part.write_text(shown, encoding="utf-8")
    return page


def summary(evaluation: Evaluation) -> RenderableType:
    """The evaluation for a shell: what was compared, one table a network, and whether the fakes copy."""
    parts: list[RenderableType] = []
    for table in _tables(evaluation):
        against = f"floor, {table.halves}" if table.halves else "floor"
        shown = Table(
            Column("measure", no_wrap=True), "value",
            *(["95 %"] if table.has_intervals else []),
            *([against] if table.halves else []),
            box=None, header_style="bold", pad_edge=False,
        )  # fmt: skip
        for row in table.rows:
            cells = [row.label, row.value]
            cells += [row.interval] if table.has_intervals else []
            cells += [row.floor] if table.halves else []
            # As Text: [efficientnet-lite0] would be taken for a style of rich's.
            shown.add_row(*map(Text, cells))
        caption = f"{table.network}, {table.counts} {table.against}, {table.size}×{table.size} px"
        parts += [Text(caption, style="italic"), shown, Text()]
    if evaluation.content:
        parts += [Text(line) for line in _content_lines(evaluation)]
    if checkerboard := _checkerboard(evaluation):
        beside = f" (the reals {checkerboard.floor})" if checkerboard.floor else ""
        parts.append(Text(f"{checkerboard.label} {checkerboard.value}{beside}: {checkerboard.meaning}"))
    parts += [Text(sentence) for sentence in sentences(evaluation)]
    judged = copying(evaluation.copies)
    parts.append(Text(judged.sentence, style="bold" if judged.suspicious else ""))
    return Group(*parts)


def short(name: str) -> str:
    """The last part of a path, or the name that it is."""
    return PurePath(name).name or name


def histogram(copies: Copies, theme: Theme) -> Figure:
    """Distances to the nearest real picture: of the fakes as bars, of the reals to each other as a line."""
    fakes, reals = np.array(copies.fakes), np.array(copies.reals)
    high = max(float(np.quantile(np.concatenate([fakes, reals]), 0.995)), copies.threshold) * 1.04 or 0.1
    edges = np.linspace(0, high, BINS + 1)
    figure = Figure(figsize=(9, 3.3), dpi=150, facecolor=theme.paper, layout="constrained")
    axes = figure.subplots()
    shares = [np.histogram(np.minimum(each, high), edges)[0] / len(each) for each in (fakes, reals)]
    labels = (f"{len(fakes):,} fakes, to their nearest real", f"{len(reals):,} reals, to their nearest other real")
    axes.stairs(shares[0], edges, fill=True, color=theme.lines[0], alpha=0.75, label=labels[0])
    axes.stairs(shares[1], edges, color=theme.lines[1], lw=2, label=labels[1])
    top = 1.22 * max(share.max() for share in shares)
    axes.axvline(copies.threshold, color=theme.ink, lw=1.2, ls=(0, (4, 3)))
    right = copies.threshold < 0.6 * high
    axes.annotate(
        "1 real in 20 is nearer than this", (copies.threshold, 1), (5 if right else -5, -3),
        xycoords=axes.get_xaxis_transform(), textcoords="offset points", va="top", ha="left" if right else "right",
        fontsize=9, color=theme.ink,
    )  # fmt: skip
    axes.set(xlim=(0, high), ylim=(0, top), facecolor=theme.paper)
    axes.set_xlabel(f"cosine distance of the features of {copies.network}", fontsize=9, color=theme.ink)
    axes.xaxis.label.set_parse_math(False)
    axes.set_ylabel("share of the pictures, %", fontsize=9, color=theme.ink)
    axes.tick_params(colors=theme.ink, labelsize=9, length=3)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
    axes.grid(axis="y", color=theme.faint, alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.faint)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=10, labelcolor=theme.ink)
    return figure


def _tables(evaluation: Evaluation) -> list[Measures]:
    unseen = evaluation.unseen
    learned = "the pictures it learned from" if unseen else ""
    tables = [_measures(scores, learned) for scores in evaluation.scores]
    tables += [_measures(unseen, "pictures it never learned from")] if unseen else []
    return tables + [_measures(scores, "photos, in the reverse direction") for scores in evaluation.scores_reverse]


def _measures(scores: Scores, reals: str) -> Measures:
    rows = [_row(scores.label(name), MEANINGS.get(name, ""), value) for name, value in scores.values.items()]
    return Measures(reals, scores.network, scores.counts, scores.size, halves(scores), rows)


def _row(label: str, meaning: str, value: Value) -> Row:
    floor = "" if value.floor is None else number(value.floor, decimals(value))
    return Row(label, meaning, measured(value), interval(value), floor)


def _content(evaluation: Evaluation) -> list[Row]:
    if evaluation.content is None:
        return []
    return [
        _row(name, next((said for key, said in CONTENT.items() if name.startswith(key)), ""), value)
        for name, value in evaluation.content.values.items()
    ]


def _checkerboard(evaluation: Evaluation) -> Row | None:
    value = evaluation.checkerboard
    return None if value is None else _row("checkerboard", MEANINGS["checkerboard"], value)


def _content_lines(evaluation: Evaluation) -> list[str]:
    content = evaluation.content
    assert content is not None
    pairs = f"{content.pairs:,} pairs, {content.size}×{content.size} px"
    return [f"{row.label} {row.value} ({pairs}): {row.meaning}" for row in _content(evaluation)]


def _suspects(evaluation: Evaluation, copies: Image.Image | None) -> list[Suspect]:
    suspects = evaluation.copies.suspects
    if copies is None or not suspects:
        return [
            Suspect(one.fake, None, [Near(name, number(far, 3), None) for name, far in _pairs(one)]) for one in suspects
        ]
    size = evaluation.scores[0].size if evaluation.scores else copies.height
    wrong = "The sheet of copies does not belong to its evaluation"
    try:
        cells = cut(copies, size, size)
    except ValueError as error:
        raise ImpastoError(f"{wrong}: {error}; evaluate again.") from error
    if len(cells) < len(suspects):
        raise ImpastoError(f"{wrong}: it has {len(cells)} rows for {len(suspects)} fakes; evaluate again.")
    shown = []
    for one, (fake, *reals) in zip(suspects, cells, strict=False):
        near = zip(_pairs(one), reals, strict=False)
        shown.append(Suspect(one.fake, _cell(fake), [Near(name, number(far, 3), _cell(c)) for (name, far), c in near]))
    return shown


def _pairs(suspect: Copy) -> list[tuple[str, float]]:
    """The names of its nearest reals, with their distances."""
    return list(zip(suspect.reals, suspect.distances, strict=False))


def _cell(pixels: np.ndarray) -> Picture:
    """Small pictures as they are: a screen shows them enlarged, and the traces of JPEG with them."""
    picture = Image.fromarray(pixels)
    return lossless(picture) if picture.width <= 96 else jpeg(picture, CELL_SIDE)


def _side(side: Side) -> list[tuple[str, str]]:
    rows = [("Name", side.name)]
    if side.domains:
        rows.append(("A style that turns", side.domains))
    rows += [
        ("Made" if side.domains else "There", f"{side.there:,}"),
        ("Looked at", f"{side.scored:,}" + (" (all)" if side.scored == side.there else "")),
        ("Exact doubles", f"{side.duplicates:,}"),
        ("Left out", f"{len(side.left_out):,}"),
    ]
    return rows
