"""TensorBoard event files, in the run's folder ``tensorboard``."""

import io
import os
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from impasto.config.types import Pixels
from impasto.files import full_disk_errors
from impasto.training.callbacks import Estimate, Row
from impasto.training.loggers import LOGGERS
from impasto.training.loggers.base import Logger


class EventFile:
    """Scalars and images by step, in TensorBoard's file format.

    Written synchronously: ``SummaryWriter`` writes in another thread, which prints a traceback where a full disk should
    be one line (docs/decisions.md).
    """

    def __init__(self, folder: Path, step: int) -> None:
        """Begin a new file in ``folder``; TensorBoard then ignores what earlier ones hold of ``step`` and later."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{os.getpid()}"
        self._writer = RecordWriter((folder / name).open("wb"))
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._write(Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START)))
        self._writer.flush()

    def add(self, step: int, *values: Summary.Value) -> None:
        """Add the values of one step."""
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _write(self, event: Event) -> None:
        self._writer.write(event.SerializeToString())


@LOGGERS.register("tensorboard")
class TensorBoardLogger(Logger):
    """Write the numbers of the log as scalars, and sample grids as JPEG images."""

    _events: EventFile | None = None
    _first = 0  # the first step of the next file

    def on_rows(self, rows: Sequence[Row], estimate: Estimate) -> None:
        for row in rows:
            numbers = (Summary.Value(tag=name, simple_value=value) for name, value in row.items() if name != "step")
            self._add(row["step"], *numbers)

    def on_image(self, name: str, step: int, image: Pixels) -> None:
        encoded = io.BytesIO()
        Image.fromarray(image).save(encoded, format="JPEG", quality=92, subsampling=0)
        height, width, channels = image.shape
        value = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=encoded.getvalue())
        self._add(step, Summary.Value(tag=name, image=value))

    def on_rewind(self, step: int) -> None:
        self.close()
        self._first = step + 1

    def close(self) -> None:
        events, self._events = self._events, None
        if events is not None:
            with full_disk_errors(self.run.tensorboard):
                events.close()

    def _add(self, step: int, *values: Summary.Value) -> None:
        with full_disk_errors(self.run.tensorboard):
            if self._events is None:
                self._events = EventFile(self.run.tensorboard, self._first)
            self._events.add(step, *values)
