"""Results of a study: for its report, and the best recipe."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from impasto._version import __version__
from impasto.config.search_space import Searched
from impasto.files import atomic_write
from impasto.reports.tuning_results import Trial, Tuning
from impasto.tuning.definition import StudyDefinition
from impasto.tuning.pruning import RUNGS
from impasto.tuning.sampling import trial_settings
from impasto.tuning.trials import original_number, run_name, trial_attributes

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

#: Trials needed to estimate the importance of settings.
MIN_TRIALS = 8


def tuning_results(study: "optuna.Study", definition: StudyDefinition, storage: str) -> Tuning:
    """Return a study with all of its trials as they are now."""
    return Tuning(
        impasto=__version__,
        created=datetime.now(UTC).replace(microsecond=0),
        study=study.study_name,
        recipe=definition.recipe.name,
        storage=storage,
        budget=definition.budget,
        seeds=definition.seeds,
        seed=definition.seed,
        objectives=definition.labels,
        space=definition.recipe.tune,
        trials=[
            _trial(trial, definition.recipe.tune, run_name(study.study_name, trial))
            for trial in study.get_trials(deepcopy=False)
        ],
        best=[trial.number for trial in _best_trials(study)],
        importance=importance(study),
    )


def write_best_recipe(study: "optuna.Study", definition: StudyDefinition, path: Path) -> None:
    """Write the recipe of the best complete trial, if there is one; of several objectives, the best in the first."""
    best = _best_trials(study)
    if not best:
        return
    settings = trial_settings(min(best, key=lambda trial: trial.values[0]), definition.recipe.tune)
    recipe = definition.recipe.model_copy(update={"name": f"{definition.recipe.name}-tuned"})
    tuned = recipe.replace(f"{name}={yaml.safe_dump(value)}" for name, value in settings.items())
    with atomic_write(path) as part:
        part.write_text(tuned.to_yaml(), encoding="utf-8")


def importance(study: "optuna.Study") -> dict[str, float]:
    """Return the share of each setting in the variance of the score at the first rung (PED-ANOVA: Watanabe et al.
    2023), which nearly all trials reach; empty for fewer than :data:`MIN_TRIALS` trials."""
    import optuna

    early = optuna.create_study()
    for trial in study.get_trials(deepcopy=False):
        score = trial_attributes(trial).get("rung_scores", {}).get(str(RUNGS[0]))
        if score is not None and trial.state.name in ("COMPLETE", "PRUNED"):
            early.add_trial(
                optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=score)
            )
    if len(early.trials) < MIN_TRIALS:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return optuna.importance.get_param_importances(early, evaluator=evaluator)


def _best_trials(study: "optuna.Study") -> "list[FrozenTrial]":
    """Return the Pareto front; of one objective, the best trial."""
    complete = any(trial.state.name == "COMPLETE" for trial in study.get_trials(deepcopy=False))
    return study.best_trials if complete else []


def _trial(trial: "FrozenTrial", space: Mapping[str, Searched], run: str) -> Trial:
    attributes = trial_attributes(trial)
    state = trial.state.name.lower()
    return Trial.model_validate(
        {
            "number": trial.number,
            "state": "failed" if state == "fail" else state,
            "settings": trial_settings(trial, space),
            "values": trial.values if state == "complete" else [],
            "rung_scores": {float(share): score for share, score in attributes.get("rung_scores", {}).items()},
            "seconds": attributes.get("seconds", 0.0),
            "steps": attributes.get("steps"),
            "run": run if "run" in attributes else None,
            "worker": attributes.get("worker", ""),
            "retry_of": attributes.get("retry_of"),
            "baseline": original_number(trial) == 0,
            "error": attributes.get("error"),
        }
    )
