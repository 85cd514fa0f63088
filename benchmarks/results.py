"""Results of single benchmarks, which ``python -m benchmarks`` collects in a table."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

#: Names the file that results are appended to; without it they are only printed.
COLLECT = "IMPASTO_BENCHMARK_RESULTS"


@dataclass(frozen=True)
class Result:
    """One measurement.

    Attributes:
        what: what was measured, with its size.
        plain: seconds of the plain way; None if there is none to compare with.
        ours: seconds of impasto.
        limit: seconds below which it cannot be, such as those of its convolutions alone; None if it is not known.
        note: anything else, such as memory or the difference of the results.
    """

    what: str
    ours: float
    plain: float | None = None
    limit: float | None = None
    note: str = ""


def record(what: str, ours: float, plain: float | None = None, limit: float | None = None, note: str = "") -> None:
    """Add a result to those that are collected, if they are."""
    if path := os.environ.get(COLLECT):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(Result(what, ours, plain, limit, note))) + "\n")


def collected(path: Path) -> list[Result]:
    """Return the results in a file; none if there is no file."""
    return [Result(**json.loads(line)) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
