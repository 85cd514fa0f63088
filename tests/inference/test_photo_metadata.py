"""What a painting takes over from its photo's EXIF data."""

from io import BytesIO

import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from impasto.inference.photo_metadata import kept_exif


def photo(exif: Image.Exif, format: str = "JPEG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 6), "teal").save(buffer, format, exif=exif)
    return buffer.getvalue()


def taken() -> Image.Exif:
    exif = Image.Exif()
    exif.update(
        {Base.Orientation: 6, Base.DateTime: "2024:05:06 07:08:09", Base.Artist: "Ada", Base.Software: "Editor"}
    )
    exif.get_ifd(IFD.Exif).update(
        {Base.DateTimeOriginal: "2024:05:06 07:08:09", Base.MakerNote: b"secret", Base.ExifImageWidth: 8}
    )
    exif.get_ifd(IFD.GPSInfo).update({1: "N", 2: (48.0, 51.0, 30.0)})
    return exif


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_date_author_and_place_are_kept_but_not_what_is_true_of_the_photo_alone(format: str) -> None:
    kept = Image.Exif()
    kept.load(kept_exif(photo(taken(), format)) or b"")
    assert kept[Base.DateTime] == "2024:05:06 07:08:09" and kept[Base.Artist] == "Ada"
    assert kept.get_ifd(IFD.GPSInfo) == {1: "N", 2: (48.0, 51.0, 30.0)}
    camera = kept.get_ifd(IFD.Exif)
    assert camera == {Base.DateTimeOriginal: "2024:05:06 07:08:09", Base.ColorSpace: 1}
    assert Base.Orientation not in kept, "a painting is upright already"


def test_nothing_is_kept_of_a_photo_without_exif_or_with_damaged_exif() -> None:
    assert kept_exif(photo(Image.Exif())) is None
    whole = photo(taken())
    assert kept_exif(whole.replace(b"MM\0*", b"MM\0\xff")) is None
    assert kept_exif(b"no image") is None
