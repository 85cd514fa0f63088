"""Claims about packs: whole or not there, the same from any source, open at once and free of memory till read."""

import json
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from fixtures.noise_images import write_noise_folder
from impasto.data.inventory import Inventory
from impasto.data.pixel_store import PixelStore, load_images, pack
from impasto.errors import ImpastoError


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = write_noise_folder(tmp_path / "pictures", 12, blocks=6, size=(40, 30))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


def test_a_pack_opens_as_it_was_written_and_as_it_is_gathered(pictures: Path, tmp_path: Path) -> None:
    written = pack(pictures, tmp_path / "out", size=24)
    opened, gathered = PixelStore.open(tmp_path / "out"), load_images(pictures, 24)
    for store in (opened, gathered, load_images(tmp_path / "out", 99)):
        assert store.fingerprint == written.fingerprint
        assert store.inventory == written.inventory
        assert list(store.names) == [f"{k}.png" for k in range(12)]
        assert store.size == 24
        store.write_inventory(tmp_path / "inventory.json")
        assert Inventory.model_validate_json((tmp_path / "inventory.json").read_bytes()) == written.inventory
        assert np.array_equal(store.pixels, written.pixels)
        with pytest.raises(ValueError, match="read-only"):
            store.pixels[0][...] = 0
    assert [each.name for each in opened.inventory.left_out] == ["broken.jpg"]
    suffixes = [path.suffix for path in sorted((tmp_path / "out").iterdir())]
    assert suffixes == [".jsonl", ".npy", ".npz", ".json"]
    assert np.array_equal(np.load(next((tmp_path / "out").glob("*.npy"))), written.pixels)


def test_the_fingerprint_is_that_of_the_pixels(pictures: Path, tmp_path: Path) -> None:
    before = load_images(pictures, 24).fingerprint
    assert load_images(pictures, 23).fingerprint != before
    (pictures / "11.png").rename(pictures / "10b.png")
    assert load_images(pictures, 24).fingerprint == before
    (pictures / "10b.png").rename(pictures / "00.png")
    assert load_images(pictures, 24).fingerprint != before


def test_memory_grows_with_records_whose_number_is_not_known(shared_data: Path) -> None:
    store = load_images(shared_data / "kaggle_monet" / "monet_tfrec" / "monet00-60.tfrec", 32)
    assert store.pixels.shape == (60, 32, 32, 3)


def test_an_existing_name_is_refused(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ImpastoError, match="already exists"):
        pack(pictures, tmp_path / "out")
    (tmp_path / "other.part").mkdir()
    (tmp_path / "other.part" / "thesis.doc").touch()
    with pytest.raises(ImpastoError, match="not left by an earlier packing"):
        pack(pictures, tmp_path / "other")
    assert (tmp_path / "other.part" / "thesis.doc").exists()


def test_the_remains_of_an_interrupted_packing_are_overwritten(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "out.part").mkdir()
    for name in ("pixels.npy", "pixels.part", f"00000-{'0' * 16}.npy"):
        (tmp_path / "out.part" / name).write_bytes(b"x" * 10**6)
    assert len(pack(pictures, tmp_path / "out", size=8).pixels) == 12
    assert len(list((tmp_path / "out").iterdir())) == 4
    assert not (tmp_path / "out.part").exists()


def test_only_one_process_writes_a_pack(pictures: Path, tmp_path: Path) -> None:
    def again(done: int, total: int | None) -> None:
        if done == 5:
            with pytest.raises(ImpastoError, match="Another impasto process packs"):
                pack(pictures, tmp_path / "out", size=16)

    assert len(pack(pictures, tmp_path / "out", size=8, progress=again).pixels) == 12
    assert not (tmp_path / "out" / ".lock").exists()
    assert not (tmp_path / "out.part").exists()


def test_a_place_that_cannot_be_written_to_is_refused_before_reading(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="cannot be"):
        pack(tmp_path / "no such source", "/proc/pack")


def test_a_source_without_images_leaves_no_files(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a.txt").write_text("no")
    with pytest.raises(ImpastoError, match="no usable image"):
        pack(tmp_path / "words", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["words"]


def test_an_interrupted_packing_leaves_no_files(pictures: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(pictures, tmp_path / "out", progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_a_full_disk_is_an_error_in_one_line_and_leaves_no_files(pictures: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs limits on the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(ImpastoError, match="disk is full") as error:
            pack(pictures, tmp_path / "out", size=64)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_a_pack_of_a_pack_is_refused(pictures: Path, tmp_path: Path) -> None:
    pack(pictures, tmp_path / "out", size=8)
    with pytest.raises(ImpastoError, match="is already a pack"):
        pack(tmp_path / "out", tmp_path / "again")


def test_a_damaged_pack_is_an_error_in_one_line(pictures: Path, tmp_path: Path) -> None:
    pack(pictures, tmp_path / "out", size=8)
    index, (pixels,), (records,) = tmp_path / "out" / "index.json", *map((tmp_path / "out").glob, ("*.npy", "*.npz"))
    good = {path: path.read_bytes() for path in (index, pixels, records)}
    values = json.loads(good[index])
    elsewhere = values | {"shards": [values["shards"][0] | {"number": -1}]}
    for path, bad, line in (
        (index, good[index][:-9], "damaged, index.json"),
        (index, b"[]", "damaged, index.json"),
        (index, json.dumps(values | {"version": 3}).encode(), "made by a later version"),
        (index, json.dumps(elsewhere).encode(), "damaged, index.json"),
        (pixels, good[pixels][:-1], "npy is truncated"),
        (pixels, good[pixels].replace(b"(12, 8", b"(12 : 8"), "npy is truncated"),
        (pixels, good[pixels].replace(b"{", b"(", 1), "npy is truncated"),
        (pixels, good[pixels].replace(b"(12, 8", b"(11, 8"), "npy and index.json disagree"),
        (records, good[records][:-1000], "npz is truncated"),
        (records, good[pixels], "npz is truncated"),
    ):
        path.write_bytes(bad)
        with pytest.raises(ImpastoError, match=line) as error:
            store = load_images(tmp_path / "out", 8)
            store.pixels[3], store.names[3], list(store.records.pictures())
        assert "\n" not in str(error.value)
        path.write_bytes(good[path])
    with pytest.raises(ImpastoError, match="is not a pack"):
        PixelStore.open(pictures)


def test_a_source_larger_than_the_memory_is_refused_before_reading(pictures: Path) -> None:
    with pytest.raises(ImpastoError, match="pack it first"):
        load_images(pictures, 10**6)


def test_opening_a_pack_reads_no_pixels(shared_data: Path, tmp_path: Path) -> None:
    pack(shared_data / "kaggle_monet" / "monet_jpg", tmp_path / "out", size=256)
    before = psutil.Process().memory_info().rss
    start = time.process_time()
    store = PixelStore.open(tmp_path / "out")
    assert time.process_time() - start < 0.1
    assert psutil.Process().memory_info().rss - before < store.pixels.nbytes / 10
