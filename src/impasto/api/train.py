"""The verbs that learn a painter: here the rooms are put together."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from impasto._version import __version__
from impasto.config.recipe import Recipe
from impasto.data.augment import to_pixels
from impasto.data.image_grid import tile
from impasto.data.inventory import summarise
from impasto.data.loader import FEW, FEW_HELDOUT, FEWEST, Batches, Loader, split
from impasto.data.pixel_store import PixelStore, gather
from impasto.device import choose_device, choose_layout, choose_precision, open_fabric, out_of_memory
from impasto.errors import ImpastoError
from impasto.files import DiskFullError, atomic_write
from impasto.inference.translator import Painter, load
from impasto.metrics.evaluation import assess
from impasto.metrics.feature_extractors import DEFAULT, FeatureExtractor, open_feature_extractor
from impasto.metrics.features import extract
from impasto.metrics.image_sets import MADE, GeneratedImages, ImageSet, StoreImages, TranslatedImages
from impasto.metrics.reference import Reference
from impasto.metrics.results import Evaluation, Scores
from impasto.reports.evaluation_text import copying, sentences
from impasto.reports.run import write_report
from impasto.style import Style, bundled_styles, find_style
from impasto.training import checkpoint
from impasto.training.budget import Budget
from impasto.training.memory_estimate import require_memory
from impasto.training.progress import Progress
from impasto.training.run_dir import RunDir, resume_command
from impasto.training.schedule import Observer
from impasto.training.trainer import Judge, Outcome, Trainer

#: New paintings shown in the report, or pairs of photo and painting.
SHOWN, PAIRS = 64, 16
#: Real pictures that a training is judged by at most, evenly spread.
REAL = 2000


def train(
    recipe: str | Path | Recipe | None,
    paintings: str | Path,
    out: str | Path,
    *,
    photos: str | Path | None = None,
    start: str | Path | None = None,
    seed: int = 0,
    budget: str = "30m",
    settings: Iterable[str] = (),
    crop_frames: bool = False,
    device: str = "auto",
    precision: str = "auto",
    license: str = "",
    say: Callable[[str], object] = print,
    progress: Progress | None = None,
    watch: Observer | None = None,
) -> Outcome:
    """Learns a painter and leaves a run folder with styles, samples, log and report.

    Args:
        recipe: a bundled_styles recipe's name, a YAML file, or a recipe; None for that of ``start``.
        paintings: a folder, a zip, TFRecord files, a pack, ``sample:paintings`` or ``kaggle:…``.
        out: the run folder, which must not exist yet.
        photos: the same of photos, for a recipe that makes paintings of them.
        start: a style or run folder whose weights to begin with, instead of at random: fine-tuning.
        seed: the same seed, recipe and pictures give the same style (bit for bit on one kind of CPU).
        budget: ``30m``, ``50kimg``, ``2000steps`` or ``20epochs``; an epoch is once through the photos, if any.
        settings: changes to the recipe, such as ``generator.width=96``.
        crop_frames: take borders, mounts and frames off the paintings first.
        device: ``auto``, or one of torch's names.
        precision: ``auto``, ``bf16`` or ``fp32``.
        license: under which the style may be used; its file says so.
        say: is told what a person should know.
        progress: shows how it goes; a bar and a line, or lines, if not given.
        watch: is told the scores on the way, and may end the training; no report is written then.

    Raises :class:`impasto.errors.ImpastoError` for what a person can mend.
    """
    chosen = _recipe(recipe, start).replace(settings)
    _require_photos(chosen, photos)
    if start is not None:
        _require_same_networks(start, chosen)
    Budget.parse(budget)
    where = choose_device(device)
    how = choose_precision(precision, where)
    RunDir.require_free(Path(out))
    learned, subjects = pictures(chosen, paintings, photos, crop_frames, say)
    require_memory(chosen, open_fabric(where, how))
    facts = {
        "impasto": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "budget": budget,
        "paintings": _source(paintings, learned, chosen, seed, crop_frames),
        "photos": None if subjects is None else _source(photos or "", subjects, chosen, seed, False),
        "start": None if start is None else str(start) if str(start) in bundled_styles() else _place(find_style(start)),
        "device": str(where),
        "precision": how,
        "threads": torch.get_num_threads(),
        "license": license,
    }
    run = RunDir.create(Path(out), chosen, facts)
    with atomic_write(run.path / "pictures.json") as part:
        part.write_text(learned.inventory.model_dump_json(indent=1), encoding="utf-8")
    with run.lock():
        return _go(run, learned, subjects, where, say, progress, watch)


def resume(
    run: str | Path,
    *,
    paintings: str | Path | None = None,
    photos: str | Path | None = None,
    budget: str | None = None,
    device: str | None = None,
    say: Callable[[str], object] = print,
    progress: Progress | None = None,
    watch: Observer | None = None,
) -> Outcome:
    """Goes on with a run that was stopped or killed, as if it had not been: on one kind of CPU, bit for bit.

    Args:
        run: the run folder.
        paintings: where the same paintings lie now, if they have moved since.
        photos: where the same photos lie now, if they have moved since.
        budget: a new budget for the atomic_write training, to go beyond the first one.
        device: ``auto``, or one of torch's names; by default the one that the run began on.
        say, progress, watch: as for :func:`train`.

    Raises :class:`impasto.errors.ImpastoError` if the pictures are not the same, or nothing can be gone on with.
    """
    begun = RunDir.open(Path(run))
    with begun.lock():
        facts = begun.facts
        where = choose_device(device or facts["device"])
        if budget is not None:
            Budget.parse(budget)
        if photos is not None and not begun.recipe.translates:
            raise ImpastoError(f"{run} paints out of nothing: leave out --photos.")
        found: dict[str, PixelStore] = {}
        for key, option, moved in (("paintings", "--paintings", paintings), ("photos", "--photos", photos)):
            source = facts.get(key)
            if source is not None:
                spec = str(moved or source["spec"])
                found[key] = _gather_again(begun, spec, source, option, say)
                facts[key] = source | {"spec": _place(spec)}
        torch.set_num_threads(facts["threads"])  # sums are rounded differently by another number of threads
        begun.note(
            paintings=facts["paintings"],
            photos=facts.get("photos"),
            device=str(where),
            budget=budget or facts["budget"],
        )
        return _go(begun, found["source"], found.get("photos"), where, say, progress, watch)


def pictures(
    recipe: Recipe, paintings: str | Path, photos: str | Path | None, crop_frames: bool, say: Callable[[str], object]
) -> tuple[PixelStore, PixelStore | None]:
    """What a recipe is to learn from: paintings, and photos if it paints those.

    Raises :class:`impasto.errors.ImpastoError` if that is not enough, too small, or not what the recipe learns from.
    """
    _require_photos(recipe, photos)
    learned = _gather(paintings, recipe, crop_frames, say)
    if len(learned.pixels) < FEW:
        say(f"Few pictures ({len(learned.pixels)}): expect copies of them. A few hundred make a painter.")
    return learned, None if photos is None else _gather(photos, recipe, False, say)


def _require_photos(recipe: Recipe, photos: str | Path | None) -> None:
    """Refuses photos that a recipe has no use for, and their lack where it has."""
    if recipe.translates and photos is None:
        raise ImpastoError(f"{recipe.name} learns to paint photos: say where some are with --photos.")
    if photos is not None and not recipe.translates:
        raise ImpastoError(
            f"{recipe.name} paints out of nothing: leave out --photos, or choose a recipe that uses them."
        )


def _recipe(recipe: str | Path | Recipe | None, start: str | Path | None) -> Recipe:
    """The recipe that is asked for, or that of the style to start from."""
    if isinstance(recipe, Recipe):
        return recipe
    if recipe is not None:
        return Recipe.load(recipe)
    if start is None:
        raise ImpastoError("To train, give a recipe, or a style to start from (--from).")
    return Style.load(start).recipe


def _require_same_networks(start: str | Path, recipe: Recipe) -> None:
    """Refuses weights of other networks than the recipe's, before anything is made of them."""
    before = Style.load(start).recipe
    judged = bool(checkpoint.steps(find_style(start) / "checkpoints"))
    if before.generator_kwargs() != recipe.generator_kwargs() or (
        judged and before.discriminator_kwargs() != recipe.discriminator_kwargs()
    ):
        raise ImpastoError(
            f"The networks of {start} are not those of {recipe.name} with these settings: leave the recipe out, and "
            "what --set changes of its networks."
        )


def _gather(spec: str | Path, recipe: Recipe, crop_frames: bool, say: Callable[[str], object]) -> PixelStore:
    """ImageSet to learn from, enough and large enough for the recipe."""
    say(f"Reading {spec} …")
    store = gather(spec, recipe.stored_size, crop_frames=crop_frames)
    for line in summarise(store.inventory):
        say(line)
    least = recipe.stored_size if recipe.translates else recipe.size
    if store.size < least:
        raise ImpastoError(
            f"{spec} is packed at {store.size} pixels and {recipe.name} learns from {least}: "
            f"pack it again with --size {least} or more."
        )
    if len(store.pixels) < FEWEST:
        raise ImpastoError(f"{spec} holds too few pictures ({len(store.pixels)}): give at least {FEWEST}.")
    return store


def _gather_again(
    run: RunDir, spec: str, source: Mapping[str, Any], option: str, say: Callable[[str], object]
) -> PixelStore:
    """The pictures that a run learns from, which must be the same as ever."""
    say(f"Reading {spec} …")
    try:
        store = gather(spec, run.recipe.stored_size, crop_frames=source["crop_frames"])
    except ImpastoError as error:
        raise ImpastoError(f"{error} If the pictures have moved, say where they are with {option}.") from error
    if store.fingerprint != source["fingerprint"]:
        raise ImpastoError(
            f"{spec} does not hold the pictures that {run.path} learns from ({source['pictures']} then, "
            f"{len(store.pixels)} now, or other ones): say where those are with {option}."
        )
    return store


def _source(spec: str | Path, store: PixelStore, recipe: Recipe, seed: int, crop_frames: bool) -> dict[str, Any]:
    """What a run remembers of its pictures."""
    return {
        "spec": _place(spec),
        "crop_frames": crop_frames,
        "fingerprint": store.fingerprint,
        "pictures": len(store.pixels),
        "heldout": len(split(len(store.pixels), recipe.heldout, seed)[1]),
        "left_out": len(store.inventory.left_out),
        "duplicates": len(store.inventory.duplicates),
        "size": store.size,
    }


def _place(source: str | Path) -> str:
    """Where pictures lie, so that it can be found from another folder."""
    return str(Path(source).resolve()) if Path(source).exists() else str(source)


def _go(
    run: RunDir,
    store: PixelStore,
    photos: PixelStore | None,
    device: torch.device,
    say: Callable[[str], object],
    progress: Progress | None,
    watch: Observer | None,
) -> Outcome:
    """Trains a run from where it stands, and writes its report."""
    recipe, facts = run.recipe, run.facts
    if photos is not None and recipe.target != "paintings":
        store, photos = photos, store  # from here on: the target domain, and the source domain
    seed: int = facts["seed"]

    def loader(pictures: PixelStore, indices: np.ndarray, order: str) -> Loader:
        augment, layout = recipe.augment, choose_layout(device, recipe.normalises_spatially)
        return Loader(pictures.pixels, indices, recipe.size, recipe.batch, augment, seed, device, order, layout)

    learned, heldout = split(len(store.pixels), recipe.heldout, seed)
    source = subjects = judged_by = photographs = None
    if photos is not None:
        seen, unseen = split(len(photos.pixels), recipe.heldout, seed)
        shown = unseen if len(unseen) >= FEW_HELDOUT else np.arange(len(photos.pixels))
        # The best style is chosen by one half of them, and judged by the other, if there are enough for both.
        choosing, judging = (shown[::2], shown[1::2]) if len(unseen) >= 2 * FEW_HELDOUT else (shown, shown)
        source, subjects = loader(photos, seen, "photos"), loader(photos, choosing, "subjects")
        judged_by = StoreImages(photos, recipe.sample_size, MADE, judging)
        photographs = StoreImages(photos, recipe.sample_size, MADE, seen)  # real, for the reverse direction
    pictures = Batches(loader(store, learned, "epoch"), source)
    judged = Batches(loader(store, heldout, "epoch")) if len(heldout) else None
    fabric = open_fabric(device, facts["precision"])
    budget = Budget.parse(facts["budget"])
    network = open_feature_extractor(recipe.scoring_network, device)
    real = StoreImages(store, recipe.sample_size, REAL, learned)
    say(f"Measuring {real.count:,} real pictures to compare with …")
    judge = _judge(network, real)
    trainer = Trainer(run, fabric, pictures, judged, budget, seed, judge, progress, subjects, watch)
    if checkpoint.steps(run.checkpoints):
        state, damaged = checkpoint.newest(run.checkpoints)
        for path in damaged:
            say(f"{path} cannot be read.")
        trainer.resume(state)
        if trainer.scores is not None and trainer.scores.network != network.name:
            trainer.lowest = None  # it was another network's, and tells nothing about this one's
        finished = trainer.plan.total is not None and trainer.step >= trainer.plan.total
        say(
            f"Finished at step {trainer.step}; a larger --budget goes on."
            if finished
            else f"Going on from step {trainer.step}."
        )
    elif facts.get("start"):
        trainer.start_from(*_learned_before(facts["start"]))
    if trainer.plan.total is None or trainer.step < trainer.plan.total:
        for name in ("evaluation.json", "copies.jpg"):  # they judge a style that may not last
            (run.path / name).unlink(missing_ok=True)
    try:
        outcome = trainer.train()
        if not outcome.finished:
            say(f"Stopped at step {trainer.step}, all is saved. Go on with: {resume_command(run.path)}")
        _show(run, subjects)
        if outcome.finished:
            say("Scoring paintings that no choice was made by …")
            unseen_paintings = StoreImages(store, recipe.sample_size, indices=heldout)
            # A search asks for the score that chose, and no other.
            others = [open_feature_extractor(DEFAULT, device)] if watch is None and network.name != DEFAULT else []
            turned = photographs if watch is None else None
            found = _assess(run, [network, *others], real, unseen_paintings, judged_by, turned)
            for line in (*sentences(found), copying(found.copies).sentence):
                say(line)
        if watch is None:
            write_report(run.path)
    except KeyboardInterrupt:
        say(f"Stopped before all was scored and shown. Go on with: {resume_command(run.path)}")
        raise
    except DiskFullError as error:
        raise DiskFullError(f"{error} Then go on with: {resume_command(run.path)}") from error
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        half = recipe.batch // 2
        cure = f"batch={half}" if half >= recipe.min_batch else f"size={recipe.size // 2}"
        raise ImpastoError(f"The memory of {device} is too small for this recipe: try --set {cure}.") from error
    finally:
        with contextlib.suppress(DiskFullError):  # what is wrong is told already
            run.close()
    return outcome


Weights = Mapping[str, torch.Tensor]


def _learned_before(start: str) -> tuple[dict[str, Weights], Weights, Weights | None]:
    """The weights of a style, or of all networks of a run that can be gone on with; of the averaged generator; and of
    that of the reverse direction, if there is one."""
    saved = find_style(start) / "checkpoints"
    if checkpoint.steps(saved):
        state, _ = checkpoint.newest(saved)
        return state["networks"], state["ema"], state.get("ema_reverse")
    style = Style.load(start)
    weights = style.network.state_dict()
    if style.reverse is None:
        return {"generator": weights}, weights, None
    reverse = style.reverse.state_dict()
    return {"generator": weights, "back": reverse}, weights, reverse


def _judge(network: FeatureExtractor, real: StoreImages) -> Judge:
    """How the training is watched: pictures against all that it learns from."""
    reference = Reference(network, real.size, real.features(network))
    return lambda pictures: reference.scores(extract(network, pictures))


def _show(run: RunDir, subjects: Loader | None) -> None:
    """New paintings by the run's style; beside the photos that they are of, if it paints photos."""
    painter = load(_kept(run), "cpu")
    if subjects is None:
        shown = np.stack(list(painter.stream(SHOWN, seed=run.facts["seed"])))
    else:
        photos = to_pixels(subjects.whole(PAIRS)).cpu().numpy()
        shown = np.stack([photos, painter.paint_pixels(photos)], 1).reshape(-1, *photos.shape[1:])
    with atomic_write(run.path / "paintings.jpg") as part:
        tile(shown, columns=8).save(part, format="JPEG", quality=92, subsampling=0)


def _kept(run: RunDir) -> Path:
    """The run's style: its best one, or its last one if none was judged."""
    return run.best if run.best.exists() else run.last


def _assess(
    run: RunDir,
    networks: Sequence[FeatureExtractor],
    real: StoreImages,
    heldout: StoreImages,
    photos: StoreImages | None,
    photographs: StoreImages | None,
) -> Evaluation:
    """Judges the run's style by other paintings than those that it was chosen by, and tells its card. A style of both
    directions is also judged by what it makes of paintings, against ``photographs``. The first network is the one that
    chose."""
    path = _kept(run)
    style = Style.load(path)
    device = networks[0].device
    painter = Painter(style, device)
    made = (
        GeneratedImages(painter, str(run.path), real.size, None, run.facts["seed"])
        if photos is None
        else TranslatedImages(painter, str(run.path), photos)
    )
    found = assess(made, real, networks, unseen=heldout if heldout.count >= FEW_HELDOUT else None)
    if style.reverse is not None and photographs is not None:
        paintings = heldout if heldout.count >= FEW_HELDOUT else real
        turned = TranslatedImages(Painter(style.reversed(), device), str(run.path), paintings)
        scores = [_score(network, turned, photographs) for network in networks]
        found = replace(found, evaluation=found.evaluation.model_copy(update={"scores_reverse": scores}))
    found.save(run.path)
    told = found.evaluation
    measured = {name: getattr(told, name) for name in ("scores", "scores_reverse", "content", "checkerboard")}
    replace(style, card=style.card.model_copy(update=measured)).save(path)
    return told


def _score(network: FeatureExtractor, made: ImageSet, real: ImageSet) -> Scores:
    """The measures of what a style makes, with what one half of the real pictures has against the other."""
    reference = Reference(network, real.size, real.features(network))
    return reference.with_floors(reference.scores(made.features(network)))
