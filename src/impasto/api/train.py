"""Public training API: :func:`train` and :func:`resume`."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import torch

from impasto import parallel
from impasto._version import __version__
from impasto.api.training_data import Stores, absolute, open_stores, reopen_stores, require_photos, source_facts
from impasto.api.training_processes import Team, process_count, started_outside, threads_each, training_processes
from impasto.api.training_replica import agree, announce, follow
from impasto.api.training_session import TrainingSession
from impasto.config.recipe import Recipe
from impasto.device import choose_precision, open_fabric, restored_torch_state
from impasto.errors import ImpastoError
from impasto.files import atomic_write, user_path
from impasto.hub_styles import is_repository
from impasto.parallel import Processes
from impasto.style import Style, bundled_styles, find_style
from impasto.training import checkpoint
from impasto.training.budget import Budget
from impasto.training.callbacks import Callback, Observer
from impasto.training.loggers import require_loggers
from impasto.training.memory_estimate import require_memory
from impasto.training.run_dir import RunDir
from impasto.training.trainer import Outcome
from impasto.training.updates import end

_log = logging.getLogger(__name__)


def train(
    recipe: str | Path | Recipe | None,
    paintings: str | Path,
    out: str | Path,
    *,
    photos: str | Path | None = None,
    start: str | Path | None = None,
    seed: int = 0,
    budget: str = "30m",
    settings: str | Iterable[str] = (),
    crop_frames: bool = False,
    device: str = "auto",
    devices: int | None = None,
    precision: str = "auto",
    license: str = "",
    log: str | Iterable[str] = (),
    callbacks: Iterable[Callback] = (),
    observer: Observer | None = None,
    progress: bool = True,
    resume: bool = False,
) -> Outcome:
    """Train a model, and write a run folder with styles, samples, checkpoints, log and report.

    Args:
        recipe: name of a bundled recipe, a YAML file, or a recipe; None for the recipe of ``start``.
        paintings: data set of paintings: a folder, a zip, TFRecord files, a pack, ``sample:paintings``, ``kaggle:…``
            or ``hf:…``.
        out: run folder to create.
        photos: data set of photos, for image-to-image recipes.
        start: style or run folder whose weights to start from (fine-tuning), instead of a random initialisation.
        seed: of initialisation, data order, augmentation, dropout and noise. The same seed, recipe, data and number of
            steps give the same style bit for bit on the CPU: with the same type of CPU, number of threads, precision
            and version of torch. On CUDA and MPS some sums are made in varying order, so styles are similar, not equal.
        budget: length of the training: ``30m``, ``50kimg``, ``2000steps`` or ``20epochs``. An epoch is once through the
            photos, or through the paintings of an unconditional model. Evaluation and report come on top of a time. A
            time becomes a number of steps by the speed at the start; ``plan`` in ``run.json`` is the budget that
            repeats the training.
        settings: changes to the recipe, such as ``generator.width=96``.
        crop_frames: crop borders, mounts and frames off the paintings.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` … or ``mps``.
        devices: train on so many GPUs of this machine, or in so many processes on its CPU, each with an equal part of
            the recipe's batch. Their number changes nothing but the order of summation. Leave it out where torchrun
            starts the processes.
        precision: ``auto``, ``bf16`` or ``fp32``.
        license: SPDX identifier of the style's license, stored in its file.
        log: loggers beside ``log.jsonl`` and TensorBoard, such as ``wandb``, ``mlflow`` or ``trackio``.
        callbacks: follow the training.
        observer: a hyperparameter search; no report is written then.
        progress: show the progress in the terminal or notebook.
        resume: if ``out`` is a run of this recipe and seed, resume it (see :func:`resume`), so that a cell of a
            notebook can be run again after an interruption.

    Returns:
        Whether the training was finished, or the signal that stopped it.

    Raises:
        ImpastoError: wrong options or data, too little memory, a full disk, or a training that fails again and again.
    """
    base = _base_recipe(recipe, start).replace(settings)
    require_photos(base, photos)
    if resume and (user_path(out) / "run.json").is_file():
        _require_same_run(out, base, seed)
        return _resume_verb(
            out,
            paintings=paintings,
            photos=photos,
            budget=budget,
            device=None if device == "auto" else device,
            devices=devices,
            log=log,
            callbacks=callbacks,
            observer=observer,
            progress=progress,
        )
    loggers = list(dict.fromkeys([log] if isinstance(log, str) else log))
    require_loggers(loggers)
    if start is not None:
        _require_same_networks(start, base)
    Budget.parse(budget).require_parts(len(base.speed_changes) + 1)
    _require_divisible(base, process_count(devices))
    out = user_path(out)
    with training_processes(device, devices) as team:
        processes, own_device = team.processes, team.device
        agree(processes, None, {"recipe": base.values(), "seed": seed, "budget": budget})
        if not processes.first:
            return follow(processes, own_device)
        if team.begun:
            begun = RunDir.open(out)
            return _resume(begun, team, callbacks=callbacks, observer=observer, progress=progress)
        chosen_precision = choose_precision(precision, own_device)
        RunDir.require_free(out)
        stores = open_stores(base, paintings, photos, crop_frames)
        require_memory(base, open_fabric(own_device, chosen_precision), processes.size)
        facts = {
            "impasto": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": seed,
            "budget": budget,
            "paintings": source_facts(paintings, stores.paintings, base, seed, crop_frames),
            "photos": None if stores.photos is None else source_facts(photos or "", stores.photos, base, seed, False),
            "start": None if start is None else _start_name(start),
            "device": _device_name(processes, own_device),
            "processes": processes.size,
            "precision": chosen_precision,
            "threads": threads_each(torch.get_num_threads(), processes.size),
            "license": license,
            "loggers": loggers,
        }
        run = RunDir.create(out, base, facts)
        team.begin()
        with atomic_write(run.path / "pictures.json") as part:
            stores.paintings.write_inventory(part)
        with run.lock():
            return _train(run, stores, team, callbacks, observer, progress)


def resume(
    run: str | Path,
    *,
    paintings: str | Path | None = None,
    photos: str | Path | None = None,
    budget: str | None = None,
    device: str | None = None,
    devices: int | None = None,
    log: str | Iterable[str] = (),
    callbacks: Iterable[Callback] = (),
    observer: Observer | None = None,
    progress: bool = True,
) -> Outcome:
    """Resume a run that was stopped or killed: bit-exactly under the conditions of ``seed`` of :func:`train`, with as
    many processes, unless the budget is changed.

    Args:
        run: run folder.
        paintings: where the paintings lie now, if they were moved.
        photos: where the photos lie now, if they were moved.
        budget: new budget of the whole training, to train longer than planned at first.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` … or ``mps``; that of the first process by default.
        devices: as for :func:`train`; as many as before by default.
        log: loggers in addition to those of the run.
        callbacks, observer, progress: as for :func:`train`.

    Returns:
        Whether the training was finished, or the signal that stopped it.

    Raises:
        ImpastoError: the folder is not a run or has no readable checkpoint, the data sets differ, or as for
            :func:`train`.
    """
    if not started_outside():  # other machines have no run folder
        resumed = RunDir.open(user_path(run))
        resumed.require_resumable()
        device, devices = device or resumed.facts["device"], devices or resumed.facts.get("processes", 1)
        _require_divisible(resumed.recipe, devices)
    with training_processes(device or "auto", devices) as team:
        agree(team.processes, None, {"budget": budget})
        if not team.processes.first:
            return follow(team.processes, team.device)
        resumed = RunDir.open(user_path(run))
        return _resume(resumed, team, paintings, photos, budget, log, callbacks, observer, progress)


#: Under another name where a parameter is called ``resume``.
_resume_verb = resume


def _resume(
    run: RunDir,
    team: Team,
    paintings: str | Path | None = None,
    photos: str | Path | None = None,
    budget: str | None = None,
    log: str | Iterable[str] = (),
    callbacks: Iterable[Callback] = (),
    observer: Observer | None = None,
    progress: bool = True,
) -> Outcome:
    """Resume a run as the first of its processes."""
    processes, device = team.processes, team.device
    with run.lock():
        run.require_resumable()
        _require_divisible(run.recipe, processes.size)
        facts = run.facts
        added = [log] if isinstance(log, str) else list(log)
        loggers = list(dict.fromkeys((*facts.get("loggers", ()), *added)))
        require_loggers(added)
        if budget is not None:
            _require_longer(run, Budget.parse(budget))
        stores = reopen_stores(run, paintings, photos)
        for name, moved in (("paintings", paintings), ("photos", photos)):
            if moved is not None:
                facts[name] = facts[name] | {"spec": absolute(moved)}
        run.note(
            paintings=facts["paintings"],
            photos=facts.get("photos"),
            device=_device_name(processes, device),
            processes=processes.size,
            # Rounding depends on the number of threads.
            threads=max(1, facts["threads"] * facts.get("processes", 1) // processes.size),
            budget=budget or facts["budget"],
            loggers=loggers,
        )
        return _train(run, stores, team, callbacks, observer, progress)


def _train(
    run: RunDir,
    stores: Stores,
    team: Team,
    callbacks: Iterable[Callback],
    observer: Observer | None,
    progress: bool,
) -> Outcome:
    """Train a run as the first of its processes."""
    processes, device = team.processes, team.device
    with restored_torch_state(device), parallel.using(processes):
        torch.set_num_threads(run.facts["threads"])
        if processes.size > 1:
            batch = run.recipe.batch // processes.size
            images = f"{batch} image{'s' * (batch > 1)} each"
            _log.info("%d processes on %s, %s.", processes.size, device.type.upper(), images)
        announce(processes, run)
        session = TrainingSession(run, stores, device, callbacks=callbacks, observer=observer, progress=progress)
        outcome = session.train()
        end(processes, outcome.signal)
    return outcome


def _device_name(processes: Processes, device: torch.device) -> str:
    """Return the name of the device, or of its kind if there is one for each of several processes."""
    return str(device) if processes.size == 1 else device.type


def _require_divisible(recipe: Recipe, processes: int) -> None:
    """Raise ImpastoError if the batch of a recipe has no equal parts for all processes."""
    if recipe.batch % processes:
        up = -(-recipe.batch // processes) * processes
        raise ImpastoError(
            f"A batch of {recipe.batch} has no equal parts for {processes} processes: --set batch={up} has."
        )


def _require_same_run(out: str | Path, recipe: Recipe, seed: int) -> None:
    """Raise ImpastoError if the run in a folder is of another recipe or seed."""
    run = RunDir.open(user_path(out))
    run.require_resumable()
    if run.recipe.values() != recipe.without_search().values() or run.facts["seed"] != seed:
        raise ImpastoError(f"{out} is a run of another recipe, settings or seed: choose another folder.")


def _require_longer(run: RunDir, budget: Budget) -> None:
    """Raise ImpastoError if a budget does not fit a run's recipe, or is not the run's own and the run has trained for
    longer already."""
    budget.require_parts(len(run.recipe.speed_changes) + 1)
    if budget == Budget.parse(run.facts["budget"]):  # of which the last steps may take more time than was left
        return
    seconds, saved = run.facts.get("seconds", 0.0), checkpoint.steps(run.checkpoints)
    made = checkpoint.step_of(saved[-1]) if saved else 0
    if budget.unit == "seconds" and budget.amount < seconds:
        raise ImpastoError(f"{run.path} has trained for {seconds:.0f} s already: give a larger --budget.")
    if budget.unit in ("steps", "pictures") and (budget.steps(run.recipe.batch, 1) or 0) < made:
        raise ImpastoError(f"{run.path} has trained for {made:,} steps already: give a larger --budget.")


def _base_recipe(recipe: str | Path | Recipe | None, start: str | Path | None) -> Recipe:
    """Return the named recipe, or that of the style to start from."""
    if isinstance(recipe, Recipe):
        return recipe
    if recipe is not None:
        return Recipe.load(recipe)
    if start is None:
        raise ImpastoError("To train, give a recipe, or a style to start from (--from).")
    return Style.from_pretrained(start).recipe


def _require_same_networks(start: str | Path, recipe: Recipe) -> None:
    """Raise ImpastoError if the weights of ``start`` do not fit the recipe, before the run folder is created."""
    before = Style.from_pretrained(start).recipe
    has_discriminator = bool(checkpoint.steps(find_style(start) / "checkpoints"))
    if before.generator_kwargs() != recipe.generator_kwargs() or (
        has_discriminator and before.discriminator_kwargs() != recipe.discriminator_kwargs()
    ):
        raise ImpastoError(
            f"The networks of {start} differ from those of {recipe.name} with these settings: omit the recipe, and "
            "--set of network settings."
        )


def _start_name(start: str | Path) -> str:
    """Return the name of a bundled style or of one on the Hub, or an absolute path."""
    path = find_style(start)
    elsewhere = not path.exists() and is_repository(str(start))
    return str(start) if elsewhere or str(start) in bundled_styles() else absolute(path)
