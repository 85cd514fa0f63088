"""Packs of many shards: the same as one, added to, interrupted, and of the version before."""

import json
import multiprocessing
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fixtures.command import ROOT
from fixtures.noise_images import write_noise_folder
from impasto.config.data import AugmentConfig
from impasto.data import loader as loading
from impasto.data import near_duplicates, pack_writer
from impasto.data.loader import Loader
from impasto.data.pack_files import LocalFiles
from impasto.data.pixel_store import PixelStore, append, load_images, pack
from impasto.errors import ImpastoError

SIZE = 16


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_writer, "SHARD", 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images, a copy of one, a near duplicate of another, and a file that is no image."""
    made = write_noise_folder(tmp_path / "all", 12, blocks=6, size=(40, 30))
    shutil.copy(made / "3.png", made / "8b.png")
    (made / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return made


def part(folder: Path, name: str, chosen: Callable[[int], bool]) -> Path:
    """Return a folder with the files of ``folder`` whose place in natural order is chosen."""
    made = folder.with_name(name)
    made.mkdir()
    for place, path in enumerate(sorted(folder.iterdir(), key=lambda path: (len(path.stem), path.name))):
        if chosen(place):
            shutil.copy(path, made)
    return made


def files(pack: Path) -> list[str]:
    return sorted(path.name for path in pack.iterdir())


def same(one: PixelStore, other: PixelStore) -> bool:
    return (
        np.array_equal(one.pixels, other.pixels)
        and one.fingerprint == other.fingerprint
        and list(one.records.pictures()) == list(other.records.pictures())
    )


def test_shards_hold_what_one_array_holds(folder: Path, tmp_path: Path) -> None:
    store, gathered = pack(folder, tmp_path / "pack", SIZE), load_images(folder, SIZE)
    assert len(list((tmp_path / "pack").glob("*.npy"))) == 3
    assert same(store, gathered) and store.inventory == gathered.inventory and store.summary == gathered.summary
    assert store.summary.lines() == gathered.summary.lines()
    assert store.names[7] == gathered.names[7] and store.names[3:7] == gathered.names[3:7]
    assert [len(np.load(path)) for path in sorted((tmp_path / "pack").glob("*.npy"))] == [5, 5, 2]


@pytest.mark.parametrize("free", [10**9, 0])
def test_batches_of_shards_are_those_of_one_array(folder: Path, tmp_path: Path, free: int) -> None:
    store, gathered = pack(folder, tmp_path / "pack", SIZE), load_images(folder, SIZE).pixels[:]
    augment = AugmentConfig(flip=True, scale=(0.8, 1.0))
    indices = np.array([0, 2, 3, 5, 6, 9, 11])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "available", lambda _: free)
        ours, plain = (
            Loader(pixels, indices, 12, 4, augment, 3, torch.device("cpu")) for pixels in (store.pixels, gathered)
        )
    assert ours.resident == bool(free)
    for step in range(5):
        batches = [each.load_batch(step, torch.Generator().manual_seed(step)) for each in (ours, plain)]
        assert torch.equal(*batches)


def test_appending_gives_the_pack_of_all_images(folder: Path, tmp_path: Path) -> None:
    expected = pack(folder, tmp_path / "expected", SIZE)
    early, late = part(folder, "early", lambda place: place < 7), part(folder, "late", lambda place: place >= 7)
    pack(early, tmp_path / "pack", SIZE)
    added = append(late, tmp_path / "pack")
    store = PixelStore.open(tmp_path / "pack")
    assert same(store, expected)
    assert added.pictures == 5 and added.listed["duplicates"] == ["8b.png is 3.png"] and added.left_out == 1
    assert store.summary.sources == [str(early), str(late)] and store.summary.formats == {"PNG": 12}
    assert [each.name for each in store.inventory.duplicates] == ["8b.png"]
    assert {name.removesuffix(".npy") for name in files(tmp_path / "pack") if name.endswith(".npy")} == {
        path.stem for path in (tmp_path / "expected").glob("*.npy")
    }


def test_images_of_the_pack_are_duplicates(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "pack", SIZE)
    before = {path: path.read_bytes() for path in (tmp_path / "pack").iterdir()}
    added = append(folder, tmp_path / "pack", SIZE)
    assert added.pictures == 0 and added.duplicates == 13
    assert added.lines()[0] == f"There is no new picture in {folder}."
    assert {path: path.read_bytes() for path in (tmp_path / "pack").iterdir()} == before


def test_near_duplicates_of_earlier_images_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "WINDOW", 18)
    monkeypatch.setattr(pack_writer, "WINDOW", 18)
    folder = write_noise_folder(tmp_path / "all", 12, blocks=6, size=(40, 30))
    pack(folder, tmp_path / "pack", SIZE)
    (tmp_path / "more").mkdir()
    from PIL import Image

    for name in ("0.png", "7.png"):  # of the first, more than half a window has passed
        Image.open(folder / name).point(lambda value: min(255, value + 2)).save(tmp_path / "more" / f"again-{name}")
    added = append(tmp_path / "more", tmp_path / "pack")
    assert added.listed["near_duplicates"] == ["7.png and again-7.png"]
    assert PixelStore.open(tmp_path / "pack").inventory.near_duplicates == [("7.png", "again-7.png")]


def kill_in_append(source: Path, target: Path, at: int) -> None:
    calls = 0

    def counted(method: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object) -> None:
            nonlocal calls
            if calls == at:
                os._exit(9)  # as SIGKILL: nothing is cleaned up
            calls += 1
            method(*arguments)

        return call

    for name in ("add", "write_index", "remove"):
        setattr(LocalFiles, name, counted(getattr(LocalFiles, name)))
    append(source, target)


def test_a_killed_append_leaves_the_pack_as_it_was(folder: Path, tmp_path: Path) -> None:
    early, late = part(folder, "early", lambda place: place < 7), part(folder, "late", lambda place: place >= 7)
    before, after = pack(early, tmp_path / "before", SIZE), pack(folder, tmp_path / "after", SIZE)
    shutil.copytree(tmp_path / "before", tmp_path / "expected")
    append(late, tmp_path / "expected")
    fork = multiprocessing.get_context("fork")
    codes = []
    for at in range(9):  # two files of two shards, findings, the index, and two files that are replaced
        target = tmp_path / f"pack-{at}"
        shutil.copytree(tmp_path / "before", target)
        process = fork.Process(target=kill_in_append, args=(late, target, at))
        process.start()
        process.join()
        codes.append(process.exitcode)
        assert same(PixelStore.open(target), before if at <= 5 else after)
        append(late, target)
        assert files(target) == files(tmp_path / "expected") and same(PixelStore.open(target), after)
    assert codes == [9] * 8 + [0]


def test_a_pack_of_version_1_is_added_to(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(ROOT / "tests" / "fixtures" / "format-2.zip") as archive:
        archive.extractall(tmp_path, [name for name in archive.namelist() if name.startswith("pack/")])
    old = PixelStore.open(tmp_path / "pack")
    pixels, pictures, fingerprint = old.pixels[:].copy(), list(old.records.pictures()), old.fingerprint
    assert append("sample:paintings", tmp_path / "pack").pictures == 0
    assert files(tmp_path / "pack") == ["index.json", "pixels.npy"]
    append(folder, tmp_path / "pack")
    store = PixelStore.open(tmp_path / "pack")
    assert store.summary.pictures == 72 and store.size == 32 and "pixels.npy" not in files(tmp_path / "pack")
    assert np.array_equal(store.pixels[:60], pixels) and list(store.records.pictures())[:60] == pictures
    assert store.fingerprint != fingerprint


def test_the_fingerprint_of_version_1_is_that_of_this_version(tmp_path: Path) -> None:
    with zipfile.ZipFile(ROOT / "tests" / "fixtures" / "format-2.zip") as archive:
        archive.extractall(tmp_path, [name for name in archive.namelist() if name.startswith("pack/")])
    assert pack("sample:paintings", tmp_path / "new", 32).fingerprint == PixelStore.open(tmp_path / "pack").fingerprint


def test_what_cannot_be_added_is_refused_and_changes_nothing(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "pack", SIZE)
    before = {path: path.read_bytes() for path in (tmp_path / "pack").iterdir()}
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a.txt").write_text("no")
    for source, target, size, line in (
        (folder, tmp_path / "pack", 32, "is packed at 16 px: remove --size, or give --size 16"),
        (tmp_path / "pack", tmp_path / "pack", None, "is already a pack"),
        (tmp_path / "words", tmp_path / "pack", None, "no usable image"),
        (tmp_path / "none", tmp_path / "pack", None, "no file or folder"),
        (folder, tmp_path / "none", None, "is not a pack"),
        (folder, folder, None, "is not a pack"),
    ):
        with pytest.raises(ImpastoError, match=line):
            append(source, target, size)
    assert {path: path.read_bytes() for path in (tmp_path / "pack").iterdir()} == before
    assert len(files(folder)) == 14


def test_one_process_at_a_time_adds_to_a_pack(folder: Path, tmp_path: Path) -> None:
    early, late = part(folder, "early", lambda place: place < 7), part(folder, "late", lambda place: place >= 7)
    pack(early, tmp_path / "pack", SIZE)

    def again(done: int, total: int | None) -> None:
        if done == 1:
            with pytest.raises(ImpastoError, match="Another impasto process adds to"):
                append(late, tmp_path / "pack")

    assert append(late, tmp_path / "pack", progress=again).pictures == 5


def test_the_index_does_not_grow_with_the_images(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_writer, "SHARD", 10_000)
    pack(folder, tmp_path / "pack", SIZE)
    pack(write_noise_folder(tmp_path / "more", 60, blocks=6, size=(20, 20)), tmp_path / "big", SIZE)
    one, many = (len(json.dumps(json.loads((tmp_path / name / "index.json").read_text()))) for name in ("pack", "big"))
    assert many <= one
