"""Optuna studies: created or opened, and only continued with the same definition and data."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from impasto.errors import MALFORMED, ImpastoError
from impasto.tuning.definition import StudyDefinition, list_differences
from impasto.tuning.pruning import successive_halving
from impasto.tuning.trials import original_number

if TYPE_CHECKING:
    import optuna


#: Characters of file names that some system refuses or gives a meaning.
RESERVED = '/\\:*?"<>|'
#: Longest name of a study.
MAX_NAME = 100


def require_name(name: str) -> None:
    """Raise ImpastoError for a study's name that cannot be the name of the folder of its runs."""
    plain = name.isprintable() and name == name.strip(" .") and not set(RESERVED) & set(name)
    if not (plain and 0 < len(name) <= MAX_NAME):
        raise ImpastoError(
            f"The study's name '{name}' is also the name of a folder: choose one (--study) of at most {MAX_NAME} "
            "characters, without slashes and without dots or spaces at its ends."
        )


def open_study(storage: "optuna.storages.BaseStorage", name: str, definition: StudyDefinition) -> "optuna.Study":
    """Open the study of that name, or create it. Hold :func:`impasto.tuning.storage.sqlite_lock` meanwhile.

    Raises:
        ImpastoError: it exists with another definition, or the storage cannot be read.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=["minimize"] * len(definition.objectives),
            pruner=successive_halving(),
            load_if_exists=True,
        )
    except (OSError, ValueError) as error:  # a journal is not read before
        raise ImpastoError(f"The storage of study '{name}' cannot be read: {error}. Choose another.") from error
    stored = study.user_attrs.get("definition")
    if stored is None:
        study.set_user_attr("unseen", definition.unseen)  # first: a study with a definition is complete
        study.set_user_attr("definition", definition.to_json())
        return study
    try:
        differences = definition.differences(stored)
    except (ImpastoError, *MALFORMED) as error:
        raise ImpastoError(
            f"The study '{name}' has a recipe that this version cannot read ({str(error).rstrip('.')}): choose another "
            "name with --study."
        ) from error
    if differences:
        raise ImpastoError(
            f"The study '{name}' has another definition ({list_differences(differences)}): choose another name with "
            "--study, or another --out."
        )
    return study


def require_same_data(study: "optuna.Study", fingerprints: Mapping[str, str]) -> None:
    """Record the fingerprints of the data sets in a new study, or compare them.

    Raises:
        ImpastoError: the study's other trials are trained with other images.
    """
    for kind, fingerprint in fingerprints.items():
        known = study.user_attrs.get(kind)
        if known is None:
            study.set_user_attr(kind, fingerprint)
        elif known != fingerprint:
            raise ImpastoError(
                f"These {kind} are not the same images as in the other trials of study '{study.study_name}': give "
                "those, or choose another --study and --out."
            )


def scores_unseen(study: "optuna.Study") -> bool:
    """Return whether the trials of a study are scored against held-out images, as decided when it was created. Those of
    earlier versions were scored against the training images."""
    return bool(study.user_attrs.get("unseen", False))


def needs_trial(study: "optuna.Study", trials: int) -> bool:
    """Return whether a trial is waiting, or there are fewer than ``trials``; retries are not counted."""
    known = study.get_trials(deepcopy=False)
    return len({original_number(trial) for trial in known}) < trials or any(
        trial.state.name == "WAITING" for trial in known
    )
