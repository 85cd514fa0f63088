import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from fixtures.noise_images import write_noise_folder
from impasto.cache import cache_folder
from impasto.metrics.feature_extractors import DEFAULT, FeatureExtractor, open_feature_extractor
from impasto.metrics.features import CPU_BLOCK, extract
from impasto.metrics.image_sets import FileImages


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))


class Counting(FeatureExtractor):
    """Mean colours, and how many pictures it was shown."""

    name = "counting"
    dimension = 3
    identity = "counting-1"

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))
        self.shown = 0

    def features(self, pixels: Tensor) -> Tensor:
        self.shown += len(pixels)
        return pixels.float().mean((1, 2))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty pictures, one of them twice, and one that is none."""
    folder = write_noise_folder(tmp_path / "pictures", 19, blocks=40, size=(40, 40))
    shutil.copy(folder / "0.png", folder / "again.png")
    (folder / "5.text.png").write_text("no picture")
    return folder


def test_features_do_not_depend_on_order_or_number_of_images() -> None:
    network = open_feature_extractor(DEFAULT, torch.device("cpu"))
    pictures = np.random.default_rng(0).integers(0, 256, (CPU_BLOCK + 3, 64, 64, 3), dtype=np.uint8)
    features = extract(network, pictures)
    order = np.random.default_rng(1).permutation(len(pictures))
    near = 1e-3 * float(np.abs(features).max())
    np.testing.assert_allclose(extract(network, pictures[order]), features[order], rtol=0, atol=near)
    np.testing.assert_allclose(extract(network, pictures[2:3]), features[2:3], rtol=0, atol=near)
    assert extract(network, []).shape == (0, network.dimension)


def test_features_are_cached_by_file_content(folder: Path, tmp_path: Path) -> None:
    network = Counting()
    features = FileImages(str(folder), 32, None).features(network)
    shown = network.shown
    assert features.shape == (20, 3) and shown > 0
    moved = shutil.move(folder, tmp_path / "moved")
    again = FileImages(str(moved), 32, None)
    assert (again.features(network) == features).all() and network.shown == shown
    assert [name for name, _ in again.summary().left_out] == ["5.text.png"]
    assert again.summary().duplicates == 1 and again.summary().there == 21 and again.summary().scored == 20


@pytest.mark.parametrize("change", ["another file", "another size", "another network"])
def test_other_files_sizes_and_networks_are_computed(folder: Path, change: str) -> None:
    network = Counting()
    FileImages(str(folder), 32, None).features(network)
    shown, size = network.shown, 32
    match change:
        case "another file":
            Image.new("RGB", (40, 40), "red").save(folder / "3.png")
        case "another size":
            size = 16
        case "another network":
            network.identity = "counting-2"
    FileImages(str(folder), size, None).features(network)
    assert network.shown > shown


def test_a_damaged_cache_is_recomputed_and_replaced(folder: Path) -> None:
    """Wherever a byte is spoilt, the features are right."""
    network = Counting()
    features = FileImages(str(folder), 32, None).features(network)
    (file,) = (cache_folder() / "features").iterdir()
    whole = file.read_bytes()
    for where in range(0, len(whole), len(whole) // 60):
        file.write_bytes(whole[:where] + bytes([whole[where] ^ 0xFF]) + whole[where + 1 :])
        assert (FileImages(str(folder), 32, None).features(network) == features).all(), where
    file.write_bytes(whole[:-30])
    shown = network.shown
    assert (FileImages(str(folder), 32, None).features(network) == features).all()
    assert network.shown > shown
    mended = network.shown
    FileImages(str(folder), 32, None).features(network)
    assert network.shown == mended


def test_an_unwritable_cache_is_ignored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_CACHE", "/proc/nowhere")
    assert FileImages(str(folder), 32, None).features(Counting()).shape == (20, 3)


def test_numbers_skip_unreadable_files(folder: Path) -> None:
    pictures = FileImages(str(folder), 40, None)
    pictures.features(Counting())
    names = pictures.names()
    for number in (0, 7, 4, 19):
        expected = np.asarray(Image.open(folder / names[number]).convert("RGB"))
        assert (pictures.pick([number])[0] == expected).all()
    assert (pictures.pick([7, 0, 7]) == np.stack([pictures.pick([n])[0] for n in (7, 0, 7)])).all()


def test_a_subset_is_always_the_same(folder: Path) -> None:
    one, other = FileImages(str(folder), 32, 8), FileImages(str(folder), 32, 8)
    assert (one.features(Counting()) == other.features(Counting())).all()
    assert one.count == 8 and one.summary().there == 21 and len(set(one.names())) == len(one.names())
