"""Claims about cleaning: every entry is accounted for, the same whatever the threads do."""

import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.data import preprocess
from impasto.data.entry import MAX_IN_FLIGHT_BYTES, Entry
from impasto.data.inventory import Inventory
from impasto.data.preprocess import Square, build_inventory, decode_squares
from impasto.data.sources import open_source
from impasto.errors import ImpastoError


def noise(seed: int, size: tuple[int, int] = (40, 40)) -> Image.Image:
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def collected(spec: Path | str, size: int = 32, **options: bool | int) -> tuple[np.ndarray, Inventory]:
    rows: list[np.ndarray] = []
    with open_source(spec) as source:
        inventory = build_inventory(source, size, rows.append, **options)  # type: ignore[arg-type]
    return np.stack(rows), inventory


@pytest.fixture
def mess(tmp_path: Path) -> Path:
    """A folder with duplicates, damaged files and system files."""
    folder = tmp_path / "mess"
    (folder / "__MACOSX").mkdir(parents=True)
    for k in range(20):
        (folder / f"{k}.png").write_bytes(encoded(noise(k)))
    (folder / "3b.bmp").write_bytes(encoded(noise(3), "BMP"))  # the same pixels in another format
    (folder / "0.webp").write_bytes(encoded(noise(11), "WEBP", lossless=True))
    (folder / "soft.jpg").write_bytes(encoded(noise(5, (80, 80)), "JPEG", quality=60))
    (folder / "notes.jpg").write_bytes(b"buy paint")
    (folder / "half.jpg").write_bytes(encoded(noise(1, (300, 300)), "JPEG")[:2000])
    (folder / "empty.png").write_bytes(b"")
    (folder / "small.png").write_bytes(encoded(noise(77, (9, 50))))
    (folder / "__MACOSX" / "._0.png").write_bytes(b"\0")
    (folder / "Thumbs.db").write_bytes(b"\0")
    return folder


def test_every_entry_is_an_image_a_duplicate_or_left_out_with_a_reason(mess: Path) -> None:
    rows, inventory = collected(mess)
    with open_source(mess) as source:
        names = {entry.name for entry in source.entries()}
    accounted = [picture.name for picture in inventory.pictures]
    accounted += [each.name for each in inventory.left_out] + [each.name for each in inventory.duplicates]
    assert sorted(accounted) == sorted(names)
    assert {each.name: each.reason for each in inventory.left_out}["notes.jpg"] == "text, not an image"
    assert {each.name for each in inventory.left_out} == {"notes.jpg", "half.jpg", "empty.png"}
    assert inventory.junk == 2
    assert rows.shape == (len(inventory.pictures), 32, 32, 3)
    assert rows.dtype == np.uint8


def test_the_first_of_exact_duplicates_stays_whatever_its_format(mess: Path) -> None:
    _, inventory = collected(mess)
    assert [(each.name, each.of) for each in inventory.duplicates] == [("3b.bmp", "3.png"), ("11.png", "0.webp")]


def test_a_recompressed_image_is_kept_and_reported_as_near_duplicate(mess: Path) -> None:
    _, inventory = collected(mess)
    assert inventory.near_duplicates == [("5.png", "soft.jpg")]


def test_the_result_does_not_depend_on_the_number_of_threads(mess: Path) -> None:
    rows, inventory = collected(mess, workers=1)
    for workers in (2, 7):
        again, other = collected(mess, workers=workers)
        assert (again == rows).all()
        assert other == inventory


def test_an_image_of_the_right_size_is_not_resampled(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(noise(1)))
    rows, _ = collected(tmp_path, 40)
    assert (rows[0] == np.asarray(noise(1))).all()


@pytest.mark.parametrize("size", [(100, 40), (40, 100)])
def test_images_are_cropped_to_the_centre_square(size: tuple[int, int], tmp_path: Path) -> None:
    image = Image.new("RGB", size, "red")
    image.paste("blue", ((size[0] - 40) // 2, (size[1] - 40) // 2, (size[0] + 40) // 2, (size[1] + 40) // 2))
    (tmp_path / "a.png").write_bytes(encoded(image))
    rows, _ = collected(tmp_path, 40)
    assert (rows[0] == (0, 0, 255)).all()


def test_downscaling_is_antialiased(tmp_path: Path) -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(stripes)))
    rows, _ = collected(tmp_path, 60)
    assert np.ptp(rows[0, 4:-4, 4:-4]) <= 16


def test_a_frame_is_cropped_and_its_box_is_in_full_size_pixels(tmp_path: Path) -> None:
    framed = Image.new("RGB", (1600, 1400), (250, 250, 250))
    framed.paste(noise(3, (1200, 1000)), (200, 200))
    (tmp_path / "a.jpg").write_bytes(encoded(framed, "JPEG", quality=90))
    rows, inventory = collected(tmp_path, 64, crop_frames=True)
    assert inventory.pictures[0].frame is not None
    assert np.abs(np.subtract(inventory.pictures[0].frame, (200, 200, 1400, 1200))).max() <= 16
    bare, _ = collected(tmp_path, 64)
    assert not (bare[0, 0] < 245).any()
    assert (rows[0, 0] < 245).any()


def test_a_source_without_usable_images_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    for k in range(5):
        (tmp_path / f"{k}.jpg").write_bytes(b"words" if k else b"")
    with pytest.raises(ImpastoError, match=r"no usable image .*0\.jpg: empty .*1\.jpg: text.*and 2 more"):
        collected(tmp_path)


def test_progress_counts_every_entry(mess: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with open_source(mess) as source:
        build_inventory(source, 8, lambda row: None, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k + 1, 27) for k in range(27)]


def test_an_error_in_the_middle_stops_the_threads(mess: Path) -> None:
    def broken(row: np.ndarray) -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"), open_source(mess) as source:
        build_inventory(source, 8, broken)


def test_a_zip_gives_the_same_as_its_folder(mess: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mess.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in mess.rglob("*"):
            archive.write(path, path.relative_to(mess))
    rows, inventory = collected(mess)
    again, other = collected(tmp_path / "mess.zip")
    assert (rows == again).all()
    assert other.model_copy(update={"source": inventory.source}) == inventory


@pytest.mark.parametrize(("folder", "count"), [("monet_jpg", 300), ("monet_tfrec", 300)])
def test_the_monets_are_read_from_jpeg_and_from_tfrecord(folder: str, count: int, shared_data: Path) -> None:
    rows, inventory = collected(shared_data / "kaggle_monet" / folder, 64)
    assert len(rows) == count
    assert not inventory.left_out
    assert len(inventory.near_duplicates) == 2  # two scans each of two paintings


@pytest.mark.long
def test_of_the_kaggle_photos_ten_are_duplicates(shared_data: Path) -> None:
    with open_source(shared_data / "kaggle_monet" / "photo_jpg") as source:
        inventory = build_inventory(source, 256, lambda row: None)
    assert (len(inventory.pictures), len(inventory.duplicates), len(inventory.left_out)) == (7028, 10, 0)


def test_few_bytes_are_in_flight_whatever_the_number_of_threads() -> None:
    begun, done = list[int](), list[int]()
    ahead = list[int]()

    def entries() -> Iterator[Entry]:
        for number in range(30):
            begun.append(number)
            ahead.append(len(begun) - len(done))
            yield Entry(f"{number}.png", png, MAX_IN_FLIGHT_BYTES // 3)

    for outcome in decode_squares(entries(), 8, workers=16):
        assert isinstance(outcome, Square)
        done.append(len(done))
    assert len(done) == 30
    assert max(ahead) <= 4


def test_large_images_are_decoded_one_at_a_time_and_to_the_same_pixels(
    mess: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [image.tobytes() for image in squares(mess)]
    active, most, lock = 0, 0, threading.Lock()
    crop = preprocess._crop

    def counted(*arguments: Any) -> Square:
        nonlocal active, most
        with lock:
            active += 1
            most = max(most, active)
        try:
            return crop(*arguments)
        finally:
            with lock:
                active -= 1

    monkeypatch.setattr(preprocess, "LARGE_PIXELS", 1)
    monkeypatch.setattr(preprocess, "_crop", counted)
    assert [image.tobytes() for image in squares(mess)] == before
    assert most == 1


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


def squares(folder: Path) -> list[np.ndarray]:
    with open_source(folder) as source:
        return [each.pixels for each in decode_squares(source.entries(), 16, workers=8) if isinstance(each, Square)]
