"""Tables of an evaluation: metrics per network, content preservation and checkerboard artefacts, as text."""

from dataclasses import dataclass

from impasto.metrics.base import describe
from impasto.metrics.formatting import format_floor, format_interval, format_value
from impasto.metrics.results import Evaluation, Scores, Value
from impasto.reports.evaluation_text import format_halves, format_sets


@dataclass(frozen=True)
class Row:
    """One metric of a table, as text."""

    label: str
    meaning: str
    value: str
    interval: str
    floor: str

    @classmethod
    def of(cls, name: str, value: Value, label: str | None = None) -> "Row":
        """Format a metric's value; ``label`` replaces its name."""
        return cls(label or name, describe(name), format_value(value), format_interval(value), format_floor(value))


@dataclass(frozen=True)
class MetricTable:
    """The metrics through one network."""

    sets: str
    """Numbers of fakes and of which reals: ``256 fakes v 270 reals``."""
    network: str
    counts: str
    """The numbers alone: ``256 v 270``."""
    size: int
    halves: str
    rows: list[Row]

    @property
    def has_intervals(self) -> bool:
        """Whether any metric has an interval."""
        return any(row.interval for row in self.rows)


def metric_tables(evaluation: Evaluation) -> list[MetricTable]:
    """Return a table per network, then those against held-out reals and of the reverse direction."""
    unseen = evaluation.unseen
    tables = [_table(scores, "training images" if unseen else "reals") for scores in evaluation.scores]
    tables += [_table(unseen, "held-out images")] if unseen else []
    return tables + [_table(scores, "reals, reverse direction") for scores in evaluation.scores_reverse]


def content_rows(evaluation: Evaluation) -> list[Row]:
    """Return the rows of content preservation; none if it was not measured."""
    if evaluation.content is None:
        return []
    return [Row.of(name, value) for name, value in evaluation.content.values.items()]


def checkerboard_row(evaluation: Evaluation) -> Row | None:
    """Return the row of checkerboard artefacts, its floor that of the reals; None if it was not measured."""
    return None if evaluation.checkerboard is None else Row.of("checkerboard", evaluation.checkerboard)


def _table(scores: Scores, against: str) -> MetricTable:
    rows = [Row.of(name, value, scores.label(name)) for name, value in scores.values.items()]
    return MetricTable(
        format_sets(scores, against), scores.network, scores.counts, scores.size, format_halves(scores), rows
    )
