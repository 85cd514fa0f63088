"""One registered class adds an image format: to reading, to the inventory and to the messages."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.config.types import Pixels
from impasto.data.decode import count_pixels, decode
from impasto.data.entry import UnreadableError
from impasto.data.formats import IMAGE_FORMATS, ImageFormat, image_suffixes, supported_formats
from impasto.data.pixel_store import load_images
from impasto.errors import ImpastoError

PIXELS: Pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)


class Raw(ImageFormat):
    """A header of eight bytes, width and height in four each, and the pixels."""

    title = "Raw RGB"
    suffixes = (".rawrgb",)
    magic = (b"RAW!",)

    @classmethod
    def open(cls, data: bytes) -> Image.Image:
        width, height = (int.from_bytes(data[start : start + 4], "little") for start in (4, 8))
        if width * height > 10**9:
            return _Huge((width, height))
        return Image.frombytes("RGB", (width, height), data[12:])


class _Huge(Image.Image):
    """An image whose size is known and whose pixels must not be loaded."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self._mode, self._size = "RGB", size

    def load(self) -> None:
        pytest.fail("an image above the limit is loaded")


def raw(width: int, height: int, pixels: bytes) -> bytes:
    return b"RAW!" + width.to_bytes(4, "little") + height.to_bytes(4, "little") + pixels


@pytest.fixture
def registered() -> Iterator[None]:
    before = dict(IMAGE_FORMATS)
    IMAGE_FORMATS.register("RAWRGB")(Raw)
    yield
    IMAGE_FORMATS._things.clear()
    IMAGE_FORMATS._things.update(before)


@pytest.mark.usefixtures("registered")
def test_a_registered_format_is_read_from_a_folder_and_named_in_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "a.rawrgb").write_bytes(raw(8, 8, PIXELS.tobytes()))
    (tmp_path / "cut.rawrgb").write_bytes(raw(8, 8, PIXELS.tobytes()[:50]))
    store = load_images(tmp_path, 8)
    assert np.array_equal(store.pixels[0], PIXELS)
    assert [(each.name, each.format) for each in store.inventory.pictures] == [("a.rawrgb", "RAWRGB")]
    assert "damaged" in store.inventory.left_out[0].reason
    assert count_pixels(raw(8, 8, PIXELS.tobytes())) == 64


@pytest.mark.usefixtures("registered")
def test_a_registered_format_is_named_where_no_image_can_be_read(tmp_path: Path) -> None:
    assert ".rawrgb" in image_suffixes() and "Raw RGB" in supported_formats()
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ImpastoError, match=r"Raw RGB"):
        load_images(tmp_path, 8)


@pytest.mark.usefixtures("registered")
def test_the_size_limit_holds_for_every_format_before_its_pixels_are_loaded() -> None:
    with pytest.raises(UnreadableError, match="larger than 150 megapixels"):
        decode(raw(100_000, 100_000, b""))


def test_the_built_in_formats_are_registered() -> None:
    assert set(IMAGE_FORMATS) >= {"AVIF", "BMP", "GIF", "HEIC", "JPEG", "PNG", "TIFF", "WEBP"}
    assert supported_formats().startswith("AVIF, BMP, GIF, HEIC, JPEG, PNG")
    assert {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"} <= image_suffixes()
