"""Image files and pixel stores as image sets."""

from pathlib import Path

import numpy as np
import pytest

from fixtures.noise_images import COUNT, NETWORK, SIZE, write_image_set
from impasto.data.pixel_store import load_images
from impasto.errors import ImpastoError
from impasto.metrics.image_sets import FileImages, StoreImages


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_image_set(tmp_path_factory.mktemp("photos"))


def test_the_spectrum_is_cached_with_the_features(folder: Path) -> None:
    first, again = (FileImages(str(folder), SIZE, None) for _ in range(2))
    first.features(NETWORK)
    again.features(NETWORK)
    assert again.spectrum.checkerboard() == first.spectrum.checkerboard() is not None
    assert again.spectrum.counts.sum() == COUNT


def test_files_and_a_store_of_them_are_the_same_images(folder: Path) -> None:
    files, store = FileImages(str(folder), SIZE, None), StoreImages(load_images(str(folder), SIZE), SIZE)
    unique = files.features(NETWORK)[:-1]  # the last two files are equal, and a store has no duplicates
    assert np.allclose(unique, store.features(NETWORK), atol=0.5)
    assert files.pairs() is store.pairs() is None
    assert (files.summary().scored, files.summary().duplicates) == (COUNT, 1)
    assert [name for name, _ in files.summary().left_out] == ["03 no photo.png"]


def test_names_match_by_path_or_by_unique_file_name(folder: Path) -> None:
    files = FileImages(str(folder), SIZE, None)
    # Indices count the unreadable file after 03.png.
    assert files.match_names(["07.jpg", "05.webp", "none.jpg"]) == {8: 0, 6: 1}
    assert files.match_names(["x/00.jpg"]) == {0: 0}
    with pytest.raises(ImpastoError, match="Several images are named 00"):
        files.match_names(["x/00.jpg", "y/00.jpg"])
