"""Translations by a style are an image set like any other."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image

from fixtures.noise_images import COUNT, NETWORK, SIZE, write_image_set
from fixtures.noise_style import style as noise_style
from impasto.config.types import Pixels
from impasto.data.pixel_store import PixelStore, load_images
from impasto.errors import ImpastoError
from impasto.inference.image_sets import GeneratedImages, TranslatedImages, native_size
from impasto.inference.sampler import Sampler
from impasto.metrics.evaluation import evaluate_images
from impasto.metrics.image_sets import FileImages, ImageSet, StoreImages
from impasto.style import Card


class CheckerboardTranslator:
    """Translates to negatives with a checkerboard; records its largest batch."""

    card = cast(Card, type("Card", (), {"domains": "photos → paintings"})())

    def __init__(self) -> None:
        self.largest = self.count = 0

    def paint_pixels(self, pixels: Pixels) -> Pixels:
        self.largest, self.count = max(self.largest, len(pixels)), self.count + len(pixels)
        checks = np.indices(pixels.shape[1:3]).sum(0) % 2
        return np.asarray(255 - pixels // 2 - 4 * checks[..., None], np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_image_set(tmp_path_factory.mktemp("photos"))


@pytest.fixture(params=["files", "store"])
def photos(request: pytest.FixtureRequest, folder: Path) -> ImageSet:
    if request.param == "files":
        return FileImages(str(folder), SIZE, None)
    store: PixelStore = load_images(str(folder), SIZE)
    return StoreImages(store, SIZE)


def test_files_that_are_not_read_do_not_count_for_the_size(tmp_path: Path) -> None:
    noise = Image.effect_noise((40, 50), 50)
    for name in ("a.png", "b.png"):
        noise.save(tmp_path / name)
    noise.resize((20, 20)).save(tmp_path / "c.ico")
    (tmp_path / "d.ico").write_bytes((tmp_path / "c.ico").read_bytes()[:-20])
    (tmp_path / "e.jpg").write_bytes(b"\xff\xd8\xff\xe0\0")
    (tmp_path / "f.txt").write_text("no image")
    assert native_size(str(tmp_path)) == 40
    images = FileImages(str(tmp_path), 40, None)
    assert len(list(images.stream())) == 2
    assert [name for name, _ in images.summary().left_out] == ["c.ico", "d.ico", "e.jpg", "f.txt"]


class PlainTranslator(CheckerboardTranslator):
    """Translates to negatives."""

    def paint_pixels(self, pixels: Pixels) -> Pixels:
        return np.asarray(255 - pixels // 2, np.uint8)


def test_translations_have_names_numbers_and_counts_of_their_sources(photos: ImageSet) -> None:
    translator = CheckerboardTranslator()
    paintings = TranslatedImages(translator, "a style", photos)
    features = paintings.features(NETWORK)
    assert len(features) == len(paintings.names()) == translator.count and translator.largest <= 8
    assert paintings.names() == photos.names()
    for number in (0, 4, 11, len(features) - 1):
        picked = paintings.pick([number])
        assert (picked == translator.paint_pixels(photos.pick([number]))).all()
        assert NETWORK.features(torch.from_numpy(picked))[0].numpy() == pytest.approx(features[number], rel=1e-5)
    side = paintings.summary()
    assert (side.name, side.domains, side.scored) == ("a style", "photos → paintings", len(features))
    assert side.duplicates == len(features) - COUNT + 1


def test_samples_are_picked_by_number_as_they_are_streamed() -> None:
    sampler = Sampler(noise_style(), torch.device("cpu"))
    images = GeneratedImages(sampler, "a style", 16, count=40, seed=3)
    streamed = list(images.stream())
    batches: list[object] = []
    sampler.style.network.register_forward_hook(lambda *call: batches.append(call))
    wanted = [39, 2, 17, 2, 16]
    assert (images.pick(wanted) == np.stack([streamed[number] for number in wanted])).all()
    assert len(batches) == 3  # each batch is generated once


def test_pairs_hold_sources_and_their_translations(photos: ImageSet) -> None:
    translator = CheckerboardTranslator()
    pairs = list(TranslatedImages(translator, "a style", photos).pairs())
    assert (np.concatenate([one for one, _ in pairs]) == np.stack(list(photos.stream()))).all()
    for one, painting in pairs:
        assert (translator.paint_pixels(one) == painting).all()


def test_translations_are_evaluated_for_content_preservation_and_checkerboards(photos: ImageSet) -> None:
    real = TranslatedImages(PlainTranslator(), "negatives", photos)
    found = evaluate_images(TranslatedImages(CheckerboardTranslator(), "a style", photos), real, [NETWORK]).evaluation
    assert found.content is not None and found.content.pairs == found.fakes.scored
    assert (
        found.checkerboard is not None and found.checkerboard.error is not None and found.checkerboard.floor is not None
    )
    assert found.checkerboard.value > found.checkerboard.floor + 10


def test_unreadable_sources_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ImpastoError, match="no readable image"):
        TranslatedImages(CheckerboardTranslator(), "a style", FileImages(str(tmp_path), SIZE, None)).features(NETWORK)
