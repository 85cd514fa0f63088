"""The bundled samples: small, complete and attributed."""

from importlib.resources import files
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
from PIL import Image

SAMPLE = Path(str(files("impasto"))) / "sample"


def pictures(name: str) -> dict[str, Image.Image]:
    with ZipFile(SAMPLE / name) as archive:
        return {entry: Image.open(BytesIO(archive.read(entry))) for entry in archive.namelist()}


@pytest.mark.parametrize(("name", "count"), [("paintings.zip", 60), ("photos.zip", 5)])
def test_every_image_decodes_to_rgb_without_duplicates(name: str, count: int) -> None:
    decoded = {(picture.size, picture.tobytes()) for picture in pictures(name).values()}
    assert len(decoded) == count
    assert all(picture.mode == "RGB" for picture in pictures(name).values())


def test_paintings_are_256_pixels_and_photos_512_on_the_shorter_side() -> None:
    assert {picture.size for picture in pictures("paintings.zip").values()} == {(256, 256)}
    assert {min(picture.size) for picture in pictures("photos.zip").values()} == {512}


def test_the_samples_are_below_two_megabytes() -> None:
    assert sum(file.stat().st_size for file in SAMPLE.iterdir() if file.is_file()) <= 2_000_000


@pytest.mark.parametrize("name", ["paintings.zip", "photos.zip"])
def test_the_zips_are_uncompressed_undated_and_sorted(name: str) -> None:
    with ZipFile(SAMPLE / name) as archive:
        entries = archive.infolist()
    assert {(entry.compress_type, entry.date_time) for entry in entries} == {(ZIP_STORED, (1980, 1, 1, 0, 0, 0))}
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)


def test_the_attribution_lists_every_photo_with_photographer_and_licence() -> None:
    text = (SAMPLE / "ATTRIBUTION.md").read_text(encoding="utf-8")
    rows = {row.split("`")[1]: row for row in text.splitlines() if row.startswith("| `")}
    assert rows.keys() == pictures("photos.zip").keys()
    for name, row in rows.items():
        maker, license = ("Clemens Engelhardt", "CC0") if name == "seeding.jpg" else ("Aitzol Berasategi", "CC-BY-4.0")
        assert maker in row and license in row
    assert "Claude Monet" in text and "public domain" in text and "1926" in text


def test_the_paintings_equal_the_files_of_the_competition(shared_data: Path) -> None:
    with ZipFile(SAMPLE / "paintings.zip") as archive:
        for name in archive.namelist():
            assert archive.read(name) == (shared_data / "kaggle_monet" / "monet_jpg" / name).read_bytes()
