"""What a repository of models says of a style."""

from itertools import islice
from typing import Any

import numpy as np
import yaml
from PIL import Image

from impasto.config.recipe import Recipe
from impasto.data.decode import decode
from impasto.data.image_grid import tile
from impasto.data.sources import open_source
from impasto.device import choose_device
from impasto.inference.photo import beside
from impasto.inference.translator import Painter
from impasto.reports.styles import describe
from impasto.style import Card, Style

#: Side of the photos in the picture, in pixels, and how many paintings out of nothing are in it.
SIDE, COUNT = 320, 16


def model_card(card: Card, repository: str) -> str:
    """README.md of a style in that repository: its front matter, what it is, how to paint with it, its scores."""
    name = repository.rpartition("/")[2]
    recipe = Recipe.of(card.recipe)
    front: dict[str, Any] = {
        "library_name": "impasto",
        "pipeline_tag": "image-to-image" if recipe.translates else "unconditional-image-generation",
        "tags": ["impasto", "gan", "painting"],
    }
    if card.license:
        front["license"] = card.license.lower()
    if not recipe.translates:
        command = f"impasto generate {name} --count 16 --out paintings"
    elif recipe.target == "paintings":
        command = f"impasto paint photo.jpg --style {name} --out painted"
    else:
        command = f"impasto paint painting.jpg --style {name} --out photos"
    about = "\n".join(f"- {line}" for line in describe(card) if line)
    trained = (
        f"It was imported from `{card.imported}`; how it was trained is not known."
        if card.imported is not None
        else f"{card.steps:,} steps of the recipe `{recipe.name}`, {card.pictures:,} pictures shown, seed {card.seed}, "
        f"{card.created[:10]}, impasto {card.impasto}. All settings are in the file."
    )
    return f"""---
{yaml.safe_dump(front, sort_keys=False)}---

# {name}

A style of impasto: {card.domains}.

![What it paints](paintings.jpg)

```sh
impasto pull {repository}
{command}
```

{about}

Scores through different networks, or of different numbers of pictures, do not compare.

## Training

{trained}
"""


def picture(style: Style) -> Image.Image:
    """What a style makes: of photos or paintings of the sample, to the right of each, or from noise."""
    painter = Painter(style, choose_device("auto"))
    if not style.recipe.translates:
        return tile(np.stack(list(painter.stream(COUNT))))
    with open_source("sample:photos" if style.recipe.target == "paintings" else "sample:paintings") as source:
        photos = [decode(entry.read()).image for entry in islice(source.entries(), 4)]
    squares = (np.asarray(photo.resize((SIDE, SIDE), box=_square(photo))) for photo in photos)
    pairs = [beside(photo, painter.paint_pixels(photo[None])[0]) for photo in squares]
    return tile(np.stack(pairs), columns=2)


def _square(image: Image.Image) -> tuple[int, int, int, int]:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return left, top, left + side, top + side
