"""Trackio (https://github.com/gradio-app/trackio), a local experiment tracker: ``trackio show`` opens it.

Its environment variables apply, such as ``TRACKIO_DIR``.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

from impasto.config.types import Pixels
from impasto.training.callbacks import Estimate, Row
from impasto.training.loggers import LOGGERS
from impasto.training.loggers.base import PROJECT, Tracker

if TYPE_CHECKING:
    from impasto.training.run_dir import RunDir


@LOGGERS.register("trackio")
class TrackioLogger(Tracker):
    """Report to Trackio's local database."""

    module = extra = "trackio"

    def __init__(self, run: "RunDir") -> None:
        super().__init__(run)
        self._trackio = self.client()
        name = self.remembered() or f"{run.path.name}-{run.facts.get('created', '')}"
        with contextlib.redirect_stdout(io.StringIO()):  # it prints how to open its dashboard
            self._run = self._trackio.init(
                project=PROJECT,
                name=name,
                resume="allow",
                config=run.recipe.values(),
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        self.remember(name)

    def on_rows(self, rows: Sequence[Row], estimate: Estimate) -> None:
        for row in rows:
            self._run.log({name: value for name, value in row.items() if name != "step"}, step=row["step"])

    def on_image(self, name: str, step: int, image: Pixels) -> None:
        self._run.log({name: self._trackio.Image(Image.fromarray(image))}, step=step)

    def on_event(self, step: int, text: str) -> None:
        self._run.log({"event": text}, step=step)

    def close(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            self._trackio.finish()
