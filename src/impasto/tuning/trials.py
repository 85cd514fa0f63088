"""What a trial records in the storage: user attributes, and how it ended."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from impasto.config import migrations

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial


def trial_attributes(trial: "FrozenTrial | optuna.Trial") -> dict[str, Any]:
    """Return the user attributes of a trial by this version's names.

    ``worker`` and ``last_heartbeat`` tell whether its process lives; ``run`` is the run folder, ``rung_scores`` the
    first objective by share of the budget, ``copies`` the share of the images that reproduce training images,
    ``seconds`` and ``steps`` the cost, ``error`` why it failed; ``retry_of`` and ``attempt`` belong to a trial that
    repeats another one's settings.
    """
    return migrations.trial_attributes(trial.user_attrs)


def original_number(trial: "FrozenTrial | optuna.Trial") -> int:
    """Return the number of the trial that first had these settings; 0 is the baseline."""
    return int(trial_attributes(trial).get("retry_of", trial.number))


def attempt(trial: "FrozenTrial | optuna.Trial") -> int:
    """Return how often these settings have been tried, this trial included."""
    return int(trial_attributes(trial).get("attempt", 1))


def finish_trial(
    study: "optuna.Study", trial: "FrozenTrial | optuna.Trial", state: str, values: Sequence[float] | None = None
) -> bool:
    """Record the final state of a trial; return False if another process had already failed it as dead."""
    import optuna

    try:
        study.tell(trial.number, values, optuna.trial.TrialState[state])
    except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
        if study.get_trials(deepcopy=False)[trial.number].state.name == "RUNNING":
            raise
        return False
    return True
