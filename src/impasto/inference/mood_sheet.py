"""A photo in every mood of a style, on one sheet."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from impasto.config.types import Pixels
from impasto.data.image_grid import tile
from impasto.inference.coarse_to_fine import resized
from impasto.inference.options import DEFAULT, PaintOptions
from impasto.inference.translator import Painter

#: A photo is as large on the sheet as a square of that side, with so many pixels under it for the number.
SIDE, CAPTION = 128, 14


@torch.inference_mode()
def mood_sheet(
    painter: Painter,
    photo: Pixels,
    manner: PaintOptions = DEFAULT,
    progress: Callable[[int, int | None], object] | None = None,
) -> Image.Image:
    """A photo, uint8 (H, W, 3), painted small in each mood, else in that manner, with its number under it; ``progress``
    is told how many are done, and of how many.

    Raises ImpastoError if the style has no moods.
    """
    painter.require_moods()
    height, width, _ = photo.shape
    scale = SIDE / math.sqrt(height * width)
    (small,) = resized(photo[None], *(max(round(side * scale), 1) for side in (height, width)))
    cells = []
    for number in range(painter.moods):
        (painting,) = painter.paint_pixels(small[None], replace(manner, mood=painter.mood(number)))
        cells.append(_captioned(painting, str(number)))
        if progress is not None:
            progress(number + 1, painter.moods)
    return tile(np.stack(cells), columns=math.ceil(math.sqrt(len(cells) * cells[0].shape[0] / cells[0].shape[1])))


def _captioned(picture: Pixels, text: str) -> Pixels:
    height, width, _ = picture.shape
    cell = Image.new("RGB", (width, height + CAPTION), "white")
    cell.paste(Image.fromarray(picture))
    ImageDraw.Draw(cell).text((2, height + 1), text, fill="black", font=ImageFont.load_default(11))
    return np.asarray(cell)
