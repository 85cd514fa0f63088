"""Packs at addresses: fetched as they are needed, checked, and written."""

from pathlib import Path

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from fixtures.noise_images import write_noise_folder
from impasto.data import pack_writer
from impasto.data.pixel_store import PixelStore, append, is_pack, load_images, pack
from impasto.data.remote_pack import LIMIT
from impasto.errors import ImpastoError

SIZE = 16
ADDRESS = "memory://bucket/pack"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pack_writer, "SHARD", 5)
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "packs"


@pytest.fixture
def folder(tmp_path: Path, memory: MemoryFileSystem) -> Path:
    """Twelve images and a file that is no image, which are packed at ``ADDRESS``."""
    made = write_noise_folder(tmp_path / "all", 12, blocks=6, size=(40, 30))
    (made / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    pack(made, ADDRESS, SIZE)
    return made


def cached(cache: Path, suffix: str) -> int:
    return len(list(cache.glob(f"*.{suffix}")))


def test_a_remote_pack_is_that_of_a_folder(folder: Path, tmp_path: Path) -> None:
    assert is_pack(ADDRESS)
    remote, local = load_images(ADDRESS, 99), pack(folder, tmp_path / "pack", SIZE)
    assert np.array_equal(remote.pixels, local.pixels) and remote.fingerprint == local.fingerprint
    assert remote.inventory == local.inventory and list(remote.names) == list(local.names)
    assert same_files(tmp_path / "pack")


def same_files(folder: Path) -> bool:
    files = MemoryFileSystem()
    return {path.name: path.read_bytes() for path in folder.iterdir()} == {
        Path(name).name: files.cat_file(name) for name in files.ls("/bucket/pack", detail=False)
    }


def test_shards_are_fetched_when_they_are_used_and_once(folder: Path, cache: Path, memory: MemoryFileSystem) -> None:
    store = PixelStore.open(ADDRESS)
    assert cached(cache, "npy") == 0
    image = store.pixels[7].copy()
    assert cached(cache, "npy") == cached(cache, "npz") == 1
    memory.rm_file(next(name for name in memory.ls("/bucket/pack", detail=False) if "00001" in name and "npy" in name))
    assert np.array_equal(PixelStore.open(ADDRESS).pixels[7], image)
    assert sorted(path.suffix for path in cache.iterdir()) == [".npy", ".npz"]


@pytest.mark.parametrize("suffix", ["npy", "npz", "jsonl"])
def test_changed_files_are_refused(folder: Path, cache: Path, memory: MemoryFileSystem, suffix: str) -> None:
    name = next(each for each in memory.ls("/bucket/pack", detail=False) if each.endswith(suffix))
    content = bytearray(memory.cat_file(name))
    content[-1] ^= 1
    memory.pipe_file(name, bytes(content))
    with pytest.raises(ImpastoError, match=f"{suffix} of the pack {ADDRESS} is not what its index.json says"):
        store = PixelStore.open(ADDRESS)
        store.pixels[0], store.inventory
    assert cached(cache, suffix) == 0
    memory.rm_file(name)
    with pytest.raises(ImpastoError, match=f"{suffix} cannot be opened"):
        store = PixelStore.open(ADDRESS)
        store.pixels[0], store.inventory


def test_images_are_added_at_an_address(folder: Path, tmp_path: Path, memory: MemoryFileSystem) -> None:
    more = write_noise_folder(tmp_path / "more", 16, blocks=6, size=(40, 30))
    pack(folder, tmp_path / "pack", SIZE)
    for target in (ADDRESS, tmp_path / "pack"):
        added = append(more, target)
        assert (added.pictures, added.duplicates) == (4, 12)
    assert same_files(tmp_path / "pack")
    assert not list((tmp_path / "cache").glob("packing-*"))


def test_a_place_without_a_pack_and_one_with_a_pack_are_refused(folder: Path) -> None:
    with pytest.raises(ImpastoError, match="memory://nothing is not a pack"):
        PixelStore.open("memory://nothing")
    with pytest.raises(ImpastoError, match="already exists"):
        pack(folder, ADDRESS)
    with pytest.raises(ImpastoError, match="is already a pack"):
        pack(ADDRESS, "memory://again")


def test_the_cache_can_be_limited(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "0.000008")  # two shards of 5 × 16² × 3 bytes, and the records
    expected = [image.copy() for image in PixelStore.open(ADDRESS).pixels]
    assert 1 <= cached(cache, "npy") <= 2
    assert np.array_equal(PixelStore.open(ADDRESS).pixels, expected)
    monkeypatch.setenv(LIMIT, "much")
    with pytest.raises(ImpastoError, match="give a number of gigabytes"):
        np.array(PixelStore.open(ADDRESS).pixels)


def test_a_file_address_is_a_folder(folder: Path, tmp_path: Path) -> None:
    pack(folder, f"file://{tmp_path}/pack", SIZE)
    assert is_pack(f"file://{tmp_path}/pack") and same_files(tmp_path / "pack")
    assert len(PixelStore.open(f"file://{tmp_path}/pack").pixels) == 12
