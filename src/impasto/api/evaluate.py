"""Public evaluation API: `evaluate`."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeGuard

import torch

from impasto.config.scoring import default_networks
from impasto.config.types import Progress
from impasto.data.pixel_store import PixelStore
from impasto.data.places import is_address
from impasto.device import choose_device
from impasto.errors import ImpastoError
from impasto.files import make_folder, require_folder, user_path
from impasto.inference.image_sets import GENERATED, Resolved, TranslatedImages, native_size, open_image_set, resolve
from impasto.inference.ray_image_sets import Networks, open_cluster_set, opens_on_cluster
from impasto.inference.remote_photos import open_remote_source
from impasto.inference.sampler import Sampler
from impasto.inference.translator import Translator
from impasto.metrics.content_preservation import smallest_side
from impasto.metrics.evaluation import evaluate_images
from impasto.metrics.feature_extractors import FEATURE_EXTRACTORS, FeatureExtractor, open_feature_extractor
from impasto.metrics.image_sets import FileImages, ImageSet
from impasto.metrics.results import Evaluation
from impasto.progress_bar import bar_in_notebooks
from impasto.reports.evaluation import OWN_FILES, RECORD, write_evaluation
from impasto.reports.own_files import require_own

_log = logging.getLogger(__name__)

#: Least side in pixels of images for feature networks.
SMALLEST = 16


@bar_in_notebooks("evaluating")
def evaluate(
    fakes: str | Path,
    against: str | Path,
    out: str | Path | None = None,
    *,
    networks: str | Sequence[str] | None = None,
    photos: str | Path | None = None,
    count: int | None = None,
    size: int | None = None,
    seed: int = 0,
    reverse: bool = False,
    intervals: bool = False,
    weights: str | Path | None = None,
    engine: Literal["here", "ray"] = "here",
    device: str = "auto",
    progress: Progress | None = None,
) -> Evaluation:
    """Score images against real images by every registered metric, and test for memorisation.

    Args:
        fakes: a style, a run folder, or images: a folder, a zip, TFRecord files, a pack, ``sample:…``, ``kaggle:…``,
            ``hf:…``.
        against: the real images, or any of the above.
        out: folder for ``evaluation.html``, ``evaluation.json`` and ``copies.jpg``; by default nothing is written.
        networks: feature networks by name, one or several; see
            :data:`impasto.metrics.feature_extractors.FEATURE_EXTRACTORS`. By default ``efficientnet-lite0``, and before
            it one of another family for a style that was trained against its features.
        photos: source images: those that the fakes were made from, under the same names, or those that a translation
            style translates. Content preservation is measured too.
        count: maximum images of each set; by default 10,000, and 1,000 that a style makes. Of more than 10,000, the
            Fréchet distance compares all and the other metrics an evenly spaced sample of 10,000.
        size: side in pixels at which images are compared; by default the smaller of both sets, at most 256 for files.
        seed: of the samples of an unconditional style.
        reverse: evaluate the reverse direction of a style that has both (CycleGAN): ``photos`` are paintings then, and
            ``against`` photos.
        intervals: compute 95 % confidence intervals, which takes a while.
        weights: file with the weights of ``inception-2015``; by default they are downloaded.
        engine: ``ray`` computes the features of image files and packs on a Ray cluster; the files may be addresses that
            fsspec supports (:mod:`impasto.inference.ray_image_sets`).
        device: see :func:`impasto.device.choose_device`.
        progress: called with the number of images of a set done, and of how many.

    Raises :class:`impasto.errors.ImpastoError` for wrong arguments and unreadable data.
    """
    folder = None if out is None else user_path(out)
    if folder is not None:
        require_folder(folder)
        if (folder / "run.json").exists():
            raise ImpastoError(f"{folder} is a run folder, with its own evaluation: choose another folder (--out).")
        require_own(folder, OWN_FILES, RECORD)
    torch_device = choose_device(device)

    def resolve_set(spec: str | Path, *, reverse: bool = False) -> Resolved:
        if engine == "ray" and is_address(str(spec)) and opens_on_cluster(str(spec)):
            return str(spec)
        return resolve(str(spec), device, reverse=reverse)

    fake, real = resolve_set(fakes, reverse=reverse), resolve_set(against)
    if isinstance(fake, Translator) and photos is None:
        raise ImpastoError(
            f"{fakes} is a translation model ({fake.card.domains}): give {fake.card.source} to translate (--photos)."
        )
    if isinstance(fake, Sampler) and photos is not None:
        raise ImpastoError(f"{fakes} is an unconditional model and takes no photos: remove --photos.")
    if isinstance(real, Translator):
        raise ImpastoError(f"{against} is a translation model: give real images to compare with (--against).")
    side = size or min(_native_size(fake, engine), _native_size(real, engine))
    if side < SMALLEST:
        raise ImpastoError(f"Feature networks need images of at least {SMALLEST} pixels, not {side}: set --size.")
    if photos is not None and side < smallest_side():
        raise ImpastoError(f"Content preservation needs at least {smallest_side()} pixels, not {side}: set --size.")
    if networks is None:
        styles = [each.style for each in (fake, real) if isinstance(each, Sampler | Translator)]
        networks = default_networks(frozenset[str]().union(*(style.recipe.feature_families for style in styles)))
    names = list(dict.fromkeys([networks] if isinstance(networks, str) else networks))
    extractors, openers = _open_networks(names, torch_device, None if weights is None else Path(weights))

    def open_set(resolved: str | PixelStore | Sampler, spec: str, count: int | None, seed: int) -> ImageSet:
        if engine == "ray" and (isinstance(resolved, PixelStore) or _is_on_cluster(resolved)):
            return open_cluster_set(resolved, spec, side, count, openers)
        return open_image_set(resolved, spec, side, count, seed)

    _log.info("Comparing %s with %s at %d×%d pixels …", fakes, against, side, side)
    sources: FileImages | None = None
    if isinstance(fake, Translator):
        assert photos is not None
        found = resolve_set(photos)
        if isinstance(found, Translator):
            raise ImpastoError(f"{photos} is a translation model: give images to translate (--photos).")
        source_images = open_set(found, str(photos), count or GENERATED, seed)
        fake_images: ImageSet = TranslatedImages(fake, str(fakes), source_images)
    else:
        fake_images = open_set(fake, str(fakes), count, seed)
        if photos is not None:
            remote = engine == "ray" and opens_on_cluster(str(photos))
            opened = open_remote_source(str(photos)) if remote else None
            sources = FileImages(str(photos), side, sys.maxsize, opened)
    # Another seed: two styles of one run map the same latents to nearly the same images.
    real_images = open_set(real, str(against), count, seed + 1)
    result = evaluate_images(
        fake_images, real_images, extractors, photos=sources, intervals=intervals, progress=progress
    )
    if folder is not None:
        make_folder(folder)
        result.save(folder)
        write_evaluation(result.evaluation, result.nearest, result.contact_sheets, folder)
    return result.evaluation


def _is_on_cluster(resolved: object) -> TypeGuard[str]:
    return isinstance(resolved, str) and opens_on_cluster(resolved)


def _native_size(resolved: Resolved, engine: str) -> int:
    if engine == "ray" and _is_on_cluster(resolved):
        return native_size(resolved, open_remote_source)
    return native_size(resolved)


def _open_networks(
    names: Sequence[str], device: torch.device, weights: Path | None
) -> tuple[list[FeatureExtractor], Networks]:
    """Open the networks, and tell how others can; those without installed weights get the file ``weights``."""
    without = [name for name in names if name in FEATURE_EXTRACTORS and not FEATURE_EXTRACTORS[name].installed]
    receiving = without or names[:1]  # which refuses the file
    files = [weights if name in receiving else None for name in names]
    opened = [open_feature_extractor(name, device, file) for name, file in zip(names, files, strict=True)]
    return opened, {each.name: key for each, key in zip(opened, zip(names, files, strict=True), strict=True)}
