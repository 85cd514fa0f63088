"""Evaluation of one image set against another: all metrics, memorisation, and images to look at."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto._version import __version__
from impasto.config.types import Pixels, Progress, Values
from impasto.data.image_grid import tile
from impasto.errors import ImpastoError
from impasto.files import atomic_write
from impasto.metrics.base import FeatureComparison, FeatureSet
from impasto.metrics.content_preservation import content_preservation, smallest_side
from impasto.metrics.feature_extractors import DEFAULT, FeatureExtractor
from impasto.metrics.features import CPU_BLOCK
from impasto.metrics.image_sets import FileImages, ImageSet
from impasto.metrics.memorisation import NEIGHBOURS, measure_memorisation, nearest_reals
from impasto.metrics.results import Evaluation, Memorisation, NearestReals, Scores, Value
from impasto.metrics.scoring import add_floors, add_intervals, score

#: Fakes shown beside their nearest reals, and how many of them may share a nearest real: more would show nothing new.
SUSPECTS, SHARED_NEAREST = 12, 2
#: Images of each set on its contact sheet, and columns of the sheet.
SHOWN, COLUMNS = 32, 8
#: Pairs of photo and painting in memory at a time.
PAIRS = 128
#: Translations whose content preservation is measured: each is computed once more for it.
MAX_TRANSLATED_PAIRS = 128


@dataclass(frozen=True)
class EvaluationWithImages:
    """An evaluation and its images.

    Attributes:
        nearest: one row per suspect: the fake and its nearest reals.
        contact_sheets: some of the fakes, and some of the reals.
    """

    evaluation: Evaluation
    nearest: Image.Image
    contact_sheets: tuple[Image.Image, Image.Image]

    def save(self, folder: Path) -> None:
        """Write ``evaluation.json`` and ``copies.jpg``."""
        with atomic_write(folder / "evaluation.json") as part:
            part.write_text(self.evaluation.model_dump_json(indent=1), encoding="utf-8")
        with atomic_write(folder / "copies.jpg") as part:
            self.nearest.save(part, format="JPEG", quality=92, subsampling=0)


def evaluate_images(
    fakes: ImageSet,
    reals: ImageSet,
    networks: Sequence[FeatureExtractor],
    *,
    unseen: ImageSet | None = None,
    photos: FileImages | None = None,
    intervals: bool = False,
    progress: Progress | None = None,
) -> EvaluationWithImages:
    """Measure fakes against reals through each network.

    Memorisation is measured through the default network if it is among them, else through the first: of Monets at 60 %
    saturation it recognises all as copies, ``alexnet`` 29 %.

    Args:
        fakes, reals: the image sets.
        networks: feature networks, at least one.
        unseen: held-out reals, scored through the first network too.
        photos: source images of the fakes under the same names, to measure content preservation. Translations that a
            style makes bring their own.
        intervals: compute 95 % confidence intervals, which takes a while.
        progress: called with the number of images of a set done, and of how many.

    Raises:
        ImpastoError: a set has too few readable images, or no fake has the name of a photo.
    """
    if not networks:
        raise ValueError("no feature network given")
    for_memorisation = next((network for network in networks if network.name == DEFAULT), networks[0])
    scores: list[Scores] = []
    scores_unseen: Scores | None = None
    memorisation: tuple[Memorisation, Image.Image] | None = None
    for network in networks:
        features = fakes.features(network, progress)
        real = FeatureSet(reals.features(network, progress), network, reals.size, moments=reals.moments)
        comparison = FeatureComparison(features, real, progress, fakes.moments)
        found = add_floors(score(comparison), real)
        scores.append(add_intervals(found, comparison) if intervals else found)
        if network is for_memorisation:
            memorisation = _memorisation(comparison, fakes, reals)
        if network is networks[0] and unseen is not None:
            held_out = FeatureSet(unseen.features(network, progress), network, unseen.size, moments=unseen.moments)
            scores_unseen = score(FeatureComparison(features, held_out, moments=fakes.moments))
    assert memorisation is not None
    pairs = _pairs(fakes, photos)
    evaluation = Evaluation(
        impasto=__version__,
        created=datetime.now(UTC),
        fakes=fakes.summary(),
        reals=reals.summary(),
        scores=scores,
        unseen=scores_unseen,
        copies=memorisation[0],
        content=None if pairs is None else content_preservation(pairs, networks[0].device),
        checkerboard=_checkerboard(fakes, reals),
    )
    return EvaluationWithImages(evaluation, memorisation[1], (_contact_sheet(fakes), _contact_sheet(reals)))


def score_images(fakes: ImageSet, reals: ImageSet, network: FeatureExtractor) -> Scores:
    """Return all metrics of fakes against reals through one network, with floors."""
    real = FeatureSet(reals.features(network), network, reals.size, moments=reals.moments)
    comparison = FeatureComparison(fakes.features(network), real, moments=fakes.moments)
    return add_floors(score(comparison), real)


def _memorisation(comparison: FeatureComparison, fakes: ImageSet, reals: ImageSet) -> tuple[Memorisation, Image.Image]:
    """Return the distances to the nearest reals, and a sheet of the fakes with the smallest ones."""
    distances, indices = comparison.derived(nearest_reals)
    order = select_suspects(distances[:, 0], indices[:, 0])
    fake_names, real_names = fakes.names(), reals.names()
    suspects = [
        NearestReals(fake=fake_names[i], reals=[real_names[j] for j in indices[i]], distances=distances[i].tolist())
        for i in order
    ]
    found = measure_memorisation(comparison).model_copy(update={"suspects": suspects})
    rows = np.full((len(order), 1 + NEIGHBOURS, fakes.size, fakes.size, 3), 255, np.uint8)
    rows[:, 0] = fakes.pick(order)
    count = indices.shape[1]
    rows[:, 1 : 1 + count] = reals.pick(indices[order].ravel()).reshape(len(order), count, *rows.shape[2:])
    return found, tile(rows.reshape(-1, *rows.shape[2:]), columns=1 + NEIGHBOURS)


def select_suspects(distances: Values, nearest: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the fakes nearest to a real, at most :data:`SHARED_NEAREST` of the same one.

    Args:
        distances, nearest: of each fake to its nearest real, and that real's index; both (N,).
    """
    chosen_for: Counter[int] = Counter()
    chosen: list[int] = []
    for fake in np.argsort(distances, kind="stable"):
        if chosen_for[nearest[fake]] < SHARED_NEAREST:
            chosen_for[nearest[fake]] += 1
            chosen.append(fake)
    return np.array(chosen[:SUSPECTS])


def _contact_sheet(images: ImageSet) -> Image.Image:
    """Return a grid of images at equal intervals."""
    count = len(images.names())
    return tile(images.pick(np.linspace(0, count - 1, min(count, SHOWN)).round().astype(int)), COLUMNS)


def _checkerboard(fakes: ImageSet, reals: ImageSet) -> Value | None:
    """Return the checkerboard of the fakes, with that of the reals as its floor."""
    fake, real = fakes.spectrum.checkerboard(), reals.spectrum.checkerboard()
    return fake and fake.model_copy(update={"floor": real and real.value})


def _pairs(fakes: ImageSet, photos: FileImages | None) -> Iterator[tuple[Pixels, Pixels]] | None:
    """Yield blocks of source images and their translations; None if the sources are not known, or too small."""
    if fakes.size < smallest_side():
        return None
    if (translated := fakes.pairs()) is not None:
        return islice(translated, MAX_TRANSLATED_PAIRS // CPU_BLOCK)
    return None if photos is None else _pairs_by_name(fakes, photos)


def _pairs_by_name(fakes: ImageSet, photos: FileImages) -> Iterator[tuple[Pixels, Pixels]]:
    places = photos.match_names(fakes.names())
    if not places:
        raise ImpastoError(
            f"No image in {fakes.summary().name} has the name of a photo in {photos.spec}; content preservation needs "
            "equal names."
        )
    read = photos.read(places)
    block = list(islice(read, PAIRS))
    if not block:
        raise ImpastoError(f"None of the {len(places)} matching photos in {photos.spec} can be read.")
    while block:
        yield np.stack([photo for _, photo in block]), fakes.pick([number for number, _ in block])
        block = list(islice(read, PAIRS))
