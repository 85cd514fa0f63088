"""File names of paintings, derived from those of their photos."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Literal, Protocol

from impasto.data.formats import image_suffixes
from impasto.inference.output import MAX_SIDE

#: Suffixes of videos that are read; the first is that of those that are written.
VIDEOS = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".3gp", ".3g2", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob"),
    *(".flv", ".f4v", ".wmv", ".asf", ".ogv", ".ogm", ".mxf"),
)
#: Suffixes of videos, images and styles that are not written: who gives one does not want a folder of that name.
NOT_WRITTEN = (
    *VIDEOS[1:],
    *(".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".safetensors"),
)
#: Suffixes of photos of cameras in formats that are not written; their paintings are JPEG.
CAMERA = (".heic", ".heif", ".hif")
#: What no name has on Windows: characters (``a:b`` is a hidden part of the file ``a``), and devices with any suffix.
NOT_ON_WINDOWS = re.compile(r'[<>:"|?*\x00-\x1f]')
DEVICE = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(?=\s*(\.|$))", re.IGNORECASE)
#: ``keep`` writes JPEG, PNG and WebP photos in their own format, HEIC as JPEG, all others as PNG.
Format = Literal["keep", "jpg", "png"]


class Names(Protocol):
    """A set of names."""

    def __contains__(self, name: object, /) -> bool: ...

    def add(self, name: str, /) -> None: ...


class UniqueNames:
    """Assigns output names that every system can have, unique even on case-insensitive file systems."""

    def __init__(self, taken: Iterable[str] | Names = ()) -> None:
        """``taken`` are names, or a set to which the names assigned are added, in casefolded form."""
        self._taken = {name.casefold() for name in taken} if isinstance(taken, Iterable) else taken
        self._numbers = dict[str, int]()  # the last one given to each wanted name that was taken

    def assign(self, photo: str, suffix: str, previous: str = "") -> tuple[str, str]:
        """Return the name assigned to the painting of a photo, and the name it would have if that were free.

        A ``previous`` name of the same format is assigned again.
        """
        if PurePosixPath(previous).suffix == suffix:
            return previous, previous
        parts = [_portable(part) for part in photo.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        path = PurePosixPath(*filter(None, parts)) if any(parts) else PurePosixPath("picture")
        stem = path.with_suffix("") if _is_image_suffix(path.suffix) else path
        wanted = name = f"{stem}{suffix}"
        number = self._numbers.get(wanted.casefold(), 1)
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem}-{number}{suffix}"
        if number > 1:
            self._numbers[wanted.casefold()] = number
        self._taken.add(name.casefold())
        return name, wanted


def output_suffix(photo: str, decoded_format: str, format: Format) -> str:
    """Return the file suffix of a painting, from the photo's name and the format it was decoded from."""
    suffix = PurePosixPath(photo).suffix
    if format != "keep":
        return f".{format}"
    if suffix.lower() in MAX_SIDE:
        return suffix
    if suffix.lower() in CAMERA:
        return ".jpg"
    return ".png" if _is_image_suffix(suffix) else {"JPEG": ".jpg", "WEBP": ".webp"}.get(decoded_format, ".png")


def _portable(part: str) -> str:
    """Return a name of a file or folder as Windows allows it: nothing is left of one that has only dots and spaces."""
    return DEVICE.sub(r"\1_", NOT_ON_WINDOWS.sub("_", part).rstrip(". "))


def _is_image_suffix(suffix: str) -> bool:
    """Whether it is the suffix of an image format; any other text behind a dot belongs to the name."""
    return suffix.lower() in MAX_SIDE or suffix.lower() in image_suffixes()
