"""Public tuning API: search for the settings of a recipe that give the best score within a budget per trial."""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from impasto.api import train
from impasto.api.training_data import enough_heldout, open_stores
from impasto.config import migrations
from impasto.config.recipe import Recipe
from impasto.errors import MALFORMED, ImpastoError
from impasto.files import DiskFullError, atomic_write, make_folder, require_folder, user_path
from impasto.reports.tuning import write_tuning
from impasto.reports.tuning_figures import FIGURES
from impasto.reports.tuning_results import Tuning, without_password
from impasto.training.callbacks import Observer
from impasto.tuning.definition import StudyDefinition, list_differences, recipe_differences
from impasto.tuning.export import tuning_results, write_best_recipe
from impasto.tuning.liveness import fail_dead_trials
from impasto.tuning.storage import open_storage, sqlite_lock
from impasto.tuning.study import needs_trial, open_study, require_name, require_same_data, scores_unseen
from impasto.tuning.trials import storage_errors
from impasto.tuning.worker import Worker

_log = logging.getLogger(__name__)

#: Files that a study writes into its folder, beside the run folders of its trials.
STUDY_FILES = ("recipe.yaml", "best.yaml", "report.html", "tuning.json", *(f"{name}.png" for name in FIGURES))


@dataclass(frozen=True)
class TuneOutcome:
    """The study so far, and the signal that stopped this process, if one did."""

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
    objectives: str | Sequence[str] = ("score",),
    changes: str | Iterable[str] = (),
    storage: str = "",
    study: str = "",
    crop_frames: bool = False,
    device: str = "auto",
    precision: str = "auto",
) -> TuneOutcome:
    """Search the settings in a recipe's ``tune`` section (TPE with successive halving).

    Trial 0 is the baseline: the recipe's own settings. Trials that reproduce training images are ranked after all
    others, whatever their scores. With one objective, a bad trial is pruned after 1/9 or 1/3 of its budget; the
    baseline is not. Any number of processes may work on one study at the same time. A process that was stopped resumes
    the study when it is started again.

    Writes ``recipe.yaml`` (with the search space), ``best.yaml``, ``report.html`` and ``tuning.json`` into ``out``, and
    into ``trials`` the run folder of each trial without its checkpoints.

    Args:
        recipe, paintings, photos, start, crop_frames, device, precision: as for :func:`impasto.train`.
        out: the study's folder.
        trials: number of trials in all, including those of other processes and earlier calls.
        budget: of each training.
        seeds: trainings a trial; its objectives are their means.
        seed: of the sampler, and of the first training of each trial.
        objectives: "score" (KID, against held-out images if there are enough), "content" (ST-LPIPS between photos and
            paintings), or both for a Pareto front.
        changes: to the recipe's settings, such as ``batch=4``; these settings are not searched.
        storage: URL of a database, or a journal file (.log); a SQLite file in ``out`` by default.
        study: name in the storage; the recipe's by default.

    Raises:
        ImpastoError: wrong options or data, a folder or storage of another study, a full disk.
    """
    base = (recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)).replace(changes)
    folder, name = user_path(out), study or base.name
    chosen = (objectives,) if isinstance(objectives, str) else tuple(objectives)
    definition = StudyDefinition.create(
        base, start, budget=budget, seeds=seeds, seed=seed, objectives=chosen, crop_frames=crop_frames
    )
    definition.require_valid()
    if trials < 1:
        raise ImpastoError("A study needs at least one trial.")
    _require_same_study(folder, name, base)
    require_name(name)
    url = storage or f"sqlite:///{folder / 'study.db'}"
    from optuna.exceptions import StorageInternalError

    # Before a trial is lost to data that cannot be read.
    stores = open_stores(base, paintings, photos, crop_frames)
    data = {"paintings": stores.paintings, "photos": stores.photos}
    fingerprints = {kind: store.fingerprint for kind, store in data.items() if store is not None}
    opened_storage = open_storage(url)
    with sqlite_lock(url):
        opened = open_study(opened_storage, name, replace(definition, unseen=enough_heldout(stores, base)))
    require_same_data(opened, fingerprints)
    definition = replace(definition, unseen=scores_unseen(opened))
    _log.info("Objectives: %s.", " and ".join(definition.labels))
    count = f"{trials} trials" if trials > 1 else "1 trial"
    _log.info("Study '%s' in %s: %d settings, %s of %s.", name, without_password(url), len(base.tune), count, budget)
    make_folder(folder)
    with atomic_write(folder / "recipe.yaml") as part:
        part.write_text(base.to_yaml(), encoding="utf-8")

    def train_run(recipe: Recipe, run: Path, seed: int, observer: Observer, *, resume: bool) -> int | None:
        with _quiet():
            if resume:
                outcome = train.resume(
                    run, paintings=paintings, photos=photos, budget=budget, device=device, progress=False,
                    observer=observer,
                )  # fmt: skip
            else:
                outcome = train.train(
                    recipe, paintings, run, photos=photos, start=start, seed=seed, budget=budget,
                    crop_frames=crop_frames, device=device, precision=precision, progress=False, observer=observer,
                )  # fmt: skip
        return outcome.signal

    worker = Worker(opened, definition, folder, train_run)
    signal = None
    try:
        while signal is None:
            with sqlite_lock(url), storage_errors(opened):
                fail_dead_trials(opened)
                trial = worker.begin_trial(trials) if needs_trial(opened, trials) else None
            if trial is None:
                break
            signal = worker.run_trial(trial)
            if signal is not None:
                _log.info("Stopped. Run the same command again to resume the study.")
            with storage_errors(opened):
                write_best_recipe(opened, definition, folder / "best.yaml")
    except (DiskFullError, StorageInternalError) as error:
        problem = "The disk is full" if isinstance(error, DiskFullError) else f"The storage fails ({error.__cause__})"
        raise ImpastoError(f"{problem}: correct that and run the same command again to resume the study.") from error
    finally:
        with FileLock(folder / ".report.lock"):  # or a slower process would overwrite newer results
            with storage_errors(opened):
                write_best_recipe(opened, definition, folder / "best.yaml")
                results = tuning_results(opened, definition, url)
            if results.trials:
                write_tuning(results, folder)
    return TuneOutcome(results, signal)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the messages of a training, but not those of the study."""
    loggers = [logging.getLogger(f"impasto.{package}") for package in ("api", "data", "metrics", "training")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _require_same_study(folder: Path, name: str, recipe: Recipe) -> None:
    """Raise ImpastoError for a folder that cannot be written to, or holds another study or files that are not a
    study's."""
    require_folder(folder)
    stored, results = folder / "recipe.yaml", folder / "tuning.json"
    present = [file for file in STUDY_FILES if (folder / file).exists()]
    if present and not stored.exists():
        raise ImpastoError(f"{folder} holds a {present[0]} but no study: choose another --out.")
    if results.exists():
        try:
            other = Tuning.model_validate(migrations.tuning(json.loads(results.read_bytes()))).study
        except MALFORMED as error:
            raise ImpastoError(f"{results} is not the file of a study: choose another --out.") from error
        if other != name:
            raise ImpastoError(f"{folder} holds the study '{other}', not '{name}': choose another --out.")
    if stored.exists():
        try:
            differences = recipe_differences(Recipe.load(stored, recorded=True), recipe)
        except ImpastoError as error:
            raise ImpastoError(f"{stored} cannot be read ({str(error).rstrip('.')}): choose another --out.") from error
        if differences:
            raise ImpastoError(
                f"{folder} holds a study of other settings ({list_differences(differences)}): choose another --out."
            )
