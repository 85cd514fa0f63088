"""``log.jsonl``: one JSON object a step, the log that reports are made from."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from impasto.errors import MALFORMED
from impasto.files import atomic_write, full_disk_errors
from impasto.training.callbacks import Estimate, Row
from impasto.training.loggers import LOGGERS
from impasto.training.loggers.base import Logger


@LOGGERS.register("jsonl")
class JsonLinesLogger(Logger):
    """Append rows and events to ``log.jsonl``."""

    def on_rows(self, rows: Sequence[Row], estimate: Estimate) -> None:
        self._append(rows)

    def on_event(self, step: int, text: str) -> None:
        self._append([{"step": step, "event": text}])

    def on_rewind(self, step: int) -> None:
        """Remove the rows after ``step``, and a last line that a killed process left incomplete. Events stay."""
        kept: list[str] = []
        for line in self.run.log_file.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(*MALFORMED):
                row = json.loads(line)
                if row["step"] <= step or "event" in row:
                    kept.append(line)
        with atomic_write(self.run.log_file) as part:
            part.write_text("".join(line + "\n" for line in kept), encoding="utf-8")

    def _append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with full_disk_errors(self.run.log_file), self.run.log_file.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
