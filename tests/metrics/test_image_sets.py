"""A style's paintings of photos are a side like any other."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from impasto.config.types import Pixels
from impasto.data.pixel_store import PixelStore, gather
from impasto.errors import ImpastoError
from impasto.metrics.evaluation import assess
from impasto.metrics.feature_extractors import FeatureExtractor
from impasto.metrics.image_sets import FileImages, ImageSet, StoreImages, TranslatedImages
from impasto.style import Card

COUNT, SIZE = 21, 64


class Colours(FeatureExtractor):
    """Mean colours of the quarters."""

    name = "colours"
    dimension = 12
    identity = "colours-1"

    def features(self, pixels: Tensor) -> Tensor:
        quarters: Tensor = pixels.float().unflatten(1, (2, -1)).unflatten(3, (2, -1)).mean((2, 4))
        return quarters.flatten(1)


class Woven:
    """Paints negatives with a checkerboard over them; knows how many pictures it has had at once at most."""

    card = cast(Card, type("Card", (), {"domains": "photos → paintings"})())

    def __init__(self) -> None:
        self.together = self.painted = 0

    def paint_pixels(self, pixels: Pixels) -> Pixels:
        self.together, self.painted = max(self.together, len(pixels)), self.painted + len(pixels)
        checks = np.indices(pixels.shape[1:3]).sum(0) % 2
        return np.asarray(255 - pixels // 2 - 4 * checks[..., None], np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ImageSet of soft noise, one of them twice, and one that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for k in range(COUNT):
        noise = np.random.default_rng(min(k, COUNT - 2)).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(folder / f"{k:02}.png")
    (folder / "03 no photo.png").write_text("no picture")
    return folder


@pytest.fixture(params=["files", "store"])
def photos(request: pytest.FixtureRequest, folder: Path) -> ImageSet:
    if request.param == "files":
        return FileImages(str(folder), SIZE, None)
    store: PixelStore = gather(str(folder), SIZE)
    return StoreImages(store, SIZE)


NETWORK = Colours(torch.device("cpu"))


def test_paintings_are_named_numbered_and_counted_as_their_photos(photos: ImageSet) -> None:
    painter = Woven()
    paintings = TranslatedImages(painter, "a style", photos)
    features = paintings.features(NETWORK)
    assert len(features) == len(paintings.names()) == painter.painted and painter.together <= 8
    assert paintings.names() == photos.names()
    for number in (0, 4, 11, len(features) - 1):
        picked = paintings.pick([number])
        assert (picked == painter.paint_pixels(photos.pick([number]))).all()
        assert NETWORK.features(torch.from_numpy(picked))[0].numpy() == pytest.approx(features[number], rel=1e-5)
    side = paintings.side()
    assert (side.name, side.domains, side.scored) == ("a style", "photos → paintings", len(features))
    assert side.duplicates == len(features) - COUNT + 1


def test_photos_and_paintings_come_in_pairs_however_photos_are_kept(photos: ImageSet) -> None:
    painter = Woven()
    pairs = list(TranslatedImages(painter, "a style", photos).pairs())
    assert (np.concatenate([one for one, _ in pairs]) == np.stack(list(photos.stream()))).all()
    for one, painting in pairs:
        assert (painter.paint_pixels(one) == painting).all()


def test_an_evaluation_tells_content_kept_and_the_lattice_beside_that_of_the_reals(photos: ImageSet) -> None:
    real = TranslatedImages(Even(), "negatives", photos)
    found = assess(TranslatedImages(Woven(), "a style", photos), real, [NETWORK]).evaluation
    assert found.content is not None and found.content.pairs == found.fakes.scored
    assert (
        found.checkerboard is not None and found.checkerboard.error is not None and found.checkerboard.floor is not None
    )
    assert found.checkerboard.value > found.checkerboard.floor + 10


class Even(Woven):
    """Paints negatives and nothing over them."""

    def paint_pixels(self, pixels: Pixels) -> Pixels:
        return np.asarray(255 - pixels // 2, np.uint8)


def test_a_spectrum_is_remembered_with_the_features(folder: Path) -> None:
    first, again = (FileImages(str(folder), SIZE, None) for _ in range(2))
    first.features(NETWORK)
    again.features(NETWORK)
    assert again.spectrum.excess() == first.spectrum.excess() is not None
    assert again.spectrum.counts.sum() == COUNT


def test_of_no_photo_that_can_be_read_nothing_is_painted(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ImpastoError, match="no usable picture"):
        TranslatedImages(Woven(), "a style", FileImages(str(tmp_path), SIZE, None)).features(NETWORK)
