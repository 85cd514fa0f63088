"""Everything that can be said of one set of pictures against another: the body of an evaluation."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from impasto._version import __version__
from impasto.config.types import Features, Pixels, Progress
from impasto.data.image_grid import tile
from impasto.errors import ImpastoError
from impasto.files import atomic_write
from impasto.metrics.feature_extractors import DEFAULT, FeatureExtractor
from impasto.metrics.features import CPU_BLOCK
from impasto.metrics.image_sets import FileImages, ImageSet, TranslatedImages
from impasto.metrics.memorisation import nearest, nearest_others
from impasto.metrics.reference import Reference
from impasto.metrics.results import Content, Copies, Copy, Evaluation, Scores, Value

#: The fakes shown beside their nearest reals, how many of those, and how many fakes may have the same nearest one:
#: twelve times the same picture would tell less.
SUSPECTS, NEAREST, ALIKE = 12, 3, 2
#: ImageSet of each side shown.
SHOWN, COLUMNS = 32, 8
#: Pairs of photo and painting in memory at a time.
PAIRS = 128
#: Paintings of a style whose content is compared with their photos.
COMPARED = 128


@dataclass(frozen=True)
class Assessment:
    """An evaluation, and the pictures that go with it.

    Attributes:
        copies: a row for each suspect: the fake and the reals nearest to it.
        sheets: some of the fakes, and some of the reals.
    """

    evaluation: Evaluation
    copies: Image.Image
    sheets: tuple[Image.Image, Image.Image]

    def save(self, folder: Path) -> None:
        """Writes ``evaluation.json`` and ``copies.jpg``."""
        with atomic_write(folder / "evaluation.json") as part:
            part.write_text(self.evaluation.model_dump_json(indent=1), encoding="utf-8")
        with atomic_write(folder / "copies.jpg") as part:
            self.copies.save(part, format="JPEG", quality=92, subsampling=0)


def assess(
    fakes: ImageSet,
    reals: ImageSet,
    networks: Sequence[FeatureExtractor],
    *,
    unseen: ImageSet | None = None,
    photos: FileImages | None = None,
    intervals: bool = False,
    progress: Progress | None = None,
) -> Assessment:
    """Measures fakes against reals through each network.

    Copies are looked for through the usual network, if it is among them, else through the first one: of Monets with
    60 % of their colour it recognises all as copies, ``alexnet`` 29 %.

    Args:
        unseen: more reals that were never learned from, measured through the first network too.
        photos: what the fakes were painted from, by the same names: then content kept is measured as well, as it is of
            a style's paintings, which bring their photos.
        intervals: whether 95 % intervals are worked out, which takes a while.
        progress: is told how many pictures of a side are done, and of how many.
    """
    if not networks:
        raise ValueError("no network to look through")
    looking = next((network for network in networks if network.name == DEFAULT), networks[0])
    found: list[Scores] = []
    against_unseen: Scores | None = None
    suspects: tuple[Copies, Image.Image] | None = None
    for network in networks:
        made, real = fakes.features(network, progress), reals.features(network, progress)
        reference = Reference(network, reals.size, real)
        scores = reference.with_floors(reference.scores(made))
        if intervals:
            scores = reference.with_intervals(scores, made, progress=progress)
        found.append(scores)
        if network is looking:
            suspects = _copies(network, (fakes, made), (reals, real))
        if network is networks[0] and unseen is not None:
            against_unseen = Reference(network, unseen.size, unseen.features(network, progress)).scores(made)
    assert suspects is not None
    pairs = (
        islice(fakes.pairs(), COMPARED // CPU_BLOCK)  # they are painted once more for it
        if isinstance(fakes, TranslatedImages)
        else None
        if photos is None
        else _by_name(fakes, photos)
    )
    evaluation = Evaluation(
        impasto=__version__,
        created=datetime.now(UTC),
        fakes=fakes.side(),
        reals=reals.side(),
        scores=found,
        unseen=against_unseen,
        copies=suspects[0],
        content=None if pairs is None else _content(pairs, networks[0].device),
        checkerboard=_checkerboard(fakes, reals),
    )
    return Assessment(evaluation, suspects[1], (_sheet(fakes), _sheet(reals)))


def _copies(
    network: FeatureExtractor, fakes: tuple[ImageSet, Features], reals: tuple[ImageSet, Features]
) -> tuple[Copies, Image.Image]:
    """Who is near to whom, and the sheet of the most suspicious."""
    (made, made_features), (real, real_features) = fakes, reals
    distances, indices = nearest(made_features, real_features, NEAREST)
    order = _suspects(distances[:, 0], indices[:, 0])
    made_names, real_names = made.names(), real.names()
    copies = Copies(
        network=network.name,
        fakes=_rounded(distances[:, 0]),
        reals=_rounded(nearest_others(real_features)),
        suspects=[
            Copy(
                fake=made_names[i],
                reals=[real_names[j] for j in indices[i]],
                distances=_rounded(distances[i]),
            )
            for i in order
        ],
    )
    rows = np.full((len(order), 1 + NEAREST, made.size, made.size, 3), 255, np.uint8)
    rows[:, 0] = made.pick(order)
    there = indices.shape[1]
    rows[:, 1 : 1 + there] = real.pick(indices[order].ravel()).reshape(len(order), there, *rows.shape[2:])
    return copies, tile(rows.reshape(-1, *rows.shape[2:]), columns=1 + NEAREST)


def _suspects(distances: NDArray[np.float64], reals: NDArray[np.intp]) -> NDArray[np.intp]:
    """The fakes nearest to a real picture, few of which may be near to the same one."""
    seen: Counter[int] = Counter()
    chosen: list[int] = []
    for fake in np.argsort(distances, kind="stable"):
        if seen[reals[fake]] < ALIKE:
            seen[reals[fake]] += 1
            chosen.append(fake)
    return np.array(chosen[:SUSPECTS])


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 5) for value in values]


def _sheet(pictures: ImageSet) -> Image.Image:
    """Some of them, evenly spread."""
    count = len(pictures.names())
    return tile(pictures.pick(np.linspace(0, count - 1, min(count, SHOWN)).round().astype(int)), COLUMNS)


def _checkerboard(fakes: ImageSet, reals: ImageSet) -> Value | None:
    """How far a checkerboard stands out of the fakes, beside how far one does of the reals."""
    made, real = fakes.spectrum.excess(), reals.spectrum.excess()
    return made and made.model_copy(update={"floor": real and real.value})


def _by_name(fakes: ImageSet, photos: FileImages) -> Iterator[tuple[Pixels, Pixels]]:
    """Photos and the paintings that have the same names."""
    places = photos.find(fakes.names())
    if not places:
        raise ImpastoError(
            f"No painting in {fakes.side().name} has the name of a photo in {photos.spec}: "
            "content can only be compared where both are called the same."
        )
    read = photos.read(places)
    part = list(islice(read, PAIRS))
    if not part:
        raise ImpastoError(f"None of the {len(places)} photos in {photos.spec} that were painted can be read.")
    while part:
        yield np.stack([photo for _, photo in part]), fakes.pick([number for number, _ in part])
        part = list(islice(read, PAIRS))


def _content(pairs: Iterable[tuple[Pixels, Pixels]], device: torch.device) -> Content:
    """How much paintings keep of their photos; there is at least one pair."""
    from impasto.metrics.content import content

    found: dict[str, list[NDArray[np.float64]]] = {}
    for photos, paintings in pairs:
        size = paintings.shape[1]
        for name, values in content(photos, paintings, device).items():
            found.setdefault(name, []).append(values)
    kept = {name: np.concatenate(each) for name, each in found.items()}
    return Content(
        pairs=len(next(iter(kept.values()))),
        size=size,
        values={
            name: Value(
                value=float(each.mean()), error=float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else None
            )
            for name, each in kept.items()
        },
    )
