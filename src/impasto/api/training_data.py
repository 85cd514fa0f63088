"""The data sets of a training: open and check them, open them again on resume, and split them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from impasto.config.recipe import Recipe
from impasto.data.loader import FEW_HELDOUT, FEW_IMAGES, MIN_IMAGES, Batches, Loader, split
from impasto.data.pixel_store import PixelStore, load_images, local
from impasto.errors import ImpastoError
from impasto.files import user_path
from impasto.inference import image_sets
from impasto.metrics.image_sets import StoreImages
from impasto.training.run_dir import RunDir
from impasto.training.samples import TrainingData

_log = logging.getLogger(__name__)

#: Real images that a training is scored against at most.
MAX_REALS = 2000


@dataclass(frozen=True)
class Stores:
    """The pixel stores of a training."""

    paintings: PixelStore
    photos: PixelStore | None = None  #: None for unconditional models


def open_stores(
    recipe: Recipe, paintings: str | Path, photos: str | Path | None = None, crop_frames: bool = False
) -> Stores:
    """Read the data sets that a recipe is trained on.

    Raises:
        ImpastoError: a data set is missing, unused, unreadable, too small, or packed at too small a size.
    """
    require_photos(recipe, photos)
    opened = _open(paintings, recipe, crop_frames)
    if len(opened.pixels) < FEW_IMAGES:
        _log.warning(
            "Few paintings (%d): the model will reproduce them. Use a few hundred if you can.", len(opened.pixels)
        )
    stores = Stores(opened, None if photos is None else _open(photos, recipe, crop_frames=False))
    if stores.photos is not None and stores.photos.fingerprint == opened.fingerprint:
        _log.warning("The paintings and the photos are the same images, so there is nothing to learn.")
    return stores


def require_photos(recipe: Recipe, photos: str | Path | None) -> None:
    """Raise ImpastoError unless photos are given if and only if the recipe is trained on them."""
    if recipe.translates and photos is None:
        raise ImpastoError(f"{recipe.name} is an image-to-image model and needs photos: add --photos.")
    if photos is not None and not recipe.translates:
        raise ImpastoError(f"{recipe.name} is an unconditional model and takes no photos; remove --photos.")


def _open(spec: str | Path, recipe: Recipe, crop_frames: bool) -> PixelStore:
    _log.info("Reading %s …", spec)
    store = load_images(spec, recipe.stored_size, crop_frames=crop_frames)
    for line in store.summary.lines():
        _log.info(line)
    least = recipe.stored_size if recipe.translates else recipe.size
    if store.size < least:
        raise ImpastoError(
            f"{spec} is packed at {store.size} px and {recipe.name} is trained at {least} px: pack it again with "
            f"--size {least} or more."
        )
    if len(store.pixels) < MIN_IMAGES:
        raise ImpastoError(f"{spec} has too few images ({len(store.pixels)}): give at least {MIN_IMAGES}.")
    return store


def reopen_stores(run: RunDir, paintings: str | Path | None, photos: str | Path | None) -> Stores:
    """Read the data sets of a run again, where they lie now if they were moved.

    Raises:
        ImpastoError: a data set is not found, or its images are others.
    """
    facts = run.facts
    if photos is not None and not run.recipe.translates:
        raise ImpastoError(f"{run.path} is an unconditional model and takes no photos; remove --photos.")
    for name, moved in (("paintings", paintings), ("photos", photos)):
        if moved is not None:
            facts[name] = facts[name] | {"spec": str(moved)}
    return stores_of(run.recipe, facts, str(run.path))


def stores_of(recipe: Recipe, facts: Mapping[str, Any], run: str) -> Stores:
    """Read the data sets of a run by its ``facts``; errors name the ``run``.

    Raises:
        ImpastoError: a data set is not found, or its images are others.
    """
    again = _reopen(run, recipe, facts["paintings"], "--paintings")
    if facts.get("photos") is None:
        return Stores(again)
    return Stores(again, _reopen(run, recipe, facts["photos"], "--photos"))


def _reopen(run: str, recipe: Recipe, source: Mapping[str, Any], option: str) -> PixelStore:
    spec, size = str(source["spec"]), recipe.stored_size
    _log.info("Reading %s …", spec)
    try:
        store = load_images(spec, size, crop_frames=source["crop_frames"])
    except ImpastoError as error:
        raise ImpastoError(f"{error} If the images were moved, give their new place with {option}.") from error
    if store.fingerprint != source["fingerprint"]:
        raise ImpastoError(
            f"{spec} does not hold the images that {run} is trained on ({source['pictures']} then, "
            f"{len(store.pixels)} now, or other ones): give their place with {option}."
        )
    return store


def source_facts(spec: str | Path, store: PixelStore, recipe: Recipe, seed: int, crop_frames: bool) -> dict[str, Any]:
    """Return what ``run.json`` stores of a data set."""
    return {
        "spec": absolute(spec),
        "crop_frames": crop_frames,
        "fingerprint": store.fingerprint,
        "pictures": len(store.pixels),
        "heldout": len(split(len(store.pixels), recipe.heldout, seed)[1]),
        "left_out": store.summary.left_out,
        "duplicates": store.summary.duplicates,
        "size": store.size,
    }


def absolute(source: str | Path) -> str:
    """Return the absolute path of a source that is a file or folder, and other sources as they are."""
    path = user_path(local(source))
    return str(path.resolve()) if path.exists() else str(source)


@dataclass(frozen=True)
class DataSplits:
    """The data sets of a training, split.

    Attributes:
        training: batches to train on, held-out paintings and photos to sample from.
        reals: training images of the target domain.
        choosing: held-out images of the target domain to choose the best style by; None if there are too few.
        heldout: held-out images of the target domain to evaluate the best style by; they may be too few.
        disjoint: whether the best style is evaluated by held-out images none of which chose it.
        photos: images of the source domain to evaluate by; None for unconditional models.
        source_reals: training images of the source domain, to score the reverse direction against.
    """

    training: TrainingData
    reals: StoreImages
    choosing: StoreImages | None
    heldout: StoreImages
    disjoint: bool
    photos: StoreImages | None = None
    source_reals: StoreImages | None = None


def split_stores(stores: Stores, recipe: Recipe, seed: int, device: torch.device) -> DataSplits:
    """Split the data sets into training and held-out images, reproducibly by ``seed``.

    The best style is chosen by one half of the held-out images of each domain and evaluated by the other, if there are
    enough for both. With fewer, all serve for both; with too few held-out photos, all photos do, and with too few
    held-out images of the target domain the training images choose.
    """
    target, source = stores.paintings, stores.photos
    if source is not None and recipe.target != "paintings":
        target, source = source, target

    def loader(store: PixelStore, indices: np.ndarray, order: str) -> Loader:
        return Loader(store.pixels, indices, recipe.size, recipe.batch, recipe.augment, seed, device, order)

    train, heldout = split(len(target.pixels), recipe.heldout, seed)
    heldout_batches = Batches(loader(target, heldout, "epoch")) if len(heldout) else None
    reals = StoreImages(target, recipe.sample_size, MAX_REALS, train)
    choose, evaluate = _halves(heldout)
    disjoint = _enough_for_both(heldout)
    choosing = StoreImages(target, recipe.sample_size, indices=choose) if len(heldout) >= FEW_HELDOUT else None
    heldout_images = StoreImages(target, recipe.sample_size, indices=evaluate)
    if source is None:
        training = TrainingData(Batches(loader(target, train, "epoch")), heldout_batches)
        return DataSplits(training, reals, choosing, heldout_images, disjoint)
    source_train, source_heldout = split(len(source.pixels), recipe.heldout, seed)
    choose = evaluate = np.arange(len(source.pixels))
    if len(source_heldout) >= FEW_HELDOUT:
        choose, evaluate = _halves(source_heldout)
    batches = Batches(loader(target, train, "epoch"), loader(source, source_train, "photos"))
    return DataSplits(
        TrainingData(batches, heldout_batches, loader(source, choose, "subjects")),
        reals,
        choosing,
        heldout_images,
        disjoint and _enough_for_both(source_heldout),
        StoreImages(source, recipe.sample_size, image_sets.GENERATED, evaluate),
        StoreImages(source, recipe.sample_size, image_sets.GENERATED, source_train),
    )


def enough_heldout(stores: Stores, recipe: Recipe) -> bool:
    """Return whether enough images of the target domain are held out to choose the best style and to score it."""
    target = stores.photos if recipe.target == "photos" and stores.photos is not None else stores.paintings
    return len(split(len(target.pixels), recipe.heldout, 0)[1]) >= FEW_HELDOUT


def _enough_for_both(heldout: np.ndarray) -> bool:
    """Return whether one half of the images can choose and the other evaluate."""
    return len(heldout) >= 2 * FEW_HELDOUT


def _halves(heldout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the images to choose by and those to evaluate by: halves, or all for both if they are too few to
    divide."""
    return (heldout[::2], heldout[1::2]) if _enough_for_both(heldout) else (heldout, heldout)
