"""Photos are never overwritten by their paintings, and a folder of them takes little memory."""

import tracemalloc
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from impasto.errors import ImpastoError
from impasto.inference.manifest import NAME
from impasto.inference.photo_sources import open_photos, open_resumable_output


def test_an_output_that_contains_the_photos_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    for photos in (tmp_path, tmp_path / "a.png"):
        with pytest.raises(ImpastoError, match="not overwritten"), open_photos([photos], tmp_path):
            pass
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "a.png")
    photos = tmp_path / "photos.zip"
    with pytest.raises(ImpastoError, match="not overwritten"), open_photos([photos], photos):
        pass


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("name", ["out.zip.begun", "out.zip.begun/thesis.doc"])
def test_what_is_not_impastos_beside_a_zip_is_refused_and_stays(name: str, overwrite: bool, tmp_path: Path) -> None:
    foreign = tmp_path / name
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("all my work")
    with (
        pytest.raises(ImpastoError, match="is not impasto's, and stays as it is"),
        open_resumable_output(tmp_path / "out.zip", {"style": "x"}, overwrite=overwrite),
    ):
        pass
    assert foreign.read_text() == "all my work" and not (tmp_path / "out.zip").exists()


def test_only_impastos_own_files_are_deleted_beside_a_zip(tmp_path: Path) -> None:
    begun, job = tmp_path / "out.zip.begun", {"style": "x"}
    image = Image.new("RGB", (2, 2))
    with pytest.raises(KeyboardInterrupt), open_resumable_output(tmp_path / "out.zip", job) as (writer, manifest):
        for photo in ("a", "b"):
            writer.write(f"in/{photo}.png", image)
            manifest.add(photo, "digest", f"in/{photo}.png")
        raise KeyboardInterrupt
    (begun / "in" / "thesis.doc").write_text("all my work")
    with open_resumable_output(tmp_path / "out.zip", job) as (writer, manifest):
        manifest.confirm("a")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == ["in/a.png"]
    assert [path for path in begun.rglob("*") if path.is_file()] == [begun / "in" / "thesis.doc"]


def test_nothing_is_left_beside_a_whole_zip(tmp_path: Path) -> None:
    (tmp_path / "out.zip.begun").mkdir()
    with open_resumable_output(tmp_path / "out.zip", {"style": "x"}) as (writer, manifest):
        writer.write("in/a.png", Image.new("RGB", (2, 2)))
        manifest.add("a", "digest", "in/a.png")
        assert (tmp_path / "out.zip.begun" / NAME).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


def test_an_open_folder_holds_little_of_each_photo(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(2_000):
        (folder / f"{number:06}.png").touch()
    tracemalloc.start()
    with open_photos([folder], tmp_path / "out") as (source,):
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert source.total == 2_000 and held < 2_000 * 200  # paths and readers take 750 bytes
    (tmp_path / "photos" / "out").mkdir()
    (tmp_path / "photos" / "out" / "0.png").touch()
    with open_photos([folder], folder / "out") as (source,):
        assert source.total == 2_000
    with open_photos([folder, folder / "000007.png"], tmp_path / "out") as (everything, again):
        assert (everything.total, again.total) == (2_001, 0)  # with the one below
