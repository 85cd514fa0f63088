"""Public API of data exploration: ``explore``."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from impasto._version import __version__
from impasto.config.recipe import Recipe
from impasto.config.types import Features, Pixels, Progress
from impasto.data.pixel_store import PixelStore, is_pack
from impasto.data.places import is_address
from impasto.data.sources import ImageSource, open_source
from impasto.device import Precision, choose_device, choose_precision, out_of_memory
from impasto.exploration.image_statistics import decibels, describe_differences, percentiles
from impasto.exploration.inspection import Inspection, inspect_images
from impasto.exploration.palette import palette, set_palette
from impasto.exploration.recipe_choice import choose_recipe, short_sides
from impasto.exploration.recommendations import recommend
from impasto.exploration.results import Cluster, CommonWatermark, Domain, DomainGap, Exploration
from impasto.exploration.scan import Scan, common_size, load_squares, scan_source
from impasto.exploration.similarity import (
    assign_cells,
    cluster_order,
    clusters,
    mean_similarity,
    pixel_vectors,
    similarity,
    tsne_layout,
    typical_and_outliers,
)
from impasto.exploration.speed import SpeedEstimate, estimate_speed
from impasto.exploration.watermarks import common_watermarks
from impasto.files import make_folder, require_folder, user_path
from impasto.inference.ray_image_sets import opens_on_cluster
from impasto.inference.remote_photos import open_remote_source
from impasto.metrics.feature_extractors import DEFAULT, FeatureExtractor, open_feature_extractor
from impasto.metrics.features import extract
from impasto.metrics.kid import kernel_distance
from impasto.metrics.results import Value
from impasto.progress_bar import bar_in_notebooks
from impasto.reports.exploration import OWN_FILES, RECORD, write_page
from impasto.reports.exploration_images import TYPICAL, Images
from impasto.reports.own_files import require_own

#: Images that are inspected for frames and watermarks, at 1/20 s each.
INSPECTED = {"paintings": 200, "photos": 60}
#: Images per domain that the distance between the domains needs.
MIN_IMAGES_FOR_GAP = 20
#: Listed members of a cluster, and pairs of exact and of near duplicates in the report.
MAX_MEMBERS, MAX_PAIRS = 10, 24


@bar_in_notebooks("exploring")
def explore(
    paintings: str,
    out: str | Path,
    *,
    photos: str | None = None,
    recipe: str | None = None,
    crop_frames: bool = False,
    engine: Literal["here", "ray"] = "here",
    device: str = "auto",
    precision: str = "auto",
    progress: Progress | None = None,
) -> Exploration:
    """Explore a data set before training: statistics, issues, similarity, and recommendations with commands.

    Writes ``exploration.html``, its figures and contact sheets as PNG and JPEG, and ``exploration.json`` into ``out``.
    Every image is measured; comparisons between images use an evenly spaced sample.

    Args:
        paintings: a folder, a zip, TFRecords, a pack, ``sample:paintings``, ``kaggle:…`` or ``hf:…``.
        out: an output folder, which may exist.
        photos: photos for image-to-image translation, in the same formats.
        recipe: name or YAML file of the recipe to train; by default chosen from the images and the device.
        crop_frames: crop borders, mounts and frames of the paintings first.
        engine: ``ray`` measures image files on a Ray cluster; they may be addresses that fsspec supports. Packs are
            measured here.
        device: "auto", "cpu", "cuda" …, as for training.
        precision: as for training.
        progress: called with the number of images done and their total, first while reading, then while extracting
            features.

    Returns:
        The results, as in ``exploration.json``.

    Raises:
        ImpastoError: a source cannot be opened or has no usable image, there is no such recipe, ``out`` holds files
            that would be replaced and are not of an earlier exploration, or the disk is full.
    """
    start = time.perf_counter()
    folder = user_path(out)
    require_folder(folder)
    require_own(folder, OWN_FILES, RECORD)
    given_recipe = Recipe.load(recipe) if recipe is not None else None
    chosen_device = choose_device(device)
    chosen_precision = choose_precision(precision, chosen_device)
    remote: dict[str, ImageSource] = {}
    for source in (paintings, *([photos] if photos is not None else [])):  # report a mistyped one before any is read
        if engine == "ray" and opens_on_cluster(source):
            remote[source] = open_remote_source(source)
        elif not is_pack(source):
            with open_source(source):
                pass
    size = common_size(*(source for source in (paintings, photos) if source is not None and source not in remote))
    network = open_feature_extractor(DEFAULT, chosen_device)
    explored = [_explore_domain("paintings", paintings, size, crop_frames, network, progress, remote.get(paintings))]
    if photos is not None:
        explored.append(_explore_domain("photos", photos, size, False, network, progress, remote.get(photos)))
    domains = [domain for domain, _, _ in explored]
    first, second = domains[0], domains[1] if photos is not None else None
    gap = None if second is None else _gap(first, second, explored[0][2], explored[1][2])
    used = [paintings, *([photos] if photos is not None and (given_recipe is None or given_recipe.translates) else [])]
    packed = min(
        (PixelStore.open(source).size for source in used if source not in remote and is_pack(source)), default=None
    )
    chosen, settings = choose_recipe(short_sides(first), photos is not None, chosen_device, recipe, packed=packed)
    speeds = _estimate_speeds(chosen, chosen_device, chosen_precision)
    exploration = Exploration(
        impasto=__version__,
        created=datetime.now(UTC).replace(microsecond=0),
        size=size,
        paintings=first,
        photos=second,
        gap=gap,
        recommendations=recommend(first, second, gap, speeds, chosen, settings=settings, named=recipe),
        seconds=time.perf_counter() - start,
    )
    make_folder(folder)
    write_page(exploration, [images for _, images, _ in explored], folder)
    return exploration


def _explore_domain(
    role: str,
    source: str,
    size: int,
    crop_frames: bool,
    network: FeatureExtractor,
    progress: Progress | None,
    remote: ImageSource | None,
) -> tuple[Domain, Images, Features]:
    """Return the results for one domain, its images for the report, and the features of its sample."""
    scan = scan_source(source, size, crop_frames=crop_frames, progress=progress, remote=remote)
    features = extract(network, scan.squares, progress and (lambda done: progress(done, len(scan.squares))))
    inspection = _inspect_sample(role, source, scan, remote)
    names = scan.names
    palettes = {name: palette(square) for name, square in zip(names, scan.squares, strict=True)}
    most, least = typical_and_outliers(features, TYPICAL)
    vectors = pixel_vectors(scan.squares)
    domain = Domain.model_validate(
        {
            "role": role,
            "inventory": scan.inventory.model_copy(update={"source": source}),  # a pack stores its original source
            "at_address": remote is not None and is_address(source),
            "statistics": [
                replace(each, palette=tuple(palettes[each.name])) if each.name in palettes else each
                for each in scan.statistics
            ],
            "percentiles": percentiles(scan.statistics),
            "histogram": scan.histogram.tolist(),
            "spectrum": decibels(scan.power, len(scan.statistics)),
            "palette": set_palette(scan.squares),
            "inspected": min(INSPECTED[role], len(scan.statistics)),
            "frames": inspection.frames,
            "watermarks": inspection.watermarks,
            "common_watermarks": [
                CommonWatermark(box=box, reason=reason) for box, reason in common_watermarks(scan.squares)
            ],
            "sample": names,
            "mean_similarity": {"pixels": mean_similarity(vectors), network.name: mean_similarity(features)},
            "typical": [names[index] for index in most],
            "outliers": [names[index] for index in least],
            "clusters": [
                Cluster(size=len(members), members=[names[index] for index in members[:MAX_MEMBERS]])
                for members in clusters(features)
            ],
        }
    )
    loaded = partial(load_squares, source, size=size, crop_frames=crop_frames, remote=remote)
    return domain, _images(scan, inspection, features, vectors, loaded), features


def _inspect_sample(role: str, source: str, scan: Scan, remote: ImageSource | None) -> Inspection:
    """Inspect evenly spaced images for frames and watermarks."""
    count = len(scan.statistics)
    indices = np.linspace(0, count - 1, min(INSPECTED[role], count)).round().astype(int)
    return inspect_images(source, [scan.statistics[index].name for index in indices], remote)


def _estimate_speeds(recipe: Recipe, device: torch.device, precision: Precision) -> dict[str, SpeedEstimate]:
    """Return the speed estimate by the recipe's name; empty if there is not enough memory to measure it."""
    try:
        return {recipe.name: estimate_speed(recipe, device, precision)}
    except Exception as error:
        if not out_of_memory(error):
            raise
        return {}


def _images(
    scan: Scan,
    inspection: Inspection,
    features: Features,
    vectors: Features,
    load: Callable[[list[str]], dict[str, Pixels]],
) -> Images:
    """Return the images of a domain for the report; ``load`` decodes more of them by name."""
    shown = dict(zip(scan.names, scan.squares, strict=True))
    exact = [(each.of, each.name) for each in scan.inventory.duplicates[:MAX_PAIRS]]
    pairs = exact + scan.inventory.near_duplicates[:MAX_PAIRS]
    missing = [name for pair in pairs for name in pair if name not in shown]
    by_pixels, by_features = similarity(vectors), similarity(features)
    order_pixels, order_features = cluster_order(by_pixels), cluster_order(by_features)
    return Images(
        shown=shown | (load(missing) if missing else {}),
        pixels_matrix=by_pixels[np.ix_(order_pixels, order_pixels)],
        features_matrix=by_features[np.ix_(order_features, order_features)],
        order_pixels=order_pixels,
        order_features=order_features,
        cells=assign_cells(tsne_layout(features)),
        crops=inspection.crops,
        watermark_crops=inspection.watermark_crops,
    )


def _gap(paintings: Domain, photos: Domain, painting_features: Features, photo_features: Features) -> DomainGap | None:
    """Return the KID between photos and paintings, with that between two halves of the paintings as its floor."""
    if min(len(painting_features), len(photo_features)) < MIN_IMAGES_FOR_GAP:
        return None
    kid, error = kernel_distance(photo_features, painting_features)
    shuffled = painting_features[np.random.default_rng(0).permutation(len(painting_features))]
    floor, _ = kernel_distance(shuffled[: len(shuffled) // 2], shuffled[len(shuffled) // 2 :])
    return DomainGap(
        network=DEFAULT,
        counts=f"{len(photo_features):,} v {len(painting_features):,}",
        distance=Value(value=kid, error=error, floor=floor),
        differences=describe_differences(paintings, photos),
    )
