"""Page and terminal summary of an evaluation."""

import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from impasto import notebook
from impasto.files import atomic_write
from impasto.metrics.memorisation_finding import MemorisationFinding, assess_memorisation
from impasto.metrics.results import Evaluation, ImageSetSummary
from impasto.reports.embed import Drawing, drawing, jpeg, render
from impasto.reports.evaluation_tables import MetricTable, Row, checkerboard_row, content_rows, metric_tables
from impasto.reports.evaluation_text import summarise
from impasto.reports.memorisation import Suspect, draw_histogram, select_images
from impasto.reports.record_text import base_name

GRID_SIDE = 1600
"""Longest side in pixels of a contact sheet in the page."""

OWN_FILES, RECORD = re.compile(r"evaluation\.(html|json)|copies\.jpg"), "evaluation.json"
"""Names of the files of an evaluation, and the one with its results."""

MAX_LEFT_OUT = 50
"""Unreadable files listed by name."""


@dataclass(frozen=True)
class Findings:
    """An evaluation as text, tables and figures for a page."""

    evaluation: Evaluation
    sentences: list[str]
    tables: list[MetricTable]
    memorisation: MemorisationFinding
    histogram: Drawing | None
    suspects: list[Suspect]
    content: list[Row]
    checkerboard: Row | None

    @classmethod
    def of(cls, evaluation: Evaluation, nearest: Image.Image | None) -> "Findings":
        """Prepare an evaluation for a page.

        Args:
            evaluation: the evaluation.
            nearest: ``copies.jpg``, with a row per suspect; without it suspects are listed by name.

        Raises:
            ImpastoError: ``nearest`` belongs to another evaluation.
        """
        found = evaluation.copies
        drawable = len(found.fakes) > 0 and len(found.reals) > 0
        return cls(
            evaluation=evaluation,
            sentences=list(summarise(evaluation)),
            tables=metric_tables(evaluation),
            memorisation=assess_memorisation(found),
            histogram=drawing(lambda theme: draw_histogram(found, theme)) if drawable else None,
            suspects=select_images(evaluation, nearest),
            content=content_rows(evaluation),
            checkerboard=checkerboard_row(evaluation),
        )

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """The first unreadable files: name and reason."""
        return [*self.evaluation.fakes.left_out, *self.evaluation.reals.left_out][:MAX_LEFT_OUT]


def write_evaluation(
    evaluation: Evaluation,
    nearest: Image.Image | None,
    contact_sheets: tuple[Image.Image, Image.Image] | None,
    folder: Path,
) -> Path:
    """Write ``evaluation.html``, one self-contained file, into an existing folder.

    Args:
        evaluation: the evaluation.
        nearest: see :meth:`Findings.of`.
        contact_sheets: some of the fakes, and some of the reals.
        folder: where the page goes.

    Returns:
        The path of the page.

    Raises:
        ImpastoError: ``nearest`` belongs to another evaluation.
    """
    page = folder / "evaluation.html"
    html = render(
        "evaluation.html",
        findings=Findings.of(evaluation, nearest),
        fakes_name=base_name(evaluation.fakes.name),
        reals_name=base_name(evaluation.reals.name),
        sides=[(kind, _details(side)) for kind, side in (("Fakes", evaluation.fakes), ("Reals", evaluation.reals))],
        pictures=[jpeg(sheet, GRID_SIDE) for sheet in contact_sheets] if contact_sheets else None,
    )
    with atomic_write(page) as part:
        part.write_text(html, encoding="utf-8")
    return page


def summary(evaluation: Evaluation) -> RenderableType:
    """Return the evaluation for the terminal: a table per network, and the findings in sentences."""
    parts: list[RenderableType] = []
    for table in metric_tables(evaluation):
        shown = Table(
            Column("metric", no_wrap=True), "value",
            *(["95 % interval"] if table.has_intervals else []),
            *([f"floor, {table.halves}"] if table.halves else []),
            box=None, header_style="bold", pad_edge=False,
        )  # fmt: skip
        for row in table.rows:
            cells = [row.label, row.value]
            cells += [row.interval] if table.has_intervals else []
            cells += [row.floor] if table.halves else []
            # As Text: rich would take [efficientnet-lite0] for markup.
            shown.add_row(*map(Text, cells))
        caption = f"{table.network}, {table.sets}, {table.size}×{table.size} px"
        parts += [Text(caption, style="italic"), shown, Text()]
    if (content := evaluation.content) is not None:
        pairs = f"{content.pairs:,} pairs, {content.size}×{content.size} px"
        parts += [Text(f"{row.label} {row.value} ({pairs}): {row.meaning}") for row in content_rows(evaluation)]
    if (checkerboard := checkerboard_row(evaluation)) is not None:
        reals = f" (reals {checkerboard.floor})" if checkerboard.floor else ""
        parts.append(Text(f"{checkerboard.label} {checkerboard.value}{reals}: {checkerboard.meaning}"))
    parts += [Text(sentence) for sentence in summarise(evaluation)]
    found = assess_memorisation(evaluation.copies)
    parts.append(Text(found.sentence, style="bold" if found.suspicious else ""))
    return Group(*parts)


@notebook.html.register
def _evaluation_html(evaluation: Evaluation) -> str:
    """Return the findings in sentences, and a table per network."""
    parts = [notebook.paragraphs(*summarise(evaluation), assess_memorisation(evaluation.copies).sentence)]
    for table in metric_tables(evaluation):
        head = ["Metric", f"Value, {table.counts}"]
        head += ["95 % interval"] if table.has_intervals else []
        head += [f"Floor, {table.halves}"] if table.halves else []
        rows = [
            [row.label, row.value]
            + ([row.interval] if table.has_intervals else [])
            + ([row.floor] if table.halves else [])
            + [row.meaning]
            for row in table.rows
        ]
        parts.append(notebook.paragraphs(f"{table.network}: {table.sets}, {table.size}×{table.size} px"))
        parts.append(notebook.table(rows, [*head, "Meaning"]))
    if evaluation.content is not None:
        content = [(row.label, row.value, row.meaning) for row in content_rows(evaluation)]
        parts.append(
            notebook.table(content, ("Content preservation", f"{evaluation.content.pairs:,} pairs", "Meaning"))
        )
    return notebook.section(f"{base_name(evaluation.fakes.name)} v {base_name(evaluation.reals.name)}", *parts)


def _details(side: ImageSetSummary) -> list[tuple[str, str]]:
    rows = [("Name", side.name)]
    if side.domains:
        rows.append(("Style", side.domains))
    return [
        *rows,
        ("Generated" if side.domains else "Available", f"{side.there:,}"),
        ("Compared", f"{side.scored:,}" + (" (all)" if side.scored == side.there else "")),
        ("Exact duplicates", f"{side.duplicates:,}"),
        ("Unreadable", f"{len(side.left_out):,}"),
    ]
