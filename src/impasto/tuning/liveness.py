"""Dead workers: heartbeats of running trials, and requeueing of those whose process died.

Optuna's own heartbeat exists for databases only, not for journal files, stops after one failed write, and does not
carry the rungs of successive halving over to the retry.
"""

import hashlib
import logging
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil

from impasto.tuning.trials import attempt, finish_trial, original_number, trial_attributes

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

_log = logging.getLogger(__name__)

#: Seconds between two heartbeats of a trial, and after the last one until it counts as dead.
HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT = 20.0, 120.0
#: How often a trial whose process died is tried again.
MAX_RETRIES = 3
#: Attributes that a retry takes over: it resumes the same run folder.
RESUMED = ("run", "rung_scores", "seconds")


def worker_id() -> str:
    """Return a name for this process: ``machine/process number/start time``."""
    return f"{_machine_id()}/{os.getpid()}/{psutil.Process().create_time():.0f}"


def _machine_id() -> str:
    """Return this machine's name with a digest of its hardware address, as names may not be unique."""
    name = platform.node()
    return f"{name}-{hashlib.blake2b(f'{name} {uuid.getnode()}'.encode(), digest_size=3).hexdigest()}"


@contextmanager
def heartbeat(trial: "optuna.Trial") -> Iterator[None]:
    """Write the time into a running trial every :data:`HEARTBEAT_INTERVAL` seconds."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT_INTERVAL):
            # A storage that is out of reach for a moment is no reason to end a training.
            try:
                trial.set_user_attr("last_heartbeat", time.time())
            except Exception as error:
                _log.warning("The storage cannot be reached: %s", error)

    trial.set_user_attr("worker", worker_id())
    trial.set_user_attr("last_heartbeat", time.time())
    thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def is_alive(trial: "FrozenTrial") -> bool:
    """Return whether the process of a running trial lives, by its process number on this machine, else by its
    heartbeat."""
    attributes = trial_attributes(trial)
    machine, _, process = attributes.get("worker", "").partition("/")
    if machine == _machine_id():
        number, _, started = process.partition("/")
        try:
            found = psutil.Process(int(number))
            return found.status() != psutil.STATUS_ZOMBIE and abs(found.create_time() - float(started)) < 2
        except psutil.NoSuchProcess:
            return False
    begun = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    last = attributes.get("last_heartbeat") or begun
    return bool(time.time() - last < HEARTBEAT_TIMEOUT)


def fail_dead_trials(study: "optuna.Study") -> None:
    """Mark running trials whose process died as failed, and requeue their settings."""
    import optuna

    running = optuna.trial.TrialState.RUNNING
    for trial in study.get_trials(deepcopy=False, states=[running]):
        if not is_alive(trial) and requeue(study, trial, attempt(trial) + 1):
            _log.info("Trial %d: its process died. Another trial resumes its training.", trial.number)


def requeue(study: "optuna.Study", trial: "FrozenTrial | optuna.Trial", next_attempt: int | None = None) -> bool:
    """Mark a trial as failed and enqueue its settings again, in the same run folder.

    Args:
        study: to which the trial belongs.
        trial: a running trial.
        next_attempt: the number of the new attempt; the same as now if not given.

    Returns:
        False if another process did so already, or after :data:`MAX_RETRIES` retries.
    """
    import optuna

    failed = study.get_trials(deepcopy=False)[trial.number]
    next_attempt = next_attempt or attempt(failed)
    if not finish_trial(study, failed, "FAIL") or next_attempt > 1 + MAX_RETRIES:
        return False
    attributes = trial_attributes(failed)
    study.add_trial(
        optuna.trial.create_trial(
            state=optuna.trial.TrialState.WAITING,
            # Optuna gives a waiting trial these values when its settings are suggested.
            system_attrs=_rungs(failed) | {"fixed_params": failed.system_attrs.get("fixed_params", {}) | failed.params},
            user_attrs={
                **{name: attributes[name] for name in RESUMED if name in attributes},
                "retry_of": original_number(failed),
                "attempt": next_attempt,
            },
            intermediate_values=failed.intermediate_values,
        )
    )
    return True


def _rungs(trial: "FrozenTrial") -> dict[str, Any]:
    """Return what Optuna's successive halving stores of a trial."""
    return {name: value for name, value in trial.system_attrs.items() if name.startswith("completed_rung_")}
