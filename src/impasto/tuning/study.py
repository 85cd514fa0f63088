"""A study: trials in a storage that several processes share, each of which may die at any moment."""

import hashlib
import os
import platform
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from filelock import FileLock

from impasto.config.settings import Choice, Searched
from impasto.errors import ImpastoError
from impasto.files import make_folder
from impasto.reports.tuning_results import without_password

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

#: Seconds between two signs of life of a trial, and without one after which it counts as dead.
PULSE, GRACE = 20.0, 120.0
#: What databases say where two processes make the same tables, and how often they are tried.
STUMBLED, TRIES = ("already exists", "locked", "UNIQUE", "duplicate"), 5
#: How often a trial whose process died is tried again.
RETRIES = 3
#: Trials, at least, of which it can be told what matters.
ENOUGH = 8
#: What a trial that is tried again takes over.
KEPT = ("run", "looks", "seconds")
#: Successive halving (Jamieson & Talwalkar 2016; asynchronous: Li et al. 2020, arXiv:1810.05934): after each share of
#: the budget, only the best of so many go on, of those that came so far.
FACTOR = 3
RUNGS = (1 / FACTOR**2, 1 / FACTOR, 1.0)
#: Trials of a search that are drawn at random before its results guide it: a third of them, but within these bounds.
DRAWN = (4, 10)


def open_storage(where: str) -> "optuna.storages.BaseStorage":
    """The storage at a database's URL or in a journal file (``.log``, ``.jsonl``, ``.journal``).

    Raises :class:`impasto.errors.ImpastoError` if it cannot be opened.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    if "://" not in where:
        if Path(where).suffix not in {".log", ".jsonl", ".journal"}:
            raise ImpastoError(
                f"The storage '{where}' is neither a database (sqlite:///study.db, postgresql://…) nor a journal file "
                "(study.log)."
            )
        make_folder(Path(where).parent)
        try:
            return JournalStorage(JournalFileBackend(where))
        except (OSError, ValueError) as error:
            raise ImpastoError(f"The journal {where} cannot be opened: {error}.") from error
    if where.startswith("sqlite:///"):
        make_folder(Path(where.removeprefix("sqlite:///")).parent)
    # SQLite locks the whole file: several writers wait for each other.
    patience = {"connect_args": {"timeout": 100}} if where.startswith("sqlite") else {}
    attempt = 0
    while True:
        attempt += 1
        try:
            return optuna.storages.RDBStorage(where, engine_kwargs=patience)
        except ImportError as error:
            wrong = f"needs a driver that is not installed: {error}."
            raise ImpastoError(f"The storage {without_password(where)} {wrong}") from error
        except Exception as error:  # whatever the driver of a database raises
            # Of processes that begin a database at the same moment, one makes its tables and the others stumble.
            if attempt < TRIES and any(words in str(error) for words in STUMBLED):
                time.sleep(1)
                continue
            wrong = f"cannot be opened: {' '.join(str(error).split())[:200]}"
            raise ImpastoError(f"The storage {without_password(where)} {wrong}") from error


def open_study(
    storage: "optuna.storages.BaseStorage", name: str, objectives: int, definition: Mapping[str, Any]
) -> "optuna.Study":
    """The study of that name, begun if there is none yet.

    Raises :class:`impasto.errors.ImpastoError` if it is one of another ``definition``.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=["minimize"] * objectives,
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=FACTOR),
            load_if_exists=True,
        )
    except (OSError, ValueError) as error:  # a journal is read only now
        raise ImpastoError(f"The storage of study '{name}' cannot be read: {error}. Name another.") from error
    begun = study.user_attrs.get("definition")
    if begun is None:
        study.set_user_attr("definition", dict(definition))
    elif begun != dict(definition):
        other = ", ".join(key for key in definition if begun.get(key) != definition[key])
        raise ImpastoError(f"The study '{name}' was begun with another {other}: name another with --study or --out.")
    return study


@contextmanager
def turn(where: str) -> Iterator[None]:
    """Inside, no other process asks the storage at ``where`` for a trial: SQLite, unlike others, would give a trial
    that waits to two who ask at once."""
    if not where.startswith("sqlite:///"):
        yield
        return
    with FileLock(f"{where.removeprefix('sqlite:///')}.lock"):
        yield


def begin_trial(
    study: "optuna.Study", space: Mapping[str, Searched], own: Mapping[str, Any], seed: int, trials: int
) -> "optuna.Trial":
    """The next trial, with its settings drawn: the ``own`` ones of the recipe for the first, to compare with; then by
    TPE (Bergstra et al. 2011), from the trials that are done."""
    import optuna

    trial = study.ask()
    drawn = min(max(DRAWN[0], trials // 3), DRAWN[1])
    # A seed for each trial, or all processes would draw the same.
    study.sampler = optuna.samplers.TPESampler(seed=(seed * 1_000_003 + trial.number) % 2**32, n_startup_trials=drawn)
    if trial.number == 0:
        fixed = {name: _encoded(own[name]) if isinstance(space[name], Choice) else own[name] for name in space}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.sampler = optuna.samplers.PartialFixedSampler(fixed, study.sampler)
    for name, where in space.items():
        _draw(trial, name, where)
    return trial


def settings(trial: "FrozenTrial | optuna.Trial", space: Mapping[str, Searched]) -> dict[str, Any]:
    """The settings of a trial as a recipe has them."""
    found = {}
    for name, value in trial.params.items():
        where = space[name]
        choices = where.choices if isinstance(where, Choice) else (value,)
        found[name] = next(each for each in choices if _encoded(each) == value)
    return found


def _draw(trial: "optuna.Trial", name: str, where: Searched) -> None:
    if isinstance(where, Choice):
        trial.suggest_categorical(name, [_encoded(each) for each in where.choices])
    elif isinstance(where.low, int) and isinstance(where.high, int):
        trial.suggest_int(name, where.low, where.high, log=where.log)
    else:
        trial.suggest_float(name, where.low, where.high, log=where.log)


def _encoded(choice: Any) -> Any:
    """A choice as a storage can hold it: lists as text."""
    return choice if isinstance(choice, bool | int | float | str | None) else str(list(choice))


# Who is alive.


def worker() -> str:
    """This process, by machine, number and start."""
    return f"{_machine()}/{os.getpid()}/{psutil.Process().create_time():.0f}"


def _machine() -> str:
    """This machine's name, and a digest by which others of that name are told from it."""
    name = platform.node()
    return f"{name}-{hashlib.blake2b(f'{name} {uuid.getnode()}'.encode(), digest_size=3).hexdigest()}"


@contextmanager
def pulse(trial: "optuna.Trial") -> Iterator[None]:
    """Inside, the trial gives signs of life."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(PULSE):
            # A storage that cannot be reached for a moment is no reason to end a training.
            try:
                trial.set_user_attr("seen", time.time())
            except Exception as error:
                warnings.warn(f"The storage cannot be reached: {error}", stacklevel=1)

    trial.set_user_attr("worker", worker())
    trial.set_user_attr("seen", time.time())
    thread = threading.Thread(target=beat, daemon=True, name="pulse")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def alive(trial: "FrozenTrial") -> bool:
    """Whether the process of a running trial lives: it is asked on this machine, and by its signs on others."""
    machine, _, process = trial.user_attrs.get("worker", "").partition("/")
    if machine == _machine():
        number, _, started = process.partition("/")
        try:
            found = psutil.Process(int(number))
            return found.status() != psutil.STATUS_ZOMBIE and abs(found.create_time() - float(started)) < 2
        except psutil.NoSuchProcess:
            return False
    seen = trial.user_attrs.get("seen") or (trial.datetime_start.timestamp() if trial.datetime_start else 0.0)
    return bool(time.time() - seen < GRACE)


def bury_the_dead(study: "optuna.Study", say: Callable[[str], object]) -> None:
    """Marks the running trials whose process died as failed, and has their settings tried again."""
    import optuna

    running = optuna.trial.TrialState.RUNNING
    for trial in study.get_trials(deepcopy=False, states=[running]):
        if not alive(trial) and put_back(study, trial, tries(trial) + 1):
            say(f"Trial {trial.number} died; what it had learned is gone on with.")


def put_back(study: "optuna.Study", begun: "FrozenTrial | optuna.Trial", nth: int | None = None) -> bool:
    """Marks a trial as failed and has its settings tried again, in the same run folder, as their ``nth`` try: the same
    as now if not given. False if another process did so, or they were tried often enough."""
    import optuna

    trial = study.get_trials(deepcopy=False)[begun.number]
    nth = nth or tries(trial)
    if not finish(study, trial, "FAIL") or nth > 1 + RETRIES:
        return False
    study.add_trial(
        optuna.trial.create_trial(
            state=optuna.trial.TrialState.WAITING,
            # A waiting trial takes its settings from here when they are drawn.
            system_attrs={**_rungs(trial), "fixed_params": trial.system_attrs.get("fixed_params", {}) | trial.params},
            user_attrs={
                **{name: trial.user_attrs[name] for name in KEPT if name in trial.user_attrs},
                "retry_of": first(trial),
                "tries": nth,
            },
            intermediate_values=trial.intermediate_values,
        )
    )
    return True


def finish(
    study: "optuna.Study", trial: "FrozenTrial | optuna.Trial", state: str, values: Sequence[float] | None = None
) -> bool:
    """Tells the study how a trial ended; False if it was taken for dead by another process meanwhile."""
    import optuna

    try:
        study.tell(trial.number, values, optuna.trial.TrialState[state])
    except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
        if study.get_trials(deepcopy=False)[trial.number].state.name == "RUNNING":
            raise
        return False
    return True


def require_same_pictures(study: "optuna.Study", fingerprints: Mapping[str, str]) -> None:
    """Refuses to learn from other pictures than the study's other trials do.

    Raises :class:`impasto.errors.ImpastoError`.
    """
    for kind, fingerprint in fingerprints.items():
        known = study.user_attrs.get(kind)
        if known is None:
            study.set_user_attr(kind, fingerprint)
        elif known != fingerprint:
            raise ImpastoError(f"These {kind} are not those that the study's other trials learn from.")


def importance(study: "optuna.Study") -> dict[str, float]:
    """Each setting's share in how much the score varies at the first look (PED-ANOVA: Watanabe et al. 2023), which
    nearly every trial has, while few are complete; empty while there are too few."""
    import optuna

    early = optuna.create_study()
    for trial in study.get_trials(deepcopy=False):
        look = trial.user_attrs.get("looks", {}).get(str(RUNGS[0]))
        if look is not None and trial.state.name in ("COMPLETE", "PRUNED"):
            early.add_trial(
                optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=look)
            )
    if len(early.trials) < ENOUGH:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return optuna.importance.get_param_importances(early, evaluator=evaluator)


def wanted(study: "optuna.Study", trials: int) -> bool:
    """Whether there are fewer trials than there shall be, or one is waiting to be tried again; those that died or were
    stopped, and are tried again, count once."""
    known = study.get_trials(deepcopy=False)
    return len({first(trial) for trial in known}) < trials or any(trial.state.name == "WAITING" for trial in known)


def first(trial: "FrozenTrial | optuna.Trial") -> int:
    """The number of the trial that first had its settings; that of the recipe's own is 0."""
    return int(trial.user_attrs.get("retry_of", trial.number))


def tries(trial: "FrozenTrial | optuna.Trial") -> int:
    """How often its settings were tried, this time included."""
    return int(trial.user_attrs.get("tries", 1))


def _rungs(trial: "FrozenTrial") -> dict[str, Any]:
    """What successive halving remembers of a trial."""
    return {name: value for name, value in trial.system_attrs.items() if name.startswith("completed_rung_")}
