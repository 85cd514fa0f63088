"""Contact sheet of one photo in every mood of a style."""

import math
from dataclasses import replace

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from impasto.config.types import Pixels, Progress
from impasto.data.image_grid import tile
from impasto.inference.options import DEFAULT, PaintOptions
from impasto.inference.resample import resize
from impasto.inference.translator import Translator

#: A photo has the area of a square of this side, and a caption of so many pixels below it.
SIDE, CAPTION = 128, 14


@torch.inference_mode()
def mood_sheet(
    translator: Translator, photo: Pixels, options: PaintOptions = DEFAULT, progress: Progress | None = None
) -> Image.Image:
    """Paint a photo, uint8 (H, W, 3), small in each mood, with the mood's number below.

    Raises ImpastoError if the style has no moods.
    """
    translator.require_moods()
    height, width, _ = photo.shape
    scale = SIDE / math.sqrt(height * width)
    (small,) = resize(photo[None], *(max(round(side * scale), 1) for side in (height, width)))
    cells = []
    for number in range(translator.moods):
        (painting,) = translator.paint_pixels(small[None], replace(options, mood=translator.mood(number)))
        cells.append(_captioned(painting, str(number)))
        if progress is not None:
            progress(number + 1, translator.moods)
    return tile(np.stack(cells), columns=math.ceil(math.sqrt(len(cells) * cells[0].shape[0] / cells[0].shape[1])))


def _captioned(picture: Pixels, text: str) -> Pixels:
    height, width, _ = picture.shape
    cell = Image.new("RGB", (width, height + CAPTION), "white")
    cell.paste(Image.fromarray(picture))
    ImageDraw.Draw(cell).text((2, height + 1), text, fill="black", font=ImageFont.load_default(11))
    return np.asarray(cell)
