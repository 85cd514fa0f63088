"""MLflow with its SQLite database, read back by its client."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.logged import IMAGE, LOSSES, create_run, log_everything
from impasto.errors import ImpastoError
from impasto.training.loggers.mlflow import MlflowLogger

pytestmark = [
    pytest.mark.skipif(find_spec("mlflow") is None, reason="mlflow is not installed"),
    # Of SQLAlchemy 2.1, at MLflow's first use of a database.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]


def test_numbers_images_and_settings_are_in_one_run_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    import mlflow

    run = create_run(tmp_path)
    run.note(status="finished")
    log_everything(run, MlflowLogger)
    client = mlflow.MlflowClient(f"sqlite:///{run.path / 'mlflow.db'}")
    identifier = run.facts["trackers"]["mlflow"]
    history = client.get_metric_history(identifier, "loss")
    newest = {each.step: each.value for each in sorted(history, key=lambda each: each.timestamp)}
    assert newest == LOSSES
    found = client.get_run(identifier)
    assert found.info.run_name == "monets" and found.info.status == "FINISHED"
    assert found.data.params["batch"] == str(run.recipe.batch) and found.data.params["generator.network"] == "dcgan"
    assert found.data.tags["event.2"] == "Rolled back to step 2"
    assert found.data.metrics["KID.efficientnet-lite0. 256 v 24"] == 0.5
    paths = [each.path for each in client.list_artifacts(identifier, "samples")]
    assert paths == ["samples/step-00000000.jpg", "samples/step-00000004.jpg"]
    with Image.open(client.download_artifacts(identifier, paths[0], str(tmp_path))) as image:
        assert np.abs(np.asarray(image).astype(int) - IMAGE).mean() < 12  # JPEG with subsampled colour
    assert len(client.search_runs([found.info.experiment_id])) == 1
    for status, state in (("stopped", "KILLED"), ("running", "FAILED")):  # by Ctrl-C; by an error
        run.note(status=status)
        MlflowLogger(run).close()
        assert client.get_run(identifier).info.status == state


def test_a_wrong_address_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://here")
    with pytest.raises(ImpastoError, match="check MLFLOW_TRACKING_URI") as error:
        MlflowLogger(create_run(tmp_path))
    assert "\n" not in str(error.value)
