"""A photo is opened as it is to be seen."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.errors import ImpastoError
from impasto.inference.photo import is_animated, open_photo, side_by_side

WIDE = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3) * 10


def test_the_photo_is_on_the_left_of_its_painting() -> None:
    both = side_by_side(WIDE, 255 - WIDE)
    assert both.shape == (2, 8, 3)
    assert np.array_equal(both[:, :4], WIDE) and np.array_equal(both[:, 4:], 255 - WIDE)


def turned(path: Path) -> Path:
    """WIDE, lying on its side in the file, with the tag that says how it stands."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(np.rot90(WIDE)).save(path, exif=exif)
    return path


def test_a_photo_is_upright_whether_it_comes_as_file_or_as_image(tmp_path: Path) -> None:
    path = turned(tmp_path / "turned.png")
    assert np.array_equal(open_photo(path), WIDE)
    assert np.array_equal(open_photo(str(path)), WIDE)
    with Image.open(path) as image:
        assert np.array_equal(open_photo(image), WIDE)
        assert image.size == (2, 4), "the one that is given stays as it is"


def test_transparency_is_composited_over_white() -> None:
    clear = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    clear.putpixel((1, 0), (10, 20, 30, 0))
    assert open_photo(clear).tolist() == [[[10, 20, 30], [255, 255, 255]]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("no.jpg", None, "No such file"), ("text.jpg", b"hello", "text"), ("empty.jpg", b"", "empty")],
)
def test_files_that_are_not_images_are_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImpastoError, match=message) as error:
        open_photo(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_empty_and_truncated_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="has no pixels"):
        open_photo(Image.new("RGB", (0, 3)))
    path = tmp_path / "cut.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with Image.open(path) as image, pytest.raises(ImpastoError, match="truncated"):
        open_photo(image)


def test_a_gif_that_is_damaged_anywhere_raises_nothing(tmp_path: Path) -> None:
    frames = [Image.new("L", (9, 7), shade) for shade in (0, 90, 180)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:], duration=100)
    whole = (tmp_path / "film.gif").read_bytes()
    assert is_animated(tmp_path / "film.gif")
    for end in range(len(whole)):
        (tmp_path / "cut.gif").write_bytes(whole[:end])
        assert is_animated(tmp_path / "cut.gif") in (True, False)
    assert not is_animated(tmp_path / "nothing.gif")
