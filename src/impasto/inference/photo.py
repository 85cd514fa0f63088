"""One photo: opened, put beside its painting. Pixels are uint8 (H, W, 3), RGB."""

from pathlib import Path

import numpy as np
from PIL import Image

from impasto.config.types import Pixels
from impasto.data.decode import decode, upright
from impasto.data.entry import File, Unreadable
from impasto.errors import ImpastoError

#: Rows of an image that are handed over at a time.
BAND = 256


class TooLargeError(ImpastoError):
    """A picture that is too large for the memory, or for the kind of file that it is to be written as."""


def open_photo(photo: str | Path | Image.Image) -> Pixels:
    """The pixels of a file or a Pillow image: upright, sRGB, over white where it is see-through.

    Raises ImpastoError where there is no picture.
    """
    try:
        if isinstance(photo, Image.Image):
            return pixels(upright(photo))
        path = Path(photo).expanduser()
        return pixels(decode(File(path.name, lambda: path.open("rb")).read()).image)
    except Unreadable as reason:
        name = "The picture" if isinstance(photo, Image.Image) else photo
        raise ImpastoError(f"{name} cannot be painted: {reason}.") from reason


def pixels(image: Image.Image) -> Pixels:
    """The pixels of an RGB image: band by band, as Pillow makes two copies of what it hands over at once."""
    found = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, BAND):
        bottom = min(top + BAND, image.height)
        found[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return found


def beside(photo: Pixels, painting: Pixels) -> Pixels:
    """The photo on the left and its painting on the right: (H, 2W, 3)."""
    return np.concatenate([photo, painting], axis=1)
