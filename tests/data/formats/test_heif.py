"""HEIC and AVIF files."""

import base64
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, features
from PIL.ExifTags import IFD, Base

from impasto.data.decode import decode, image_size
from impasto.data.entry import UnreadableError
from impasto.data.formats import identify
from impasto.data.formats.heif import _is_of
from impasto.inference.photo_metadata import kept_exif


def gradient() -> Image.Image:
    ramp = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    return Image.fromarray(np.dstack([ramp, ramp[:, ::-1], 255 - ramp]))


def avif(**options: object) -> bytes:
    buffer = BytesIO()
    gradient().save(buffer, "AVIF", quality=95, **options)
    return buffer.getvalue()


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_an_avif_is_read_upright_once() -> None:
    decoded = decode(avif())
    assert decoded.format == "AVIF" and image_size(avif()) == (64, 48)
    assert np.abs(np.asarray(decoded.image).astype(int) - np.asarray(gradient())).mean() < 3
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode(avif(exif=exif))
    assert (turned.width, turned.height) == turned.image.size == (48, 64)
    upright = np.asarray(gradient().transpose(Image.Transpose.ROTATE_270)).astype(int)
    assert np.abs(np.asarray(turned.image) - upright).mean() < 3
    with pytest.raises(UnreadableError, match="damaged"):
        decode(avif()[:-200])


#: 64×48 pixels, red with a blue right half, without a rotation of its own; EXIF with orientation 6, date and place.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAb5tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAA"
    "AAAERAAAIAAQAAAAAB4gABAAAAAAAAAG0AAgAAAAACTwABAAAAAAAAAIYAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVp"
    "bmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGE"
    "ABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkA"
    "AAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEH"
    "BpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAABppcmVmAAAAAAAAAA5jZHNjAAIAAQABAAAA+21kYXQAAABpKAGvCeA5IyS/"
    "//jSf//39B5D9gpZwX/9JmH39ws//+5VPUV2Vfe7f9ghYcD31vxKkdbYb4wntf+akttQS4r+PdfoQvpgflWiOx1jR+kWr+x33/6XPSJsQ2p5Xj"
    "NoM/fq0SKum4DpuLZgAAAABkV4aWYAAE1NACoAAAAIAAMBEgADAAAAAQAGAAABMgACAAAAFAAAADKIJQAEAAAAAQAAAEYAAAAAMjAyNDowNTow"
    "NiAwNzowODowOQAAAgABAAIAAAACTgAAAAACAAUAAAADAAAAZAAAAAAAAAAwAAAAAQAAADMAAAABAAAAHgAAAAE="
)


def test_a_heic_is_turned_by_its_own_rotation_alone() -> None:
    """ISO/IEC 23008-12: the orientation in EXIF tells nothing about the image."""
    decoded = decode(HEIC)
    assert decoded.format == "HEIC" and decoded.image.size == (64, 48)
    colours = np.asarray(decoded.image).astype(int)
    assert np.abs(colours[:, :28] - [200, 40, 40]).mean() < 8
    assert np.abs(colours[:, 36:] - [30, 60, 190]).mean() < 8
    kept = Image.Exif()
    kept.load(kept_exif(HEIC) or b"")
    assert kept[Base.DateTime] == "2024:05:06 07:08:09" and kept.get_ifd(IFD.GPSInfo)[1] == "N"
    with pytest.raises(UnreadableError):
        decode(HEIC[:-100])


def test_a_heic_says_what_to_install_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(UnreadableError, match=r"pip install 'impasto\[formats\]'"):
        decode(HEIC)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0heicmif1", "HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0avifmif1", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", "HEIC"),
        (b"\0\0\0\x14ftypmif1\0\0\0\0mif1heic", None),  # beyond the box
        (b"\0\0\0\x18ftypavis\0\0\0\0avifmif1", None),
        (b"\0\0\0\x1cftypisom\0\0\0\0isommif1avif", None),
    ],
)
def test_the_brands_tell_the_format(head: bytes, name: str | None) -> None:
    assert identify(head.ljust(32, b"\0")) == name
    assert not _is_of(head[:8], (b"heic",))
