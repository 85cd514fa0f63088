"""The log for TensorBoard."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


class EventFile:
    """Numbers by step, in the file format that TensorBoard reads.

    It is written at once, in the thread that asks for it. TensorBoard's own writer works in another thread, where a
    full disk is a stack trace and an unrelated error later on.
    """

    def __init__(self, folder: Path, step: int) -> None:
        """A new file; what earlier files of the folder say of ``step`` and later counts no more."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{os.getpid()}"
        self._writer = RecordWriter((folder / name).open("wb"))
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._write(Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START)))
        self._writer.flush()

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Adds the numbers of one step."""
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=scalars)))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _write(self, event: Event) -> None:
        self._writer.write(event.SerializeToString())
