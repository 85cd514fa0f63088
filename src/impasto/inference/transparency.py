"""Transparency of photos, kept in their paintings."""

import numpy as np
from PIL import Image

from impasto.config.types import Pixels

#: Rows that are computed at a time.
BAND = 256


def with_alpha(painting: Pixels, alpha: Image.Image) -> Image.Image:
    """Return the painting of a photo over white, (H, W, 3), with the photo's alpha channel: RGBA.

    Over white it looks as ``painting`` does, but for colours that are too dark for their alpha. With the channel alone
    edges would have a white fringe.
    """
    opacity = np.asarray(alpha)
    image = np.dstack([painting, opacity])
    for top in range(0, len(image), BAND):
        band, share = image[top : top + BAND], opacity[top : top + BAND].astype(np.float32)[..., None] / 255
        darkness = (255 - band[..., :3].astype(np.float32)) / np.maximum(share, 1 / 255)
        # Where nothing is seen, the painting itself is smoother than its quotient.
        band[..., :3] = np.where(share > 0, np.rint(255 - darkness.clip(0, 255)), band[..., :3])
    return Image.fromarray(image)
