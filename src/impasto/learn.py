"""The verbs that learn a painter: here the rooms are put together."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

import impasto
from impasto.data.loader import Loader, split, working_size
from impasto.data.pack import Store, gather
from impasto.data.survey import summarise
from impasto.device import choose_device, choose_precision, open_fabric
from impasto.errors import ImpastoError
from impasto.files import DiskFullError, whole
from impasto.grid import tile
from impasto.paint.painter import Painter, load
from impasto.recipe import Recipe
from impasto.report.page import write_report
from impasto.report.words import copying, sentences
from impasto.score.assess import assess
from impasto.score.features import extract
from impasto.score.measures import Reference
from impasto.score.networks import USUAL, FeatureNetwork, open_network
from impasto.score.sides import InStore, Made
from impasto.scores import Evaluation
from impasto.style import Style
from impasto.training import checkpoint
from impasto.training.budget import Budget
from impasto.training.loop import Judge, Outcome, Trainer
from impasto.training.run import Run, resume_command

#: Fewer pictures than this cannot be trained on, of which one is held out and two are scored against.
FEWEST = 3
#: Fewer pictures than this can be copied, but not learned from.
FEW = 50
#: Fewer held-out pictures than this are too few to score against.
FEW_HELDOUT = 20
#: New paintings shown in the report.
SHOWN = 64


def train(
    recipe: str | Path | Recipe,
    paintings: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    budget: str = "30m",
    settings: Iterable[str] = (),
    crop_frames: bool = False,
    device: str = "auto",
    precision: str = "auto",
    licence: str = "",
    say: Callable[[str], object] = print,
) -> Outcome:
    """Learns a painter and leaves a run folder with styles, samples, log and report.

    Args:
        recipe: a shipped recipe's name, a YAML file, or a recipe.
        paintings: a folder, a zip, TFRecord files, a pack, ``sample:paintings`` or ``kaggle:…``.
        out: the run folder, which must not exist yet.
        seed: the same seed, recipe and pictures give the same style (bit for bit on one kind of CPU).
        budget: ``30m``, ``50kimg``, ``2000steps`` or ``20epochs``.
        settings: changes to the recipe, such as ``generator.width=96``.
        crop_frames: take borders, mounts and frames off the pictures first.
        device: ``auto``, or one of torch's names.
        precision: ``auto``, ``bf16`` or ``fp32``.
        licence: under which the style may be used; its file says so.
        say: is told what a person should know.

    Raises :class:`impasto.errors.ImpastoError` for what a person can mend.
    """
    chosen = (recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)).replace(settings)
    Budget.parse(budget)
    where = choose_device(device)
    how = choose_precision(precision, where)
    Run.require_free(Path(out))
    size = working_size(chosen.size, chosen.augment.scale)
    say(f"Reading {paintings} …")
    store = gather(paintings, size, crop_frames=crop_frames)
    for line in summarise(store.survey):
        say(line)
    if store.size < chosen.size:
        raise ImpastoError(
            f"{paintings} is packed at {store.size} pixels and {chosen.name} learns at {chosen.size}: "
            f"pack it again with --size {chosen.size} or more."
        )
    if len(store.pixels) < FEWEST:
        raise ImpastoError(f"{paintings} holds too few pictures ({len(store.pixels)}): give at least {FEWEST}.")
    if len(store.pixels) < FEW:
        say(f"Few pictures ({len(store.pixels)}): expect copies of them. A few hundred make a painter.")
    source = {
        "spec": _place(paintings),
        "crop_frames": crop_frames,
        "fingerprint": store.fingerprint,
        "pictures": len(store.pixels),
        "heldout": len(split(len(store.pixels), chosen.heldout, seed)[1]),
        "left_out": len(store.survey.left_out),
        "duplicates": len(store.survey.duplicates),
        "size": store.size,
    }
    facts = {
        "impasto": impasto.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "budget": budget,
        "source": source,
        "device": str(where),
        "precision": how,
        "threads": torch.get_num_threads(),
        "licence": licence,
    }
    run = Run.create(Path(out), chosen, facts)
    with whole(run.path / "pictures.json") as part:
        part.write_text(store.survey.model_dump_json(indent=1), encoding="utf-8")
    with run.lock():
        return _go(run, store, where, say)


def resume(
    run: str | Path,
    *,
    paintings: str | Path | None = None,
    budget: str | None = None,
    device: str | None = None,
    say: Callable[[str], object] = print,
) -> Outcome:
    """Goes on with a run that was stopped or killed, as if it had not been: on one kind of CPU, bit for bit.

    Args:
        run: the run folder.
        paintings: where the same pictures lie now, if they have moved since.
        budget: a new budget for the whole training, to go beyond the first one.
        device: ``auto``, or one of torch's names; by default the one that the run began on.
        say: is told what a person should know.

    Raises :class:`impasto.errors.ImpastoError` if the pictures are not the same, or nothing can be gone on with.
    """
    begun = Run.open(Path(run))
    with begun.lock():
        recipe, facts = begun.recipe, begun.facts
        where = choose_device(device or facts["device"])
        if budget is not None:
            Budget.parse(budget)
        source = facts["source"]
        spec = str(paintings or source["spec"])
        say(f"Reading {spec} …")
        try:
            size = working_size(recipe.size, recipe.augment.scale)
            store = gather(spec, size, crop_frames=source["crop_frames"])
        except ImpastoError as error:
            raise ImpastoError(f"{error} If the pictures have moved, say where they are with --paintings.") from error
        if store.fingerprint != source["fingerprint"]:
            raise ImpastoError(
                f"{spec} does not hold the pictures that {run} learns from ({source['pictures']} then, "
                f"{len(store.pixels)} now, or other ones): say where those are with --paintings."
            )
        torch.set_num_threads(facts["threads"])  # sums are rounded differently by another number of threads
        begun.note(source=source | {"spec": _place(spec)}, device=str(where), budget=budget or facts["budget"])
        return _go(begun, store, where, say)


def _place(source: str | Path) -> str:
    """Where pictures lie, so that it can be found from another folder."""
    return str(Path(source).resolve()) if Path(source).exists() else str(source)


def _go(run: Run, store: Store, device: torch.device, say: Callable[[str], object]) -> Outcome:
    """Trains a run from where it stands, and writes its report."""
    recipe, facts = run.recipe, run.facts
    seed: int = facts["seed"]

    def loader(indices: np.ndarray) -> Loader:
        return Loader(store.pixels, indices, recipe.size, recipe.batch, recipe.augment, seed, device)

    learned, heldout = split(len(store.pixels), recipe.heldout, seed)
    pictures, unseen = loader(learned), loader(heldout) if len(heldout) else None
    fabric = open_fabric(device, facts["precision"])
    budget = Budget.parse(facts["budget"])
    network = open_network(USUAL, device)
    real = InStore(store, recipe.size, indices=learned)
    trainer = Trainer(run, fabric, pictures, unseen, budget, seed, _judge(network, real))
    if checkpoint.steps(run.checkpoints):
        state, damaged = checkpoint.newest(run.checkpoints)
        for path in damaged:
            say(f"{path} cannot be read.")
        trainer.resume(state)
        finished = trainer.total is not None and trainer.step >= trainer.total
        say(
            f"Finished at step {trainer.step}; a larger --budget goes on."
            if finished
            else f"Going on from step {trainer.step}."
        )
    if trainer.total is None or trainer.step < trainer.total:
        for name in ("evaluation.json", "copies.jpg"):  # they judge a style that may not last
            (run.path / name).unlink(missing_ok=True)
    try:
        outcome = trainer.train()
        if not outcome.finished:
            say(f"Stopped at step {trainer.step}, all is saved. Go on with: {resume_command(run.path)}")
        _show(run)
        if outcome.finished:
            say("Scoring paintings that no choice was made by …")
            found = _assess(run, network, real, InStore(store, recipe.size, indices=heldout))
            for line in (*sentences(found), copying(found.copies).sentence):
                say(line)
        write_report(run.path)
    except DiskFullError as error:
        raise ImpastoError(f"{error} Then go on with: {resume_command(run.path)}") from error
    except torch.OutOfMemoryError as error:
        raise ImpastoError(
            f"The memory of {device} is too small for this recipe: try a smaller batch, such as "
            f"--set batch={max(2, recipe.batch // 2)}."
        ) from error
    return outcome


def _judge(network: FeatureNetwork, real: InStore) -> Judge:
    """How the training is watched: pictures against all that it learns from."""
    reference = Reference(network, real.size, real.features(network))
    return lambda pictures: reference.scores(extract(network, pictures))


def _show(run: Run) -> None:
    """New paintings by the run's style."""
    paintings = np.stack(list(load(run.path, "cpu").stream(SHOWN, seed=run.facts["seed"])))
    with whole(run.path / "paintings.jpg") as part:
        tile(paintings).save(part, format="JPEG", quality=92, subsampling=0)


def _assess(run: Run, network: FeatureNetwork, real: InStore, heldout: InStore) -> Evaluation:
    """Judges the run's style by other paintings than those that it was chosen by, and tells its card."""
    path = run.best if run.best.exists() else run.last
    style = Style.load(path)
    made = Made(Painter(style, network.device), str(run.path), real.size, None, run.facts["seed"])
    found = assess(made, real, [network], unseen=heldout if heldout.count >= FEW_HELDOUT else None)
    found.save(run.path)
    card = style.card.model_copy(update={"scores": found.evaluation.scores})
    Style(style.network, card).save(path)
    return found.evaluation
