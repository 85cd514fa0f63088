"""Images are written completely and reproducibly, or not at all."""

import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fixtures.disks import small_disk
from impasto.errors import ImpastoError
from impasto.inference.output import encode, open_output
from impasto.inference.photo import TooLargeError

Picture = NDArray[np.uint8]


def noise(seed: int, height: int = 48, width: int = 64) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def paint(out: Path, count: int = 3, *, overwrite: bool = False) -> None:
    with open_output(out, overwrite=overwrite) as writer:
        for number in range(count):
            writer.write(f"{number}.png", noise(number))


def read(out: Path, name: str) -> Picture:
    if out.is_dir():
        return np.asarray(Image.open(out / name))
    with ZipFile(out) as archive:
        return np.asarray(Image.open(BytesIO(archive.read(name))))


@pytest.fixture(params=["paintings.zip", "paintings"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / "new" / str(request.param)


def test_png_is_lossless(out: Path) -> None:
    paint(out)
    for number in range(3):
        np.testing.assert_array_equal(read(out, f"{number}.png"), noise(number))


def test_no_temporary_files_remain(out: Path, tmp_path: Path) -> None:
    paint(out)
    assert files_in(tmp_path / "new") in (["paintings.zip"], [f"paintings/{n}.png" for n in range(3)])


def test_jpeg_has_no_chroma_subsampling() -> None:
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2, 0] = 255  # red beside black: half-resolution colour would mix them
    decoded = np.asarray(Image.open(BytesIO(encode("stripes.jpg", stripes)))).astype(int)
    assert np.abs(decoded - stripes).max() < 40


def test_the_suffix_decides_the_format() -> None:
    formats = {name: Image.open(BytesIO(encode(name, noise(0)))).format for name in ("a.JPG", "a.jpeg", "a.png")}
    assert formats == {"a.JPG": "JPEG", "a.jpeg": "JPEG", "a.png": "PNG"}
    with pytest.raises(ImpastoError, match=r"a\.tif"):
        encode("a.tif", noise(0))


def test_webp_is_supported() -> None:
    smooth = np.arange(64, dtype=np.uint8).repeat(3).reshape(8, 8, 3) * 3
    image = Image.open(BytesIO(encode("a.webp", smooth)))
    assert image.format == "WEBP" and np.abs(np.asarray(image).astype(int) - smooth).mean() < 4


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_files_have_no_colour_profile_or_exif_orientation(name: str) -> None:
    image = Image.new("RGB", (4, 2), (200, 100, 50))
    image.info["icc_profile"] = b"a profile that the pixels no longer have"
    exif = image.getexif()
    exif[0x0112] = 6
    image.info["exif"] = exif.tobytes()
    written = Image.open(BytesIO(encode(name, image)))
    assert not written.info.get("icc_profile") and 0x0112 not in written.getexif()
    assert written.size == (4, 2)


@pytest.mark.parametrize(("name", "side"), [("a.webp", 16_384), ("a.jpg", 65_501)])
def test_an_image_that_exceeds_the_limits_of_its_format_is_refused(name: str, side: int) -> None:
    with pytest.raises(TooLargeError, match=r"\.png"):
        encode(name, np.zeros((1, side, 3), np.uint8))
    assert encode(name, np.zeros((1, side - 1, 3), np.uint8))


def test_pillow_images_of_other_modes_are_written_as_rgb(out: Path) -> None:
    with open_output(out) as writer:
        writer.write("grey.png", Image.new("L", (4, 2), 77))
    np.testing.assert_array_equal(read(out, "grey.png"), np.full((2, 4, 3), 77))


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8)])
def test_arrays_other_than_rgb_images_are_refused(wrong: Picture) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        encode("a.png", wrong)


def test_zips_are_reproducible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paint(tmp_path / "one.zip")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    paint(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_zip_never_appears(failure: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(failure), open_output(tmp_path / "out.zip") as writer:
        writer.write("0.png", noise(0))
        raise failure
    assert files_in(tmp_path) == []


def test_an_interrupted_folder_keeps_complete_images(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_output(tmp_path / "out") as writer:
        writer.write("0.png", noise(0))
        raise KeyboardInterrupt
    assert files_in(tmp_path) == ["out/0.png"]
    np.testing.assert_array_equal(read(tmp_path / "out", "0.png"), noise(0))


def test_the_old_zip_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    paint(tmp_path / "out.zip", 1)
    old = (tmp_path / "out.zip").read_bytes()
    with pytest.raises(RuntimeError), open_output(tmp_path / "out.zip", overwrite=True) as writer:
        writer.write("9.png", noise(9))
        assert (tmp_path / "out.zip").read_bytes() == old
        raise RuntimeError
    assert (tmp_path / "out.zip").read_bytes() == old


def test_existing_output_is_refused_unless_overwriting(out: Path) -> None:
    paint(out, 2)
    with pytest.raises(ImpastoError, match="overwrite"):
        paint(out, 1)
    np.testing.assert_array_equal(read(out, "1.png"), noise(1))
    with open_output(out, overwrite=True) as writer:
        writer.write("0.png", noise(7))
    np.testing.assert_array_equal(read(out, "0.png"), noise(7))


def test_overwriting_replaces_a_zip_but_keeps_other_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("out.zip", "out"):
        paint(tmp_path / name, 3)
        paint(tmp_path / name, 1, overwrite=True)
    with ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == ["0.png"]
    assert files_in(tmp_path / "out") == ["0.png", "1.png", "2.png"]


def test_an_empty_folder_is_accepted(tmp_path: Path) -> None:
    paint(tmp_path, 1)
    assert files_in(tmp_path) == ["0.png"]


def test_a_file_is_not_replaced_by_a_folder_nor_a_folder_by_a_zip(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("dear diary")
    (tmp_path / "folder.zip").mkdir()
    for name in ("notes", "folder.zip"):
        with pytest.raises(ImpastoError, match=name):
            paint(tmp_path / name, overwrite=True)
    assert (tmp_path / "notes").read_text() == "dear diary"


def test_images_may_be_in_subfolders(out: Path, tmp_path: Path) -> None:
    with open_output(out) as writer:
        for number, name in enumerate(["0.png", "a/0.png", "a/b/0.png"]):
            writer.write(name, noise(number))
    np.testing.assert_array_equal(read(out, "a/0.png"), noise(1))
    np.testing.assert_array_equal(read(out, "a/b/0.png"), noise(2))
    assert len(files_in(tmp_path)) == (3 if out.is_dir() else 1)


def test_an_image_in_place_of_a_folder_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="choose another"), open_output(tmp_path / "out") as writer:
        writer.write("a.png", noise(0))
        writer.write("a.png/b.png", noise(1))
    assert files_in(tmp_path) == ["out/a.png"]


def test_a_new_folder_that_stays_empty_is_removed_but_not_an_existing_one(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for name in ("old", "new"):
        with pytest.raises(RuntimeError), open_output(tmp_path / name):
            raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    "name", ["../escape.png", "a/../../b.png", "/root.png", "a//b.png", "./a.png", "a\\b.png", "C:b.png", ""]
)
def test_names_cannot_escape_the_output_folder(name: str, out: Path) -> None:
    with pytest.raises(ImpastoError, match="no valid image name"), open_output(out) as writer:
        writer.write(name, noise(0))


def test_repeated_image_names_are_refused(out: Path) -> None:
    with pytest.raises(ImpastoError, match=r"0\.png"), open_output(out) as writer:
        writer.write("0.png", noise(0))
        writer.write("0.png", noise(1))


def test_disk_errors_of_the_caller_are_not_attributed_to_the_output(out: Path) -> None:
    with pytest.raises(FileNotFoundError), open_output(out):
        Path("no such photo.jpg").read_bytes()


def test_an_output_that_cannot_be_created_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file/out.zip", "file/out"):
        with pytest.raises(ImpastoError, match="choose another") as error:
            paint(tmp_path / name)
        assert "\n" not in str(error.value)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for about 100 KB."""
    with small_disk(tmp_path / "disk", "128k") as disk:
        yield disk


@pytest.mark.parametrize("name", ["out.zip", "out"])
def test_a_full_disk_is_reported_in_one_line_and_leaves_no_partial_file(name: str, tiny_disk: Path) -> None:
    with pytest.raises(ImpastoError, match="disk is full") as error:
        paint(tiny_disk / name, 100)
    assert "\n" not in str(error.value)
    left = files_in(tiny_disk)
    assert all(file.startswith("out/") and file.endswith(".png") for file in left)
    for file in left:
        np.testing.assert_array_equal(read(tiny_disk / "out", Path(file).name), noise(int(Path(file).stem)))


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from impasto.errors import ImpastoError
from impasto.inference.output import open_output
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with open_output(Path(sys.argv[1])) as writer:
        for number in range(100):
            writer.write(f"{number}.png", np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
except ImpastoError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file size")
def test_a_file_size_limit_is_reported_as_a_full_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", LIMITED, str(tmp_path / "out.zip")]
    error = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "disk is full" in error.stdout and error.stdout.count("\n") == 1 and not error.stderr
    assert files_in(tmp_path) == []
