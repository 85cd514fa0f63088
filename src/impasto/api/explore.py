"""What is in a set of pictures, before anyone trains on it."""

import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from impasto._version import __version__
from impasto.config.recipe import Recipe
from impasto.config.types import Progress
from impasto.data.pixel_store import PixelStore, is_pack
from impasto.data.sources import open_source
from impasto.device import Precision, choose_device, choose_precision, out_of_memory
from impasto.exploration.image_statistics import decibels, differences, spreads
from impasto.exploration.inspection import Inspection, inspect_images
from impasto.exploration.palette import palette, set_palette
from impasto.exploration.recommendations import choose_recipe, recommend, short_sides
from impasto.exploration.results import Common, Domain, Exploration, Gap, Group
from impasto.exploration.scan import Look, common_size, look, see
from impasto.exploration.similarity import alike, grid, groups, layout, order, pixel_vectors, similarity, typical
from impasto.exploration.speed import SpeedEstimate, estimate_speed
from impasto.exploration.watermarks import common_watermarks
from impasto.files import make_folder, require_folder
from impasto.metrics.feature_extractors import DEFAULT, FeatureExtractor, open_feature_extractor
from impasto.metrics.features import extract
from impasto.metrics.kid import kernel_distance
from impasto.metrics.results import Value
from impasto.reports.exploration import TYPICAL, Pictures, write_page

#: Pictures that are looked at closely, for frames and marks: a twentieth of a second each.
CLOSELY = {"paintings": 200, "photos": 60}
#: Fewer pictures than this on a side tell nothing of how far paintings are from photos.
TELLING = 20
#: Members of a group that are named, and pairs of exact and of near duplicates that can be shown.
MEMBERS, DOUBLES = 10, 24


def explore(
    paintings: str,
    out: str | Path,
    *,
    photos: str | None = None,
    recipe: str | None = None,
    crop_frames: bool = False,
    device: str = "auto",
    precision: str = "auto",
    progress: Progress | None = None,
) -> Exploration:
    """Looks at all that is to be learned from, and says what it is and what to do with it.

    Leaves in the folder ``out``, which may exist: ``exploration.html``, its plots and sheets as PNG and JPEG, and
    ``exploration.json``. Every picture is measured; what grows with the square of their number is of a sample.

    Args:
        paintings: a folder, a zip, TFRecord files, a pack, ``sample:paintings`` or ``kaggle:…``.
        photos: the same of photos, to learn to paint.
        recipe: what to train by, a name or a YAML file; chosen by the pictures and the device if not given.
        crop_frames: take borders, mounts and frames off first.
        progress: is told how many pictures were read, and of how many; then the same of those that a network sees.

    Raises :class:`impasto.errors.ImpastoError` for what a person can mend.
    """
    begun = time.perf_counter()
    folder = Path(out)
    require_folder(folder)
    asked = Recipe.load(recipe) if recipe else None
    where = choose_device(device)
    how = choose_precision(precision, where)
    for source in (paintings, *([photos] if photos else [])):
        if not is_pack(source):
            with open_source(source):  # so that a mistyped one is told before the other is read
                pass
    size = common_size(paintings, *([photos] if photos else []))
    network = open_feature_extractor(DEFAULT, where)
    found = [_domain("paintings", paintings, size, crop_frames, network, progress)]
    if photos is not None:
        found.append(_domain("photos", photos, size, False, network, progress))
    domains = [domain for domain, _, _ in found]
    first, second = domains[0], domains[1] if photos is not None else None
    gap = None if second is None else _gap(first, second, found[0][2], found[1][2])
    learned = [paintings, *([photos] if photos and (asked is None or asked.translates) else [])]
    packed = min((PixelStore.open(source).size for source in learned if is_pack(source)), default=None)
    chosen, settings = choose_recipe(short_sides(first), photos is not None, where, recipe, packed=packed)
    told = recommend(first, second, gap, _paces(chosen, where, how), chosen, settings=settings, named=recipe)
    exploration = Exploration(
        impasto=__version__,
        created=datetime.now(UTC).replace(microsecond=0),
        size=size,
        paintings=first,
        photos=second,
        gap=gap,
        advice=told,
        seconds=time.perf_counter() - begun,
    )
    make_folder(folder)
    write_page(exploration, [pictures for _, pictures, _ in found], folder)
    return exploration


def _domain(
    role: str, source: str, size: int, crop_frames: bool, network: FeatureExtractor, progress: Progress | None
) -> tuple[Domain, Pictures, np.ndarray]:
    """What is in one set, what of it is shown, and the features of its sample."""
    seen = look(source, size, crop_frames=crop_frames, progress=progress)
    features = extract(network, seen.squares, progress and (lambda done: progress(done, len(seen.squares))))
    close = _closely(role, source, seen)
    names = seen.names
    palettes = {name: palette(square) for name, square in zip(names, seen.squares, strict=True)}
    most, least = typical(features, TYPICAL)
    vectors = pixel_vectors(seen.squares)
    domain = Domain.model_validate(
        {
            "role": role,
            "inventory": seen.inventory.model_copy(update={"source": source}),  # a pack remembers what it was made of
            "looks": [
                each.model_copy(update={"palette": palettes[each.name]}) if each.name in palettes else each
                for each in seen.looks
            ],
            "spreads": spreads(seen.looks),
            "histogram": seen.histogram.tolist(),
            "spectrum": decibels(seen.power, len(seen.looks)),
            "palette": set_palette(seen.squares),
            "closely": min(CLOSELY[role], len(seen.looks)),
            "framed": close.framed,
            "marks": close.marks,
            "common": [Common(box=box, why=why) for box, why in common_watermarks(seen.squares)],
            "sample": names,
            "alike": {"pixels": alike(vectors), network.name: alike(features)},
            "typical": [names[place] for place in most],
            "untypical": [names[place] for place in least],
            "groups": [
                Group(size=len(members), members=[names[place] for place in members[:MEMBERS]])
                for members in groups(features)
            ],
        }
    )
    return domain, _pictures(seen, close, features, vectors, source, size, crop_frames), features


def _closely(role: str, source: str, seen: Look) -> Inspection:
    """Frames and marks, in pictures evenly spread over the set."""
    places = np.linspace(0, len(seen.looks) - 1, min(CLOSELY[role], len(seen.looks))).round().astype(int)
    return inspect_images(source, [seen.looks[place].name for place in places])


def _paces(recipe: Recipe, device: torch.device, precision: Precision) -> dict[str, SpeedEstimate]:
    """The recipe's estimate_speed by its name; nothing where the memory does not suffice to measure it."""
    try:
        return {recipe.name: estimate_speed(recipe, device, precision)}
    except Exception as error:
        if not out_of_memory(error):
            raise
        return {}


def _pictures(
    seen: Look, close: Inspection, features: np.ndarray, vectors: np.ndarray, source: str, size: int, crop_frames: bool
) -> Pictures:
    """What the page shows of a set."""
    shown = dict(zip(seen.names, seen.squares, strict=True))
    same = [(each.of, each.name) for each in seen.inventory.duplicates[:DOUBLES]]
    pairs = same + seen.inventory.near_duplicates[:DOUBLES]
    doubles = [name for pair in pairs for name in pair if name not in shown]
    by_pixels, by_features = similarity(vectors), similarity(features)
    order_pixels, order_features = order(by_pixels), order(by_features)
    return Pictures(
        shown=shown | (see(source, doubles, size, crop_frames) if doubles else {}),
        pixels_matrix=by_pixels[np.ix_(order_pixels, order_pixels)],
        features_matrix=by_features[np.ix_(order_features, order_features)],
        order_pixels=order_pixels,
        order_features=order_features,
        cells=grid(layout(features)),
        crops=close.crops,
        marked=close.marked,
    )


def _gap(paintings: Domain, photos: Domain, reals: np.ndarray, others: np.ndarray) -> Gap | None:
    """How far the photos are from the paintings, beside how far one half of these is from the other."""
    if min(len(reals), len(others)) < TELLING:
        return None
    kid, error = kernel_distance(others, reals)
    shuffled = reals[np.random.default_rng(0).permutation(len(reals))]
    floor, _ = kernel_distance(shuffled[: len(reals) // 2], shuffled[len(reals) // 2 :])
    return Gap(
        network=DEFAULT,
        counts=f"{len(others):,} v {len(reals):,}",
        distance=Value(value=kid, error=error, floor=floor),
        words=differences(paintings, photos),
    )
