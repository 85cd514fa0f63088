"""The verb that searches for the settings of a recipe that learn best, in a budget a trial."""

import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml
from rich.console import Console

from impasto._version import __version__
from impasto.api import train
from impasto.config.recipe import Recipe
from impasto.config.settings import Searched
from impasto.errors import ImpastoError
from impasto.files import DiskFullError, atomic_write, make_folder, require_folder
from impasto.metrics.results import Evaluation, Scores
from impasto.reports.tuning import write_tuning
from impasto.reports.tuning_results import Trial, Tuning, said, without_password
from impasto.training import checkpoint
from impasto.training.budget import Budget
from impasto.training.progress import Progress
from impasto.training.run_dir import RunDir
from impasto.training.schedule import Observer
from impasto.training.trainer import DECIDING
from impasto.tuning.study import (
    FACTOR,
    RUNGS,
    begin_trial,
    bury_the_dead,
    finish,
    first,
    importance,
    open_storage,
    open_study,
    pulse,
    put_back,
    require_same_pictures,
    settings,
    turn,
    wanted,
    worker,
)

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

#: What a search leaves in its folder, beside the trials.
LEFT = ("recipe.yaml", "best.yaml", "report.html", "tuning.json")
#: What can be searched for, lower being better: its name in an evaluation of that recipe's paintings.
OBJECTIVES: dict[str, Callable[[Recipe], str]] = {
    "score": lambda recipe: f"{DECIDING}[{recipe.scoring_network}]",
    "content": lambda recipe: "ST-LPIPS[vgg16]",
}


@dataclass(frozen=True)
class Search:
    """What a search found, and the signal that ended it, if one did."""

    tuning: Tuning
    signal: int | None = None


def tune(
    recipe: str | Path | Recipe,
    paintings: str | Path,
    out: str | Path,
    *,
    photos: str | Path | None = None,
    start: str | Path | None = None,
    trials: int = 30,
    budget: str = "10m",
    seeds: int = 1,
    seed: int = 0,
    objectives: Sequence[str] = ("score",),
    changes: Iterable[str] = (),
    storage: str = "",
    study: str = "",
    crop_frames: bool = False,
    device: str = "auto",
    precision: str = "auto",
    say: Callable[[str], object] = print,
) -> Search:
    """Searches a recipe's ``tune`` section; the first trial has the recipe's own settings.

    Any number of processes may work on one study at the same time; one that is ended and begun again goes on. A trial
    that is bad after a ninth or a third of its budget ends there, but not the first, and not where there are several
    objectives. Leaves in ``out``: ``recipe.yaml``, what was searched, ``best.yaml``, ``report.html``, ``tuning.json``,
    and in ``trials`` the run folder of each, without its checkpoints.

    Args:
        recipe, paintings, photos, start, crop_frames, device, precision: as for :func:`impasto.train`.
        out: the study's folder.
        trials: how many there shall be in all, those of other processes and earlier goes included.
        budget: of each training.
        seeds: trainings a trial, over which its objectives are means.
        seed: of the search, and of the first training of each trial.
        objectives: "score" (KID), "content" (how far paintings are from their photos), or both: then the best are
            those that no other trial beats in both.
        changes: to the recipe's settings; what is set is not searched for.
        storage: a database's URL or a journal file (.log); a SQLite file in ``out`` if not given.
        study: its name in the storage; the recipe's if not given.
        say: is told what a person should know.

    Raises :class:`impasto.errors.ImpastoError` for what a person can mend.
    """
    base = (recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)).replace(changes)
    mine = _Worker(
        base,
        Path(out),
        paintings,
        photos,
        start,
        budget,
        seeds,
        seed,
        tuple(objectives),
        crop_frames,
        device,
        precision,
    )
    mine.require_sound(trials)
    mine.require_own_folder(study or base.name)
    where = storage or f"sqlite:///{Path(out) / 'study.db'}"
    name = study or base.name
    if "/" in name or "\\" in name:
        raise ImpastoError(f"The study's name '{name}' is to be the name of a folder too: choose one without slashes.")
    from optuna.exceptions import StorageInternalError

    fingerprints = mine.fingerprints(say)
    opened = open_study(open_storage(where), name, len(objectives), mine.definition())
    require_same_pictures(opened, fingerprints)
    trying = f"{trials} trials" if trials > 1 else "a trial"
    say(f"Study '{name}' in {without_password(where)}: {len(base.tune)} settings, {trying} of {budget}.")
    make_folder(Path(out))
    with atomic_write(Path(out) / "recipe.yaml") as part:
        part.write_text(base.to_yaml(), encoding="utf-8")
    signal = None
    try:
        while signal is None:
            with turn(where):
                bury_the_dead(opened, say)
                trial = mine.begin(opened, trials) if wanted(opened, trials) else None
            if trial is None:
                break
            signal = mine.work(opened, trial, say)
            if signal is not None:
                say("Stopped; the same command goes on with the search.")
            mine.keep_best(opened)
    except (DiskFullError, StorageInternalError) as error:
        what = "The disk is full" if isinstance(error, DiskFullError) else f"The storage fails ({error.__cause__})"
        raise ImpastoError(f"{what}: when that is mended, the same command goes on with the search.") from error
    finally:
        mine.keep_best(opened)
        tuning = mine.tuning(opened, name, where)
        if tuning.trials:
            write_tuning(tuning, Path(out))
    return Search(tuning, signal)


@dataclass(frozen=True)
class _Worker:
    """One process of a search."""

    recipe: Recipe
    out: Path
    paintings: str | Path
    photos: str | Path | None
    start: str | Path | None
    budget: str
    seeds: int
    seed: int
    objectives: tuple[str, ...]
    crop_frames: bool
    device: str
    precision: str

    def require_sound(self, trials: int) -> None:
        """Refuses what cannot be searched."""
        Budget.parse(self.budget)
        if trials < 1 or self.seeds < 1:
            raise ImpastoError("A search has at least one trial, of at least one seed.")
        if not self.recipe.tune:
            raise ImpastoError(
                f"{self.recipe.name} does not say where to search: give it a section such as "
                "tune: {generator.lr: {low: 1.0e-5, high: 1.0e-3, log: true}}."
            )
        self.recipe.require_sound_space()
        unknown = [each for each in self.objectives if each not in OBJECTIVES]
        if unknown or not self.objectives or len(set(self.objectives)) < len(self.objectives):
            wrong = f"There is no objective '{unknown[0]}'" if unknown else "Give each objective once"
            raise ImpastoError(f"{wrong}: there are {' and '.join(OBJECTIVES)}.")
        if "content" in self.objectives and not self.recipe.translates:
            raise ImpastoError(f"{self.recipe.name} paints out of nothing: there is no content to keep.")

    def require_own_folder(self, study: str) -> None:
        """Refuses a folder that cannot be written to, holds another search, or a file that this one would replace."""
        require_folder(self.out)
        recipe, told = self.out / "recipe.yaml", self.out / "tuning.json"
        there = [name for name in LEFT if (self.out / name).exists()]
        if there and not recipe.exists():
            raise ImpastoError(f"{self.out} holds a {there[0]} that is not a search's: choose another --out.")
        if told.exists():
            try:
                other = Tuning.model_validate_json(told.read_bytes()).study
            except ValueError as error:
                raise ImpastoError(f"{told} is not a search's: choose another --out.") from error
            if other != study:
                raise ImpastoError(f"{self.out} holds the study '{other}', not '{study}': choose another --out.")
        if recipe.exists() and recipe.read_text("utf-8", "replace") != self.recipe.to_yaml():
            raise ImpastoError(f"{recipe} is another recipe, or has other settings: choose another --out.")

    def definition(self) -> dict[str, Any]:
        """All in which the processes of a study must agree, as JSON holds it."""
        return {
            "recipe": self.recipe.to_yaml(),
            "budget": self.budget,
            "seeds": self.seeds,
            "seed": self.seed,
            "objectives": list(self.objectives),
            "start": None if self.start is None else Path(self.start).name,
            "crop_frames": self.crop_frames,
        }

    def names(self) -> list[str]:
        """The objectives as an evaluation names them."""
        return [OBJECTIVES[each](self.recipe) for each in self.objectives]

    def fingerprints(self, say: Callable[[str], object]) -> dict[str, str]:
        """Reads all pictures, so that what is wrong with them is told before a trial is lost to it."""
        paintings, photos = train.pictures(self.recipe, self.paintings, self.photos, self.crop_frames, say)
        found = {"paintings": paintings.fingerprint}
        return found if photos is None else found | {"photos": photos.fingerprint}

    def begin(self, study: "optuna.Study", trials: int) -> "optuna.Trial":
        """The next trial, of ``trials`` in all."""
        own = {name: self.recipe.value(name) for name in self.recipe.tune}
        trial = begin_trial(study, self.recipe.tune, own, self.seed, trials)
        trial.set_user_attr("worker", worker())
        return trial

    def work(self, study: "optuna.Study", trial: "optuna.Trial", say: Callable[[str], object]) -> int | None:
        """Does one trial; if a signal stops it, returns that, and the trial is left to be gone on with."""
        drawn = settings(trial, self.recipe.tune)
        say(f"Trial {trial.number}: {', '.join(f'{name} {said(value)}' for name, value in drawn.items())}")
        try:
            with pulse(trial):
                measured = self._measure(study, trial, drawn)
        except _Stopped as stopped:
            put_back(study, trial)
            return stopped.signal
        except ImpastoError as error:
            if isinstance(error, DiskFullError):  # of which every other trial would die too
                put_back(study, trial)
                raise
            trial.set_user_attr("wrong", str(error))
            say(f"Trial {trial.number}: {error}")
            finish(study, trial, "FAIL")
            return None
        except BaseException:
            put_back(study, trial)
            raise
        if measured is None:
            say(f"Trial {trial.number}: ended early, at {self._looks(trial)}")
            finish(study, trial, "PRUNED")
            return None
        named = zip(self.names(), measured, strict=True)
        say(f"Trial {trial.number}: " + ", ".join(f"{name} {value:.4f}" for name, value in named))
        finish(study, trial, "COMPLETE", measured)
        return None

    def _measure(self, study: "optuna.Study", trial: "optuna.Trial", drawn: Mapping[str, Any]) -> list[float] | None:
        """The objectives of a trial's settings, means over its seeds; None if it was ended early."""
        recipe = self.recipe.replace(f"{name}={yaml.safe_dump(value)}" for name, value in drawn.items())
        found = []
        for number in range(self.seeds):
            run = self._learn(study, trial, recipe, number)
            evaluation = run.path / "evaluation.json"
            if not evaluation.exists():
                return None
            found.append(self._values(Evaluation.model_validate_json(evaluation.read_text(encoding="utf-8"))))
        means = [sum(values) / len(values) for values in zip(*found, strict=True)]
        if not all(map(math.isfinite, means)):
            raise ImpastoError("The score is no number.")
        return means

    def _values(self, evaluation: Evaluation) -> list[float]:
        """The objectives in an evaluation, whose first scores are those of the network that chose the style."""
        scores = evaluation.scores[0]
        found = {scores.label(DECIDING): scores.values[DECIDING]}
        found |= {} if evaluation.content is None else evaluation.content.values
        return [found[name].value for name in self.names()]

    def _learn(self, study: "optuna.Study", trial: "optuna.Trial", recipe: Recipe, number: int) -> RunDir:
        """Trains by the trial's settings with its seed of that ``number``, or goes on with what was begun.

        Raises _Stopped if a signal ends it.
        """
        name = trial.user_attrs.get("run", f"trials/{study.study_name}/{trial.number:04d}")
        trial.set_user_attr("run", name)
        folder = self.out / (name if number == 0 else f"{name}-seed-{self.seed + number}")
        begun = self._begun(folder, recipe)
        if begun and (folder / "evaluation.json").exists():
            return RunDir.open(folder)
        with_trial: dict[str, Any] = {
            "photos": self.photos,
            "budget": self.budget,
            "device": self.device,
            "say": lambda _: None,
            "progress": Progress(console=Console(quiet=True)),
            "watch": self._watch(trial) if number == 0 else Observer(RUNGS, lambda *_: True),
        }
        threads = torch.get_num_threads()
        if begun and checkpoint.steps(folder / "checkpoints"):
            outcome = train.resume(folder, paintings=self.paintings, **with_trial)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            outcome = train.train(
                recipe,
                self.paintings,
                folder,
                start=self.start,
                seed=self.seed + number,
                crop_frames=self.crop_frames,
                precision=self.precision,
                **with_trial,
            )
        torch.set_num_threads(threads)  # which may have been those of the machine that began
        if outcome.signal is not None:
            raise _Stopped(outcome.signal)
        run = RunDir.open(folder)
        trial.set_user_attr("seconds", trial.user_attrs.get("seconds", 0.0) + run.facts["seconds"])
        trial.set_user_attr("steps", run.facts["steps"])
        shutil.rmtree(run.checkpoints)  # those of many trials would fill a disk
        return run

    def _begun(self, folder: Path, recipe: Recipe) -> bool:
        """Whether a run was begun there for this very training, not for another study of the same name."""
        if not (folder / "run.json").exists() or not (folder / "recipe.yaml").exists():
            return False
        run = RunDir.open(folder)
        return run.recipe == recipe.without_search() and run.facts["budget"] == self.budget

    def _watch(self, trial: "optuna.Trial") -> Observer:
        """Tells the study the scores on the way, and ends a training that promises little; but not by the recipe's
        own settings, which the others are compared with."""

        def told(share: float, scores: Scores) -> bool:
            rung = min(range(len(RUNGS)), key=lambda each: abs(RUNGS[each] - share))
            score = scores.values[DECIDING].value
            looks: dict[str, float] = trial.user_attrs.get("looks", {})
            trial.set_user_attr("looks", looks | {str(RUNGS[rung]): score})
            if len(self.objectives) > 1:
                return True
            if str(RUNGS[rung]) not in looks:  # a trial that is gone on with may come here twice
                trial.report(score, FACTOR**rung)
            bad = trial.should_prune()  # asked of each, for that is what the others are compared with
            return RUNGS[rung] == RUNGS[-1] or first(trial) == 0 or not bad

        return Observer(RUNGS, told)

    def _looks(self, trial: "optuna.Trial") -> str:
        looks: dict[str, float] = trial.user_attrs.get("looks", {})
        return ", ".join(f"{float(share):.0%} of its budget {score:.4f}" for share, score in looks.items())

    def keep_best(self, study: "optuna.Study") -> None:
        """Writes ``best.yaml``: the recipe of the best complete trial; of several objectives, of the best in the
        first."""
        best = study.best_trials if any(trial.state.name == "COMPLETE" for trial in study.get_trials(False)) else []
        if not best:
            return
        chosen = min(best, key=lambda trial: trial.values[0])
        drawn = settings(chosen, self.recipe.tune)
        recipe = self.recipe.model_copy(update={"name": f"{self.recipe.name}-tuned"})
        with atomic_write(self.out / "best.yaml") as part:
            part.write_text(
                recipe.replace(f"{name}={yaml.safe_dump(value)}" for name, value in drawn.items()).to_yaml(),
                encoding="utf-8",
            )

    def tuning(self, study: "optuna.Study", name: str, storage: str) -> Tuning:
        """The study as it stands."""
        known = study.get_trials(deepcopy=False)
        complete = any(trial.state.name == "COMPLETE" for trial in known)
        return Tuning(
            impasto=__version__,
            created=datetime.now(UTC).replace(microsecond=0),
            study=name,
            recipe=self.recipe.name,
            storage=storage,
            budget=self.budget,
            seeds=self.seeds,
            seed=self.seed,
            objectives=self.names(),
            space=self.recipe.tune,
            trials=[_told(trial, self.recipe.tune) for trial in known],
            best=[trial.number for trial in study.best_trials] if complete else [],
            importance=importance(study),
        )


class _Stopped(Exception):  # noqa: N818  (it says what happened)
    """A training was stopped by a signal."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


def _told(trial: "FrozenTrial", space: Mapping[str, Searched]) -> Trial:
    """A trial for the report."""
    states = {"FAIL": "failed"}
    attributes = trial.user_attrs
    return Trial.model_validate(
        {
            "number": trial.number,
            "state": states.get(trial.state.name, trial.state.name.lower()),
            "settings": settings(trial, space),
            "values": trial.values if trial.state.name == "COMPLETE" else [],
            "looks": {float(share): score for share, score in attributes.get("looks", {}).items()},
            "seconds": attributes.get("seconds", 0.0),
            "steps": attributes.get("steps"),
            "run": attributes.get("run"),
            "worker": attributes.get("worker", ""),
            "retry_of": attributes.get("retry_of"),
            "own": first(trial) == 0,
            "wrong": attributes.get("wrong"),
        }
    )
