"""The transparency of photos in their paintings."""

import numpy as np
from PIL import Image

from impasto.inference.transparency import BAND, with_alpha


def test_over_white_the_result_is_the_painting_without_a_fringe() -> None:
    height, width = BAND + 3, 256
    alpha = np.broadcast_to(np.arange(width, dtype=np.uint8), (height, width))
    colour = np.array([200, 60, 90], np.float32)
    share = alpha[..., None].astype(np.float32) / 255
    painting = np.rint(share * colour + (1 - share) * 255).astype(np.uint8)  # of a photo over white
    image = with_alpha(painting, Image.fromarray(alpha.copy()))
    assert image.mode == "RGBA" and np.array_equal(np.asarray(image)[..., 3], alpha)
    shown = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    assert np.abs(np.asarray(shown).astype(int) - painting).max() <= 1
    clear = np.asarray(image)[:, 64:, :3].astype(int)
    assert np.abs(clear - colour).max() <= 2, "the colour itself, not one mixed with white"


def test_where_nothing_is_seen_the_painting_stays() -> None:
    painting = np.full((2, 2, 3), 130, np.uint8)
    image = with_alpha(painting, Image.new("L", (2, 2), 0))
    assert np.array_equal(np.asarray(image)[..., :3], painting)
