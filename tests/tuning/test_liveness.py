"""Trials whose process died are found, and their settings are tried again in the same run folder."""

import logging
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from optuna.trial import TrialState

from fixtures.command import ROOT
from fixtures.studies import BASELINE, SPACE, ask, open_bare, open_small
from impasto.tuning.liveness import MAX_RETRIES, fail_dead_trials, heartbeat, is_alive, requeue, worker_id
from impasto.tuning.sampling import trial_settings
from impasto.tuning.study import needs_trial
from impasto.tuning.trials import attempt, finish_trial, trial_attributes


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A process that began a trial of a study in SQLite and of one in a journal file, and was killed."""
    folder = tmp_path_factory.mktemp("killed")
    code = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tests")!r})
from fixtures.studies import ask, open_bare
from impasto.tuning.liveness import heartbeat
from impasto.tuning.trials import finish_trial
trials = []
for journal in (False, True):
    study = open_bare(Path({str(folder)!r}), journal)
    finish_trial(study, ask(study), "COMPLETE", [0.5])
    trials.append(ask(study))
    trials[-1].set_user_attr("run", "0001")
    trials[-1].report(0.7, 1)
with heartbeat(trials[0]), heartbeat(trials[1]):
    print(trials[0].params, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == -9, process.stderr
    return folder, process.stdout.strip()


@pytest.mark.parametrize("journal", [False, True], ids=["sqlite", "journal"])
def test_a_trial_of_a_killed_process_is_tried_again_with_the_same_settings(
    killed: tuple[Path, str], journal: bool, caplog: pytest.LogCaptureFixture
) -> None:
    folder, settings = killed
    study = open_bare(folder, journal)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.RUNNING]
    with caplog.at_level(logging.INFO, "impasto"):
        fail_dead_trials(study)
    assert caplog.messages == ["Trial 1: its process died. Another trial resumes its training."]
    retry = ask(study)
    assert str(retry.params) == settings
    assert trial_attributes(retry)["retry_of"] == 1 and trial_attributes(retry)["run"] == "0001"
    assert study.trials[retry.number].intermediate_values == {1: 0.7}


def test_a_retry_takes_over_what_the_version_before_recorded(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    trial = ask(study)
    for name, value in {"looks": {"0.1": 0.3}, "seconds": 4.0, "run": "0000", "tries": 2, "seen": 9.0}.items():
        trial.set_user_attr(name, value)
    assert requeue(study, trial)
    attributes = trial_attributes(ask(study))
    assert attributes == {"rung_scores": {"0.1": 0.3}, "seconds": 4.0, "run": "0000", "attempt": 2, "retry_of": 0}


def test_a_living_process_is_recognised_by_its_number_here_and_by_its_heartbeat_elsewhere(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    trial = ask(study)
    with heartbeat(trial):
        fail_dead_trials(study)
        (running,) = study.trials
        assert running.state.name == "RUNNING"
        assert is_alive(running) and running.user_attrs["worker"] == worker_id()
    other = ask(study)
    other.set_user_attr("worker", f"elsewhere/{os.getpid()}/{psutil.Process().create_time():.0f}")
    other.set_user_attr("last_heartbeat", time.time() - 30)
    assert is_alive(study.trials[1])
    other.set_user_attr("last_heartbeat", time.time() - 3600)
    assert not is_alive(study.trials[1])


def test_the_heartbeat_survives_a_storage_that_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("impasto.tuning.liveness.HEARTBEAT_INTERVAL", 0.01)
    study = open_small(tmp_path, journal=True)
    trial = ask(study)
    write, calls = trial.set_user_attr, []

    def fail_once(name: str, value: object) -> None:
        calls.append(name)
        if len(calls) == 3:  # after the two of the beginning
            raise OSError("network is down")
        write(name, value)

    monkeypatch.setattr(trial, "set_user_attr", fail_once)
    with heartbeat(trial):
        deadline = time.monotonic() + 20
        while len(calls) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(calls) >= 5
    assert caplog.messages == ["The storage cannot be reached: network is down"]


def test_settings_that_kill_every_process_are_not_tried_for_ever(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    attempts = 0
    while needs_trial(study, 1):
        trial = ask(study)
        attempts += 1
        requeue(study, trial, attempt(trial) + 1)
    assert attempts == 1 + MAX_RETRIES
    assert Counter(trial.state for trial in study.trials) == {TrialState.FAIL: attempts}


def test_a_study_may_be_stopped_on_purpose_any_number_of_times(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    for _ in range(2 * MAX_RETRIES):
        assert requeue(study, ask(study))
    assert needs_trial(study, 1) and trial_settings(ask(study), SPACE) == BASELINE


def test_a_trial_that_another_process_failed_as_dead_does_not_count_twice(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    trial = ask(study)
    assert requeue(study, trial) and not requeue(study, trial)
    assert not finish_trial(study, trial, "COMPLETE", [0.1])
    assert [each.state.name for each in study.trials] == ["FAIL", "WAITING"]
    assert needs_trial(study, 1)
