"""Settings of the next trial: the baseline first, then by TPE (Bergstra et al. 2011)."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from impasto.config.search_space import Choice, Searched
from impasto.errors import ImpastoError

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

#: Bounds of how many trials are random before TPE uses their results: a third of them all.
RANDOM_TRIALS = (4, 10)


def ask_trial(
    study: "optuna.Study", space: Mapping[str, Searched], baseline: Mapping[str, Any], seed: int, trials: int
) -> "optuna.Trial":
    """Begin the next trial of a study.

    Args:
        study: to ask.
        space: the search space of each setting.
        baseline: the settings of trial 0.
        seed: of the study.
        trials: how many there will be in all.
    """
    import optuna

    trial = study.ask()
    random = min(max(RANDOM_TRIALS[0], trials // 3), RANDOM_TRIALS[1])
    # One seed for each trial, or all processes would sample the same settings.
    study.sampler = optuna.samplers.TPESampler(seed=(seed * 1_000_003 + trial.number) % 2**32, n_startup_trials=random)
    if trial.number == 0:
        fixed = {name: _encode(baseline[name]) if isinstance(space[name], Choice) else baseline[name] for name in space}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.sampler = optuna.samplers.PartialFixedSampler(fixed, study.sampler)
    for name, searched in space.items():
        _suggest(trial, name, searched)
    return trial


def trial_settings(trial: "FrozenTrial | optuna.Trial", space: Mapping[str, Searched]) -> dict[str, Any]:
    """Return the settings of a trial, by dotted name, as a recipe holds them. ImpastoError for those that another
    program put into the storage."""
    settings = {}
    for name, value in trial.params.items():
        searched = space.get(name)
        choices = searched.choices if isinstance(searched, Choice) else (value,)
        found = [choice for choice in choices if _encode(choice) == value]
        if searched is None or not found:
            raise ImpastoError(f"Trial {trial.number} has {name} = {value}, which is not in the search space.")
        settings[name] = found[0]
    return settings


def _suggest(trial: "optuna.Trial", name: str, searched: Searched) -> None:
    if isinstance(searched, Choice):
        trial.suggest_categorical(name, [_encode(choice) for choice in searched.choices])
    elif isinstance(searched.low, int) and isinstance(searched.high, int):
        trial.suggest_int(name, searched.low, searched.high, log=searched.log)
    else:
        trial.suggest_float(name, searched.low, searched.high, log=searched.log)


def _encode(choice: Any) -> Any:
    """Return a choice as Optuna can store it: lists as text."""
    return choice if isinstance(choice, bool | int | float | str | None) else str(list(choice))
