"""Storages are opened or refused in one line, and shared by processes."""

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from fixtures.command import ROOT
from fixtures.studies import BASELINE, SPACE, open_bare, small_definition
from impasto.errors import ImpastoError
from impasto.tuning.sampling import trial_settings
from impasto.tuning.storage import open_storage, sqlite_lock
from impasto.tuning.study import open_study


def test_a_storage_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.log").mkdir()
    (tmp_path / "broken.log").write_text("not a journal\n")
    definition = small_definition()
    for name in ("study.txt", "folder.log", "broken.log"):
        with pytest.raises(ImpastoError, match=r"storage|journal"):
            open_study(open_storage(str(tmp_path / name)), "s", definition)
    for url in ("nonsense://x", f"sqlite:///{tmp_path}"):
        with pytest.raises(ImpastoError, match="storage"):
            open_storage(url)


def test_an_interruption_while_a_connection_is_returned_prints_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLAlchemy logs its traceback and raises it."""
    import sqlalchemy

    storage = open_storage(f"sqlite:///{tmp_path / 'study.db'}")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    sqlalchemy.event.listen(storage.engine, "reset", interrupt)  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        storage.get_all_studies()
    assert not caplog.records


def test_one_process_at_a_time_asks_sqlite_for_a_trial(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with sqlite_lock(url), pytest.raises(Timeout), FileLock(tmp_path / "study.db.lock", timeout=0):
        pass
    with sqlite_lock("postgresql://host/name"):
        assert [path.name for path in tmp_path.iterdir()] in ([], ["study.db.lock"])


@pytest.mark.long
def test_processes_that_create_a_study_at_the_same_moment_share_it(tmp_path: Path) -> None:
    """They import everything first, and begin together when this process says so."""
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tests")!r})
import optuna.storages, optuna.samplers, optuna.pruners
from fixtures.studies import ask, open_bare
print("ready", flush=True)
sys.stdin.readline()
ask(open_bare(Path({str(tmp_path)!r})))
"""
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
    trials = open_bare(tmp_path).trials
    assert [trial.number for trial in trials] == [0, 1]
    assert trial_settings(trials[0], SPACE) == BASELINE
    assert len({str(trial.params) for trial in trials}) == 2
