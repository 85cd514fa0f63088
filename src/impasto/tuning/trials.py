"""What a trial records in the storage: user attributes, and how it ended."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from impasto.config import migrations
from impasto.errors import MALFORMED, ImpastoError

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial


class _TrialAttributes(BaseModel):
    """The user attributes of a trial.

    ``worker`` and ``last_heartbeat`` tell whether its process lives; ``run`` is the run folder, for people only,
    ``rung_scores`` the first objective by share of the budget, ``copies`` the share of the images that reproduce
    training images, ``seconds`` and ``steps`` the cost, ``error`` why it failed; ``retry_of`` and ``attempt`` belong to
    a trial that repeats another one's settings.
    """

    worker: str = ""
    last_heartbeat: float = 0.0
    run: str = ""
    rung_scores: dict[Annotated[str, Field(pattern=r"^[01](\.\d{1,20})?$")], float] = {}
    copies: float = Field(0.0, ge=0, le=1)
    seconds: float = 0.0
    steps: int = 0
    error: str = ""
    retry_of: int = Field(0, ge=0, lt=10**9)
    attempt: int = Field(1, ge=1)


def trial_attributes(trial: "FrozenTrial | optuna.Trial") -> dict[str, Any]:
    """Return the user attributes of a trial that are set, by this version's names.

    ImpastoError for values that impasto does not write: whoever can write into the storage can set any.
    """
    try:
        attributes = _TrialAttributes.model_validate(migrations.trial_attributes(trial.user_attrs))
        return attributes.model_dump(exclude_unset=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ImpastoError(
            f"Trial {trial.number} has an attribute in the storage that impasto did not write ({where}: "
            f"{first['msg']}): choose another --storage or --study."
        ) from error


@contextmanager
def storage_errors(study: "optuna.Study") -> Iterator[None]:
    """Turn what reading unexpected values of a study raises into an ImpastoError."""
    try:
        yield
    except MALFORMED as error:
        raise ImpastoError(
            f"The storage of study '{study.study_name}' holds values that impasto did not write ({error}): choose "
            "another --storage or --study."
        ) from error


def original_number(trial: "FrozenTrial | optuna.Trial") -> int:
    """Return the number of the trial that first had these settings; 0 is the baseline."""
    return int(trial_attributes(trial).get("retry_of", trial.number))


def attempt(trial: "FrozenTrial | optuna.Trial") -> int:
    """Return how often these settings have been tried, this trial included."""
    return int(trial_attributes(trial).get("attempt", 1))


def run_name(study: str, trial: "FrozenTrial | optuna.Trial") -> str:
    """Return the run folder of a trial, relative to the study's folder: the same for all attempts, and never read from
    the storage, as it is replaced."""
    return f"trials/{study}/{original_number(trial):04d}"


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
