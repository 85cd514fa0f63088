"""Worker: one process of a study, which trains the trials that it is given."""

import json
import logging
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml
from pydantic import ValidationError

from impasto.config import migrations
from impasto.config.recipe import Recipe
from impasto.device import InsufficientMemoryError
from impasto.errors import MALFORMED, ImpastoError
from impasto.files import DiskFullError
from impasto.metrics.formatting import format_percent
from impasto.metrics.memorisation_finding import assess_memorisation
from impasto.metrics.results import Evaluation
from impasto.reports.tuning_results import format_setting
from impasto.training import checkpoint
from impasto.training.callbacks import Observer
from impasto.training.run_dir import RunDir
from impasto.tuning.definition import StudyDefinition
from impasto.tuning.liveness import heartbeat, requeue, worker_id
from impasto.tuning.objectives import objective_values
from impasto.tuning.pruning import pruning_observer, scoring_observer
from impasto.tuning.sampling import ask_trial, trial_settings
from impasto.tuning.trials import finish_trial, run_name, trial_attributes

if TYPE_CHECKING:
    import optuna

_log = logging.getLogger(__name__)


class TrainRun(Protocol):
    """Train one run, or resume it."""

    def __call__(self, recipe: Recipe, run: Path, seed: int, observer: Observer, *, resume: bool) -> int | None:
        """Return the signal that stopped the training, or None."""


class TrialInterruptedError(Exception):
    """The training of a trial was stopped by a signal."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


@dataclass(frozen=True)
class Worker:
    """One process of a study.

    Attributes:
        study: in a storage that other workers may share.
        definition: of the study.
        out: the study's folder; run folders are made in ``trials/<study>/<number>``.
        train: trains or resumes a run.
    """

    study: "optuna.Study"
    definition: StudyDefinition
    out: Path
    train: TrainRun

    def begin_trial(self, trials: int) -> "optuna.Trial":
        """Return the next trial, of ``trials`` in all."""
        definition = self.definition
        trial = ask_trial(self.study, definition.recipe.tune, definition.baseline, definition.seed, trials)
        trial.set_user_attr("worker", worker_id())
        return trial

    def run_trial(self, trial: "optuna.Trial") -> int | None:
        """Train a trial and record its objectives.

        A trial that is interrupted is requeued, so that a worker can resume it.

        Returns:
            The signal that stopped it, or None.

        Raises:
            DiskFullError: which every other trial would meet too.
            InsufficientMemoryError: likewise, as long as no trial is complete; later it may be due to the settings.
        """
        settings = trial_settings(trial, self.definition.recipe.tune)
        shown = ", ".join(f"{name} {format_setting(value)}" for name, value in settings.items())
        _log.info("Trial %d: %s", trial.number, shown)
        try:
            with heartbeat(trial):
                values = self._objectives(trial, settings)
        except TrialInterruptedError as interrupted:
            requeue(self.study, trial)
            return interrupted.signal
        except DiskFullError:
            requeue(self.study, trial)
            raise
        except ImpastoError as error:
            complete = any(each.state.name == "COMPLETE" for each in self.study.get_trials(deepcopy=False))
            if isinstance(error, InsufficientMemoryError) and not complete:
                requeue(self.study, trial)
                raise
            trial.set_user_attr("error", str(error))
            _log.warning("Trial %d failed: %s", trial.number, error)
            finish_trial(self.study, trial, "FAIL")
            return None
        except BaseException:
            requeue(self.study, trial)
            raise
        copies = trial_attributes(trial).get("copies", 0.0)
        trial.set_constraint("copies", copies)  # above 0: the sampler and the study rank it after all other trials
        if copies:
            _log.warning("Trial %d reproduces training images (%s of them).", trial.number, format_percent(copies))
        if values is None:
            _log.info("Trial %d was pruned at %s", trial.number, self._last_rung(trial))
            finish_trial(self.study, trial, "PRUNED")
            return None
        named = zip(self.definition.labels, values, strict=True)
        shown = ", ".join(f"{label} {value:.4f}" for label, value in named)
        _log.info("Trial %d is complete: %s", trial.number, shown)
        finish_trial(self.study, trial, "COMPLETE", values)
        return None

    def _objectives(self, trial: "optuna.Trial", settings: Mapping[str, Any]) -> list[float] | None:
        """Return the objectives of a trial, means over its seeds; None if it was pruned."""
        recipe = self.definition.recipe.replace(f"{name}={yaml.safe_dump(value)}" for name, value in settings.items())
        measured, copies = [], 0.0
        for index in range(self.definition.seeds):
            path = self._train(trial, recipe, index).path / "evaluation.json"
            if not path.exists():
                return None
            try:
                evaluation = Evaluation.model_validate(migrations.evaluation(json.loads(path.read_bytes())))
            except ValidationError as error:  # JSON has no NaN: such scores are null
                raise ImpastoError("The score is not a finite number.") from error
            except MALFORMED as error:
                raise ImpastoError(f"{path} is damaged ({error}): delete its folder.") from error
            measured.append(objective_values(evaluation, self.definition.labels))
            copies = max(copies, assess_memorisation(evaluation.copies).share)
        trial.set_user_attr("copies", copies)
        means = [sum(values) / len(values) for values in zip(*measured, strict=True)]
        if not all(map(math.isfinite, means)):
            raise ImpastoError("The score is not a finite number.")
        return means

    def _train(self, trial: "optuna.Trial", recipe: Recipe, index: int) -> RunDir:
        """Train the run with the trial's seed of that index, unless that is done.

        Raises:
            TrialInterruptedError: a signal stopped it.
        """
        attributes = trial_attributes(trial)
        name = run_name(self.study.study_name, trial)
        trial.set_user_attr("run", name)
        seed = self.definition.seed + index
        folder = self.out / (name if index == 0 else f"{name}-seed-{seed}")
        begun = self._is_same_training(folder, recipe)
        if begun and (folder / "evaluation.json").exists():
            return RunDir.open(folder)
        resume = begun and bool(checkpoint.steps(folder / "checkpoints"))
        if not resume:
            RunDir.remove(folder)
        prune = len(self.definition.objectives) == 1
        observer = pruning_observer(trial, prune) if index == 0 else scoring_observer()
        signal = self.train(recipe, folder, seed, observer, resume=resume)
        if signal is not None:
            raise TrialInterruptedError(signal)
        run = RunDir.open(folder)
        trial.set_user_attr("seconds", attributes.get("seconds", 0.0) + run.facts["seconds"])
        trial.set_user_attr("steps", run.facts["steps"])
        shutil.rmtree(run.checkpoints)  # those of many trials would fill a disk
        return run

    def _is_same_training(self, folder: Path, recipe: Recipe) -> bool:
        """Return whether a folder holds this training, and not that of another study with the same name."""
        if not (folder / "run.json").exists() or not (folder / "recipe.yaml").exists():
            return False
        run = RunDir.open(folder)
        return run.recipe == recipe.without_search() and run.facts["budget"] == self.definition.budget

    def _last_rung(self, trial: "optuna.Trial") -> str:
        """Return where a trial was pruned: ``1/3 of its budget: KID[efficientnet-lite0] 0.0412``."""
        share, score = list(trial_attributes(trial)["rung_scores"].items())[-1]
        return f"{Fraction(share).limit_denominator(100)} of its budget: {self.definition.labels[0]} {score:.4f}"
