"""What loggers share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.trainers import trainer
from impasto.errors import ImpastoError
from impasto.training.loggers import LOGGERS, open_loggers, require_loggers
from impasto.training.loggers.base import Tracker


def test_a_missing_client_is_reported_in_one_line_with_the_command_that_installs_it() -> None:
    class Missing(Tracker):
        module, extra = "no_such_module", "missing"

    with pytest.raises(ImpastoError, match=r"pip install 'impasto\[missing\]'$"):
        Missing.require()


def test_an_unknown_logger_is_refused_with_the_most_similar_one() -> None:
    with pytest.raises(ImpastoError, match="no logger 'wandbb'; did you mean 'wandb'"):
        require_loggers(["wandbb"])


def test_the_trackers_are_registered_and_optional() -> None:
    trackers = {name for name, kind in LOGGERS.items() if issubclass(kind, Tracker)}
    assert trackers == {"wandb", "mlflow", "trackio"}
    assert not any(LOGGERS[name].required for name in trackers)
    assert set(LOGGERS) - trackers == {"jsonl", "tensorboard"}


@pytest.fixture
def unusable() -> Iterator[str]:
    """The name of a logger whose client is not installed."""

    class Unusable(Tracker):
        module = extra = "no_such_module"

    LOGGERS.register("unusable")(Unusable)
    yield "unusable"
    del LOGGERS._things["unusable"]


def test_a_run_resumes_without_a_tracker_that_is_not_installed_here(
    tmp_path: Path, unusable: str, caplog: pytest.LogCaptureFixture
) -> None:
    run = trainer(tmp_path / "run").run
    opened = open_loggers(run, [unusable], resumed=True)
    assert [type(each).__name__ for each in opened] == ["JsonLinesLogger", "TensorBoardLogger"]
    assert "resumes without the logger unusable" in caplog.text
    with pytest.raises(ImpastoError, match="pip install"):
        open_loggers(run, [unusable])
