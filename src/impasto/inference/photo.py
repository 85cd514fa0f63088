"""Open single photos. Pixels are uint8 (H, W, 3), RGB."""

from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from impasto.config.types import Pixels
from impasto.data.decode import decode, upright
from impasto.data.entry import File, UnreadableError, open_regular
from impasto.errors import ImpastoError
from impasto.files import user_path

#: Rows of an image that are converted at a time.
BAND = 256


class TooLargeError(ImpastoError):
    """An image that is too large for the memory, or for the file format it is written in."""


def open_photo(photo: str | Path | Image.Image) -> Pixels:
    """Return the pixels of a file or a Pillow image: upright, sRGB, transparency over white.

    Raises ImpastoError if it cannot be read as an image.
    """
    try:
        if isinstance(photo, Image.Image):
            return pixels(upright(photo))
        path = user_path(photo)
        return pixels(decode(File(path.name, partial(open_regular, path)).read()).image)
    except UnreadableError as reason:
        name = "The image" if isinstance(photo, Image.Image) else photo
        raise ImpastoError(f"{name} cannot be painted: {reason}.") from reason


def pixels(image: Image.Image) -> Pixels:
    """Return the pixels of an RGB image, converted in bands: for a whole image Pillow makes two temporary copies."""
    converted = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, BAND):
        bottom = min(top + BAND, image.height)
        converted[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return converted


def is_animated(file: Path | IO[bytes]) -> bool:
    """Return whether a file is an image of several frames."""
    try:
        with Image.open(file) as image:
            return bool(getattr(image, "is_animated", False))
    except Exception:  # decoders raise anything on damaged bytes; as a photo, it is reported
        return False


def side_by_side(photo: Pixels, painting: Pixels) -> Pixels:
    """Return the photo on the left and its painting on the right: (H, 2W, 3)."""
    return np.concatenate([photo, painting], axis=1)
