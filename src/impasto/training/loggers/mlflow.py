"""MLflow (https://mlflow.org).

``MLFLOW_TRACKING_URI`` names the server or database; without it, it is ``mlflow.db`` in the run's folder.
"""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from PIL import Image

from impasto.config.types import Pixels
from impasto.errors import ImpastoError
from impasto.training.callbacks import Estimate, Row
from impasto.training.loggers import LOGGERS
from impasto.training.loggers.base import PROJECT, Tracker

if TYPE_CHECKING:
    from impasto.training.run_dir import RunDir

#: MLflow takes at most so many metrics in one call.
MOST_METRICS = 1000
#: MLflow's state of a training by the status in ``run.json``.
STATES = {"finished": "FINISHED", "stopped": "KILLED"}


@LOGGERS.register("mlflow")
class MlflowLogger(Tracker):
    """Report to MLflow: the recipe as parameters, the log as metrics, sample grids as image artifacts."""

    module = extra = "mlflow"
    environment: ClassVar[Mapping[str, str]] = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}

    def __init__(self, run: "RunDir") -> None:
        super().__init__(run)
        mlflow = self.client()
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # it reports each new table
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        try:
            self._client = mlflow.MlflowClient(uri or f"sqlite:///{run.path.resolve() / 'mlflow.db'}")
            self._id = self._open(mlflow, None if uri else (run.path.resolve() / "mlflow").as_uri())
        except (mlflow.exceptions.MlflowException, OSError) as error:
            raise ImpastoError(f"MLflow cannot be opened ({error}): check MLFLOW_TRACKING_URI.") from error
        self.remember(self._id)

    def _open(self, mlflow: Any, artifacts: str | None) -> str:
        """Return the id of this run in MLflow, whose files go to ``artifacts``."""
        before = self.remembered()
        if before is not None:
            try:
                self._client.update_run(before, status="RUNNING")
                return before
            except mlflow.exceptions.MlflowException:  # another database
                pass
        found = self._client.get_experiment_by_name(PROJECT)
        experiment = found.experiment_id if found else self._client.create_experiment(PROJECT, artifacts)
        run: str = self._client.create_run(experiment, run_name=self.run.path.name).info.run_id
        settings = _flat(self.run.recipe.values())
        self._client.log_batch(run, params=[mlflow.entities.Param(name, str(value)) for name, value in settings])
        return run

    def on_rows(self, rows: Sequence[Row], estimate: Estimate) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [
            Metric(_allowed(name), float(value), now, row["step"])
            for row in rows
            for name, value in row.items()
            if name != "step"
        ]
        for first in range(0, len(metrics), MOST_METRICS):
            self._client.log_batch(self._id, metrics=metrics[first : first + MOST_METRICS])

    def on_image(self, name: str, step: int, image: Pixels) -> None:
        self._client.log_image(self._id, Image.fromarray(image), artifact_file=f"{name}/step-{step:08d}.jpg")

    def on_event(self, step: int, text: str) -> None:
        self._client.set_tag(self._id, f"event.{step}", text)

    def close(self) -> None:
        self._client.set_terminated(self._id, STATES.get(self.run.facts.get("status", ""), "FAILED"))


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested settings as dotted names and values."""
    flat: list[tuple[str, Any]] = []
    for name, value in values.items():
        flat += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return flat


def _allowed(name: str) -> str:
    """Return a metric's name in the characters that MLflow allows: ``KID[x] 256 v 24`` becomes ``KID.x. 256 v 24``."""
    return "".join(letter if letter.isalnum() or letter in "_-./: " else "." for letter in name)
