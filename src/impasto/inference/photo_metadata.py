"""EXIF data that a painting takes over from its photo."""

from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from impasto.data.decode import read_exif

#: Tags of the image that say when, by whom, with what camera and of what it is.
KEPT = (Base.ImageDescription, Base.Make, Base.Model, Base.DateTime, Base.Artist, Base.Copyright)
#: Tags of the camera that are not true of a painting, or of unknown content.
LEFT_OUT = (Base.MakerNote, Base.ExifImageWidth, Base.ExifImageHeight, Base.ExifInteroperabilityOffset)
#: Value of the tag ColorSpace.
SRGB = 1
#: Most bytes: JPEG holds 65,533 in a segment.
MAX_EXIF = 60_000


def kept_exif(photo: bytes) -> bytes | None:
    """Return the EXIF data for the painting of a photo, from the bytes of its file: date, author, camera and place.

    Orientation, size and thumbnail are left out, since a painting is upright and of its own; so are the notes of
    camera makers. None if there is nothing to keep, or it cannot be written again.
    """
    found = read_exif(photo)
    if found is None:
        return None
    kept = Image.Exif()
    try:
        kept.update({tag: found[tag] for tag in KEPT if tag in found})
        camera: dict[int, Any] = {tag: value for tag, value in found.get_ifd(IFD.Exif).items() if tag not in LEFT_OUT}
        if camera:
            kept.get_ifd(IFD.Exif).update(camera | {Base.ColorSpace: SRGB})
        place = found.get_ifd(IFD.GPSInfo)
        if place:
            kept.get_ifd(IFD.GPSInfo).update(place)
        data = kept.tobytes() if kept or camera or place else b""
    except Exception:  # damaged EXIF raises anything, and is no reason to refuse a photo
        return None
    return data if 0 < len(data) <= MAX_EXIF else None
