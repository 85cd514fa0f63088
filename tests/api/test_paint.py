"""Painting and submitting, through the command line."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.ExifTags import IFD, Base

import impasto as package
from fixtures.command import Impasto
from fixtures.noise_style import style
from fixtures.translators import translator
from fixtures.videos import scene, write_video
from impasto.api.generate import generate
from impasto.api.paint import paint
from impasto.errors import ImpastoError
from impasto.inference.load import load_translator
from impasto.inference.translator import Translator

#: Runs a command: what it printed, its error, its exit code.
Inside = Callable[..., tuple[str, str, int]]


@pytest.fixture
def negative(tmp_path: Path) -> Path:
    """A style that outputs the negative of a photo."""
    path = tmp_path / "negative.safetensors"
    translator(-1).save(path)
    return path


@pytest.fixture
def inside(impasto: Impasto) -> Inside:
    def run(*arguments: str | Path) -> tuple[str, str, int]:
        done = impasto(*arguments, check=False)
        return done.stdout, done.stderr, done.returncode

    return run


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_folder_is_painted_upright_and_damaged_files_are_listed(
    impasto: Impasto, negative: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos" / "inside"
    folder.mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = noise(20, 30)
    Image.fromarray(np.rot90(photo)).save(folder / "turned.png", exif=exif)
    smooth = np.add.outer(np.arange(64), np.arange(48))[..., None].repeat(3, -1).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "photos" / "smooth.JPG", quality=95)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    done = impasto("paint", "photos", "--style", negative, "--out", "out", check=False)
    assert (
        done.returncode == 1
        and done.stdout == "2 paintings in out\nLeft out: photos/broken.jpg: a damaged or unsupported JPEG.\n"
    )
    assert np.array_equal(pixels(tmp_path / "out" / "inside" / "turned.png"), 255 - photo)
    with Image.open(tmp_path / "out" / "inside" / "turned.png") as written:
        assert 0x0112 not in written.getexif()
    assert np.abs(pixels(tmp_path / "out" / "smooth.JPG").astype(int) - (255 - smooth)).max() <= 4
    assert sum(path.is_file() for path in (tmp_path / "out").rglob("*.[pJ]*")) == 2


def test_one_photo_becomes_one_file_in_the_format_of_its_suffix(inside: Inside, negative: Path, tmp_path: Path) -> None:
    photo = noise(7, 9)
    Image.fromarray(photo).save(tmp_path / "photo.bmp")
    options = ("--style", negative, "--out", "new/painting.png")
    assert inside("paint", "photo.bmp", "--style", negative) == ("1 painting in painted\n", "", 0)
    assert np.array_equal(pixels(tmp_path / "painted" / "photo.png"), 255 - photo)
    assert inside("paint", "photo.bmp", *options) == ("The painting is new/painting.png\n", "", 0)
    assert np.array_equal(pixels(tmp_path / "new" / "painting.png"), 255 - photo)
    _, error, code = inside("paint", "photo.bmp", *options)
    assert code == 1 and "new/painting.png already exists" in error
    assert inside("paint", "photo.bmp", *options, "--overwrite", "--compare")[2] == 0
    assert np.array_equal(pixels(tmp_path / "new" / "painting.png"), np.concatenate([photo, 255 - photo], 1))
    before = (tmp_path / "new" / "painting.png").read_bytes()
    for arguments, message in (
        (("photo.bmp", "photo.bmp", *options, "--overwrite"), "is one image"),
        (("photo.bmp", *options, "--overwrite", "--format", "jpg"), "of that format"),
        ((".", *options, "--overwrite"), "give one photo"),
        (("nothing.jpg", *options, "--overwrite"), "No such file"),
        (("new/painting.png", *options, "--overwrite"), "not overwritten"),
        ((negative, *options, "--overwrite"), "cannot be painted"),
    ):
        _, error, code = inside("paint", *arguments)
        assert code == 1 and message in error and error.count("\n") == 1
    assert (tmp_path / "new" / "painting.png").read_bytes() == before and len(list((tmp_path / "new").iterdir())) == 1


@pytest.mark.parametrize("kind", [str, Path])
def test_one_photo_need_not_be_in_a_list(kind: type, negative: Path, tmp_path: Path) -> None:
    Image.fromarray(noise(7, 9)).save(tmp_path / "photo.png")
    assert paint(kind(tmp_path / "photo.png"), tmp_path / "out", style=negative)
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["photo.png"]
    with pytest.raises(ImpastoError, match="no photos to paint"):
        paint([], tmp_path / "none", style=negative)


def test_a_tilde_in_the_output_is_the_home_folder(
    negative: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Image.fromarray(noise(4, 4)).save("photo.png")
    style().save(Path("noise.safetensors"))
    paint("photo.png", "~/painted", style=negative)
    generate("noise.safetensors", "~/generated", count=1)
    assert {path.name for path in Path("home").iterdir()} == {"painted", "generated"} and not Path("~").exists()


def test_several_sources_are_written_to_one_zip_with_unique_names(
    inside: Inside, negative: Path, tmp_path: Path
) -> None:
    Image.fromarray(noise(4, 6, 1)).save(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as more:
        buffer = BytesIO()
        Image.fromarray(noise(5, 3, 2)).save(buffer, "PNG")
        more.writestr("a.png", buffer.getvalue())
        more.writestr("b/c.png", buffer.getvalue())
    options = ("--style", negative, "--out", "out.zip", "--compare", "--strength", "0")
    out, _, code = inside("paint", "a.png", "more.zip", *options)
    assert code == 0
    assert out == "3 paintings in out.zip\nmore.zip/a.png is written as a-2.png: its name is taken.\n"
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == ["a.png", "a-2.png", "b/c.png"]
        found = [np.asarray(Image.open(BytesIO(archive.read(name)))) for name in archive.namelist()]
    for picture, photo in zip(found, (noise(4, 6, 1), noise(5, 3, 2), noise(5, 3, 2)), strict=True):
        assert np.array_equal(picture, np.concatenate([photo, photo], axis=1))


def test_the_command_and_the_translator_paint_the_same(inside: Inside, negative: Path, tmp_path: Path) -> None:
    out, _, code = inside("paint", "sample:photos", "--style", negative, "--out", "out", "--format", "png")
    assert code == 0 and out == "5 paintings in out\n"
    with zipfile.ZipFile(Path(package.__file__).parent / "sample" / "photos.zip") as archive:
        name = next(name for name in archive.namelist() if name.endswith("life.jpg"))
        (tmp_path / "life.jpg").write_bytes(archive.read(name))
    painted = np.asarray(load_translator(negative).paint(tmp_path / "life.jpg"))
    assert np.array_equal(pixels(tmp_path / "out" / "life.png"), painted)
    assert np.array_equal(painted, 255 - pixels(tmp_path / "life.jpg"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["paint", "photo.png", "--style", "nowhere", "--out", "x"], "no style nowhere"),
        (["paint", "photo.png", "--style", "noise.safetensors", "--out", "x"], "cannot stylise photos"),
        (["paint", "nothing.png", "photo.png", "--style", "negative.safetensors", "--out", "x"], "nothing.png"),
        (["paint", "notes.txt", "--style", "negative.safetensors", "--out", "x"], "notes.txt: text, not an image"),
        (["paint", "notes.txt", "--style", "negative.safetensors", "--out", "x.zip"], "notes.txt: text"),
        (["paint", "photo.png", "--style", "negative.safetensors", "--out", ".", "--overwrite"], "not overwritten"),
        (
            ["paint", "photo.png", "--style", "negative.safetensors", "--out", "photo.png"],
            "photo.png is an input of this command and is not overwritten",
        ),
        (["paint", "photo.png", "--moods", "--out", "photo.png", "--overwrite"], "photo.png is an input"),
        (["paint", "photo.png", "--style", "negative.safetensors", "--out", ""], "A file name is empty"),
        (["paint", "photo.png", "--moods", "--out", ""], "A file name is empty"),
        (["submit", "noise.safetensors", "--out", ""], "A file name is empty"),
        (["paint", "photo.png", "--moods", "--out", "x.tiff"], "x.tiff is no contact sheet"),
        (["paint", "photo.png", "--moods", "--out", "x.zip"], "x.zip is no contact sheet"),
        (["paint", "photo.png", "--out", "x.safetensors"], "x.safetensors cannot hold paintings"),
        (["generate", "noise.safetensors", "--out", ""], "A file name is empty"),
        (["generate", "noise.safetensors", "--out", "x.heic"], "x.heic: choose"),
        (["paint", "photo.png", "--like", "a.png", "--out", "./a.png", "--overwrite"], "a.png is an input"),
        (
            ["submit", "negative.safetensors", "--photos", "photos.zip", "--out", "photos.zip", "--overwrite"],
            "photos.zip is an input",
        ),
        (["generate", "negative.safetensors", "--out", "x"], "impasto paint"),
        (["submit", "negative.safetensors"], "needs photos: add --photos"),
        (["submit", "noise.safetensors", "--photos", "sample:photos"], "takes no photos; remove --photos"),
        (["submit", "a", "--style", "b"], "one style"),
        (["submit", "negative.safetensors", "--photos", "sample:photos"], "holds 5 distinct"),
        (["submit", "negative.safetensors", "--photos", "sample:photos", "--count", "5"], "not 5"),
    ],
)
def test_errors_are_one_line_and_leave_no_files(
    inside: Inside, negative: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    style().save(tmp_path / "noise.safetensors")
    Image.fromarray(noise(4, 4)).save(tmp_path / "photo.png")
    (tmp_path / "notes.txt").write_text("hello")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(tmp_path / "photo.png", "photo.png")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    _, error, code = inside(*arguments)
    assert code == 1 and message in error and error.startswith("impasto: ") and error.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_submission_drops_duplicate_photos_and_reports_them(
    inside: Inside, negative: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.interop.kaggle_submission.FEWEST", 3)
    (tmp_path / "photos").mkdir()
    for number, shade in enumerate((40, 90, 40, 160)):
        Image.new("RGB", (300, 280), (shade, shade, shade)).save(tmp_path / "photos" / f"{number}.png")
    out, error, code = inside("submit", "--style", "negative.safetensors", "--photos", "photos", "--count", "4")
    assert code == 0, error
    assert "1 dropped as exact duplicates (2.png is 0.png)" in out
    assert "images.zip: 3 images, valid for the competition." in out
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        pictures = [np.asarray(Image.open(BytesIO(archive.read(name)))) for name in archive.namelist()]
    assert [picture.shape for picture in pictures] == [(256, 256, 3)] * 3
    assert [round(float(picture.mean())) for picture in pictures] == [215, 165, 95]


def test_styles_are_listed_with_their_cards(inside: Inside, negative: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.style.available_styles", lambda: {"negative": negative})
    out, _, code = inside("styles")
    assert code == 0
    for part in ("negative", "photos → paintings", "6,328 photos", "CC0-1.0", "MB"):
        assert part in " ".join(out.split())


def test_painting_one_photo_imports_no_training_dependencies(
    impasto_command: list[str], negative: Path, tmp_path: Path
) -> None:
    Image.fromarray(noise(4, 4)).save(tmp_path / "photo.png")
    command = [sys.executable, "-X", "importtime", *impasto_command, "paint", "photo.png", "--out", "out"]
    done = subprocess.run(
        [*command, "--style", negative], cwd=tmp_path, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "torch" in imported
    heavy = {"matplotlib", "lightning_fabric", "tensorboard", "av", "scipy", "kagglehub", "jinja2"}
    assert not heavy & imported


def test_inference_does_not_change_the_style(negative: Path, tmp_path: Path) -> None:
    loaded = package.load(negative)
    assert isinstance(loaded, Translator)
    loaded.paint(Image.fromarray(noise(4, 4)))
    loaded.style.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == negative.read_bytes()
    assert loaded.device in (torch.device("cpu"), torch.device("cuda"))


def test_transparency_is_kept_and_exif_data_only_if_asked_for(impasto: Impasto, negative: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.DateTime] = "2024:05:06 07:08:09"
    exif[Base.Orientation] = 6
    exif.get_ifd(IFD.GPSInfo)[1] = "N"
    alpha = np.tile(np.arange(0, 240, 8, dtype=np.uint8), (20, 1))
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.webp"):
        picture = Image.fromarray(np.dstack([noise(20, 30), alpha]))
        picture.save(tmp_path / "photos" / name, exif=exif, lossless=True)
    for options, kept in (((), False), (("--keep-metadata",), True)):
        impasto("paint", "photos", "--style", negative, "--out", f"out{kept}", *options)
        for name in ("a.png", "b.webp"):
            with Image.open(tmp_path / f"out{kept}" / name) as painting:
                assert painting.mode == "RGBA" and painting.size == (20, 30)  # upright
                assert np.array_equal(np.asarray(painting)[..., 3], np.rot90(alpha, -1))
                found = painting.getexif()
                assert (Base.DateTime in found, bool(found.get_ifd(IFD.GPSInfo))) == (kept, kept)
                assert Base.Orientation not in found
    impasto("paint", "photos", "--style", negative, "--out", "flat", "--format", "jpg")
    with Image.open(tmp_path / "flat" / "a.jpg") as flat:
        assert flat.mode == "RGB" and np.asarray(flat)[0].max() < 16, "the negative of white"


def test_videos_in_folders_are_painted_with_films_and_listed_without(
    impasto: Impasto, negative: Path, tmp_path: Path
) -> None:
    place = tmp_path / "holiday" / "day 1"
    place.mkdir(parents=True)
    write_video(place / "sea.mov", [scene(0), scene(2)])
    write_video(tmp_path / "holiday" / "sea.mp4", [scene(0), scene(2)])
    done = impasto("paint", "holiday", "--style", negative, "--out", "none", check=False)
    assert done.returncode == 1 and "add --films" in done.stderr
    command = ("paint", "holiday", "--style", negative, "--out", "holiday/out", "--films")
    assert impasto(*command).stdout.count("2 frames in") == 2
    assert {path.relative_to(tmp_path / "holiday/out").as_posix() for path in tmp_path.rglob("out/**/*.mp4")} == {
        "sea.mp4",
        "day 1/sea.mp4",
    }
    Image.fromarray(noise(4, 4)).save(place / "shell.png")
    again = impasto(*command).stdout
    assert again.count("was there before") == 2 and "1 painting in holiday/out" in again
