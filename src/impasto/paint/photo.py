"""One photo: opened, put beside its painting. Pixels are uint8 (H, W, 3), RGB."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.data.decode import decode, upright
from impasto.data.entry import File, Unreadable
from impasto.errors import ImpastoError

Pixels = NDArray[np.uint8]


class TooLargeError(ImpastoError):
    """A picture that is too large for the memory, or for the kind of file that it is to be written as."""


def open_photo(photo: str | Path | Image.Image) -> Pixels:
    """The pixels of a file or a Pillow image: upright, sRGB, over white where it is see-through.

    Raises ImpastoError where there is no picture.
    """
    try:
        if isinstance(photo, Image.Image):
            return np.asarray(upright(photo))
        path = Path(photo).expanduser()
        return np.asarray(decode(File(path.name, lambda: path.open("rb")).read()).image)
    except Unreadable as reason:
        name = "The picture" if isinstance(photo, Image.Image) else photo
        raise ImpastoError(f"{name} cannot be painted: {reason}.") from reason


def beside(photo: Pixels, painting: Pixels) -> Pixels:
    """The photo on the left and its painting on the right: (H, 2W, 3)."""
    return np.concatenate([photo, painting], axis=1)
