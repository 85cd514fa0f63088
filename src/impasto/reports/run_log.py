"""The log of a run: every logged quantity by step, and events."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from impasto.config import migrations
from impasto.config.types import Values
from impasto.errors import MALFORMED, ImpastoError
from impasto.metrics.results import DECIDING_METRIC


@dataclass(frozen=True)
class Event:
    """A note on a step, such as a recovery."""

    step: int
    text: str


@dataclass(frozen=True)
class Log:
    """``log.jsonl`` by columns: one float64 array (N,) per quantity, NaN where a step lacks it.

    Steps increase strictly: where training was rewound to an earlier step, the discarded rows are left out.
    """

    columns: Mapping[str, Values] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    def __len__(self) -> int:
        return len(self.columns.get("step", ()))

    def series(self, name: str) -> tuple[Values, Values]:
        """Return the steps at which a quantity is finite, and its values there."""
        if name not in self.columns:
            return np.empty(0), np.empty(0)
        finite = np.isfinite(self.columns[name])
        return self.columns["step"][finite], self.columns[name][finite]

    def last(self, name: str) -> float | None:
        """Return the latest finite value of a quantity."""
        _, values = self.series(name)
        return float(values[-1]) if len(values) else None

    @property
    def scores(self) -> list[str]:
        """The columns of the deciding metric: ``KID[network] 256 v 270``."""
        return [name for name in self.columns if name.startswith(f"{DECIDING_METRIC}[") and len(self.series(name)[0])]

    def at(self, name: str, step: int) -> float | None:
        """Return the value of a quantity at a step; None if it was not logged there."""
        steps, values = self.series(name)
        rows = np.flatnonzero(steps == step)
        return float(values[rows[0]]) if len(rows) else None

    def lowest(self, name: str) -> tuple[int, float] | None:
        """Return step and value of the lowest score; None without values."""
        steps, values = self.series(name)
        if not len(values):
            return None
        lowest = int(values.argmin())
        return int(steps[lowest]), float(values[lowest])

    def images_at(self, step: int) -> int | None:
        """Return how many real images had been shown by a step; None if the log lacks that step."""
        if step == 0:
            return 0
        rows = np.flatnonzero(self.columns["step"] == step) if len(self) else np.empty(0, int)
        return int(self.columns["pictures"][rows[0]]) if len(rows) else None


def read_log(path: Path) -> Log:
    """Read a log. An incomplete last line, as of a killed process, is ignored, and a missing file is an empty log.

    Raises:
        ImpastoError: any other line is not a JSON object with a step.
    """
    if not path.exists():
        return Log()
    rows: list[dict[str, float]] = []
    events: list[Event] = []
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = migrations.log_row(json.loads(line))
            step = int(row["step"])
            numbers = {name: float(value) for name, value in row.items() if isinstance(value, int | float)}
            numbers["step"] = step  # which may be a text
        except MALFORMED as error:
            if number == len(lines):
                break
            raise ImpastoError(f"{path}, line {number} is damaged: delete that line.") from error
        if "event" in row:
            events.append(Event(step, str(row["event"])))
            continue
        while rows and rows[-1]["step"] >= step:
            rows.pop()
        rows.append(numbers)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
    return Log(columns, tuple(events))
