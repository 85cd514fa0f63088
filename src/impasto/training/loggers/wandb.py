"""Weights & Biases (https://wandb.ai).

Its environment variables apply, such as ``WANDB_MODE=offline``, ``WANDB_PROJECT`` and ``WANDB_ENTITY``. Files are
written to the run's folder ``wandb``.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from PIL import Image

from impasto.config.types import Pixels
from impasto.errors import ImpastoError
from impasto.training.callbacks import Estimate, Row
from impasto.training.loggers import LOGGERS
from impasto.training.loggers.base import PROJECT, Tracker

if TYPE_CHECKING:
    from impasto.training.run_dir import RunDir


@LOGGERS.register("wandb")
class WandbLogger(Tracker):
    """Report to Weights & Biases, numbers on an axis "step"."""

    module = extra = "wandb"
    # Without this even offline runs open a connection, to report wandb's own errors.
    environment: ClassVar[Mapping[str, str]] = {"WANDB_ERROR_REPORTING": "false"}

    def __init__(self, run: "RunDir") -> None:
        super().__init__(run)
        self._wandb = self.client()
        settings = self._wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            save_code=False,
            x_disable_stats=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
        )
        try:
            self._run = self._wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                name=run.path.name,
                dir=str(run.path),
                id=self.remembered(),
                resume="allow",
                config=run.recipe.values(),
                settings=settings,
            )
        except (self._wandb.errors.Error, OSError) as error:
            raise ImpastoError(
                f"Weights & Biases cannot be opened ({error}): run 'wandb login', or set WANDB_MODE=offline."
            ) from error
        self.remember(self._run.id)
        # wandb drops values of a step before its latest one, as they come after a rollback: an axis of its own.
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def on_rows(self, rows: Sequence[Row], estimate: Estimate) -> None:
        for row in rows:
            self._run.log(dict(row))

    def on_image(self, name: str, step: int, image: Pixels) -> None:
        self._run.log({"step": step, name: self._wandb.Image(Image.fromarray(image), file_type="jpg")})

    def on_event(self, step: int, text: str) -> None:
        self._run.log({"step": step, "event": text})

    def close(self) -> None:
        self._run.finish()
        self._wandb.teardown()
