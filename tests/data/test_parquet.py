"""Parquet files of images, whole and damaged."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fixtures.parquet_files import images, parquet, picture
from impasto.data import parquet as module
from impasto.data.entry import Entry, File, UnreadableError
from impasto.data.parquet import ParquetFile, open_parquet, read_parquet
from impasto.errors import ImpastoError

PICTURES = [picture(value) for value in range(10)]


def opened(data: bytes, folder: Path, column: str = "") -> File:
    path = folder / "blob"
    path.write_bytes(data)
    return open_parquet("hf:me/x", "data/train.parquet", path, column)


def read(data: bytes, folder: Path, column: str = "") -> list[Entry]:
    file = opened(data, folder, column)
    return list(read_parquet(file)) if isinstance(file, ParquetFile) else [file.entry()]


def reason(entry: Entry) -> str:
    with pytest.raises(UnreadableError) as error:
        entry.read()
    return str(error.value)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_images_are_read_from_a_binary_column_and_named_by_their_rows(tmp_path: Path, kind: pa.DataType) -> None:
    entries = read(parquet(4, label=list(range(10)), image=pa.array(PICTURES, kind)), tmp_path)
    assert [entry.name for entry in entries] == [f"data/train-{row}" for row in range(10)]
    assert [entry.read() for entry in entries] == PICTURES
    assert [entry.size for entry in entries] == [len(each) for each in PICTURES]


def test_images_are_named_by_their_stored_paths_unless_an_earlier_one_has_it(tmp_path: Path) -> None:
    paths = ["a.png", None, "b/a.png", "a.png", "/root/../c.png", "C:\\d.png", "..", "x" * 2000]
    entries = read(parquet(3, image=images(PICTURES[:8], paths)), tmp_path)
    names = ["/a.png", "-1", "/b/a.png", "-3", "/root/c.png", "/C:/d.png", "-6", "-7"]
    assert [entry.name for entry in entries] == [f"data/train{name}" for name in names]
    assert [entry.read() for entry in entries] == PICTURES[:8]


def test_the_number_of_images_is_known_before_reading(tmp_path: Path) -> None:
    file = opened(parquet(3, image=images(PICTURES)), tmp_path)
    assert isinstance(file, ParquetFile) and file.rows == 10


def test_one_of_several_columns_is_chosen_by_name(tmp_path: Path) -> None:
    data = parquet(**{"image.a": images(PICTURES), "b": images(PICTURES[::-1]), "hash": pa.array(PICTURES)})
    assert [entry.read() for entry in read(data, tmp_path, "b")] == PICTURES[::-1]
    assert [entry.read() for entry in read(data, tmp_path, "image.a")] == PICTURES
    with pytest.raises(ImpastoError, match=r"columns of images \(image.a, b\): choose one, as in hf:me/x#image.a"):
        opened(data, tmp_path)
    with pytest.raises(ImpastoError, match=r"no column of images c: it has image\.a, b"):
        opened(data, tmp_path, "c")


def test_rows_without_an_image_and_large_images_are_left_out_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_RECORD_BYTES", 1 << 20)
    column = images([PICTURES[0], None, bytes((1 << 20) + 1), PICTURES[1]], ["a", "b", "c", None])
    first, without, large, last = read(parquet(image=column), tmp_path)
    assert (first.read(), last.read()) == (PICTURES[0], PICTURES[1])
    assert reason(without) == "no image in this row" and reason(large) == "larger than 1 MiB"


def test_very_many_rows_without_an_image_end_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WITHOUT", 10)
    *_, last = entries = read(parquet(image=images([None] * 50)), tmp_path)
    assert len(entries) == 12
    assert reason(last) == "10 rows without an image; the rest of the file is left out"


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1]),
        pa.array(["a.png"]),
        pa.array([[b"x"]]),
        pa.array([{"bytes": "text"}]),
        pa.array([b"x" * 4], pa.binary(4)),
    ],
)
def test_a_file_without_a_column_of_images_tells_its_columns(tmp_path: Path, column: pa.Array) -> None:
    (entry,) = read(parquet(thing=column), tmp_path)
    assert reason(entry) == "no column of images (it has: thing)"


def test_memory_does_not_grow_with_a_row_group_nor_with_values_that_it_repeats(tmp_path: Path) -> None:
    large = np.random.default_rng(0).bytes(1 << 20)
    distinct = pa.array([row.to_bytes(2) + large[2:] for row in range(64)])
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 1000), pa.array([large]))
    path = tmp_path / "large.parquet"
    for column, encoding in ((distinct, {"use_dictionary": False, "write_batch_size": 1}), (repeated, {})):
        pq.write_table(pa.table({"image": column}), path, store_schema=False, **encoding)
        before = pa.total_allocated_bytes()
        file = open_parquet("hf:me/x", "large.parquet", path, "")
        assert isinstance(file, ParquetFile)
        most = max(pa.total_allocated_bytes() for entry in read_parquet(file) if entry.size == len(large))
        assert most - before < 16 << 20


def test_a_damaged_row_group_loses_no_other(tmp_path: Path) -> None:
    large = [np.random.default_rng(row).bytes(5000) for row in range(12)]
    data = bytearray(parquet(4, image=pa.array(large)))
    place = data.index(large[5][:16])
    data[place - 60 : place] = bytes(60)  # the header of the page
    entries = read(bytes(data), tmp_path)
    good = [entry for entry in entries if entry.size]
    assert [entry.name for entry in good if entry.name in {f"data/train-{row}" for row in (0, 3, 8, 11)}]
    assert [entry.read() for entry in good[:4]] == large[:4] and [entry.read() for entry in good[-4:]] == large[-4:]
    (damaged,) = (entry for entry in entries if not entry.size)
    assert "parquet data are damaged" in reason(damaged) and "the rest of its row group is left out" in reason(damaged)


def test_a_file_that_is_cut_or_no_parquet_file_is_left_out_with_a_reason(tmp_path: Path) -> None:
    data = parquet(4, image=images(PICTURES))
    for rotten in (
        b"",
        b"PAR1",
        b"PAR1PAR1",
        picture(0),
        data[:100],
        data[:-1],
        data[:-8] + b"\xff\xff\xff\x7fPAR1",
    ):
        (entry,) = read(rotten, tmp_path)
        assert reason(entry).startswith("its parquet data are damaged (") and "\n" not in reason(entry)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_its_bytes_a_file_gives_images_or_reasons(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = np.frombuffer(parquet(4, image=images(PICTURES, [f"{row}.png" for row in range(10)])), np.uint8).copy()
    # half of the damage to the metadata at the end
    places = rng.integers(0 if seed % 2 else len(data) - 700, len(data), 1 + seed % 7)
    data[places] = rng.integers(0, 256, len(places))
    try:
        entries = read(data.tobytes(), tmp_path)
    except ImpastoError:
        return
    for entry in entries:
        try:
            assert isinstance(entry.read(), bytes)
        except UnreadableError as error:
            assert "\n" not in str(error)
