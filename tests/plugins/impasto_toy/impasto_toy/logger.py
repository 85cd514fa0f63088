"""A logger: one comma-separated line a step."""

from collections.abc import Sequence

from impasto.training.callbacks import Estimate, Row
from impasto.training.loggers import LOGGERS
from impasto.training.loggers.base import Logger


@LOGGERS.register("toy-csv")
class CsvLogger(Logger):
    """Append step and losses to ``log.csv``."""

    def on_rows(self, rows: Sequence[Row], estimate: Estimate) -> None:
        with (self.run.path / "log.csv").open("a", encoding="utf-8") as file:
            file.writelines(f"{row['step']},{row['loss_discriminator']},{row['loss_calm']}\n" for row in rows)
