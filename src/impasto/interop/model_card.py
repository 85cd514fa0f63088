"""Model card and preview image of a style on the Hugging Face Hub."""

import re
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
from impasto.inference.load import for_task
from impasto.inference.photo import side_by_side
from impasto.inference.sampler import Sampler
from impasto.reports.styles import describe
from impasto.style import Card, Style

#: Side of each photo in the preview, in pixels, and number of generated images in it.
SIDE, COUNT = 320, 16
#: Longest name of a license that is not an identifier, in characters; the text itself is in the description.
MAX_LICENSE_NAME = 60


def model_card(card: Card, repository: str, *, known_license: bool = True) -> str:
    """Return the README.md of a style in that repository: front matter, description, commands and scores.

    A license that is no identifier, or not one that the Hub knows (``known_license=False``), is named as "other".
    """
    name = repository.rpartition("/")[2]
    recipe = Recipe.of(card.recipe)
    front: dict[str, Any] = {
        "library_name": "impasto",
        "pipeline_tag": "image-to-image" if recipe.translates else "unconditional-image-generation",
        "tags": ["impasto", "gan", "painting"],
    }
    if card.license:
        front |= _license(card.license, known_license)
    if not recipe.translates:
        command = f"impasto generate {name} --count 16 --out paintings"
    elif recipe.target == "paintings":
        command = f"impasto paint photo.jpg --style {name} --out painted"
    else:
        command = f"impasto paint painting.jpg --style {name} --out photos"
    about = "\n".join(f"- {line}" for line in describe(card) if line)
    trained = (
        f"Imported from `{card.imported}`; its training is unknown."
        if card.imported is not None
        else f"{card.steps:,} steps of the recipe `{recipe.name}`, {card.pictures:,} images shown, seed {card.seed}, "
        f"{card.created[:10]}, impasto {card.impasto}. All settings are in the file."
    )
    return f"""---
{yaml.safe_dump(front, sort_keys=False)}---

# {name}

A style for [impasto](https://huggingface.co/models?library=impasto): {card.domains}.

![Samples](paintings.jpg)

```sh
impasto pull {repository}
{command}
```

{about}

Scores of different feature extractors or sample sizes are not comparable.

## Training

{trained}
"""


def _license(text: str, known: bool) -> dict[str, str]:
    identifier = text.lower()
    if known and re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", identifier):
        return {"license": identifier}
    words = re.findall(r"[a-z0-9.]+", identifier)
    return {"license": "other", "license_name": "-".join(words)[:MAX_LICENSE_NAME] or "unnamed"}


def preview(style: Style) -> Image.Image:
    """Return a grid of samples: photos or paintings of the bundled sample, each with its translation to the right, or
    images generated from noise."""
    pipeline = for_task(style, choose_device("auto"))
    if isinstance(pipeline, Sampler):
        return tile(np.stack(list(pipeline.stream(COUNT))))
    with open_source("sample:photos" if style.recipe.target == "paintings" else "sample:paintings") as source:
        photos = [decode(entry.read()).image for entry in islice(source.entries(), 4)]
    squares = (np.asarray(photo.resize((SIDE, SIDE), box=_square(photo))) for photo in photos)
    pairs = [side_by_side(photo, pipeline.paint_pixels(photo[None])[0]) for photo in squares]
    return tile(np.stack(pairs), columns=2)


def _square(image: Image.Image) -> tuple[int, int, int, int]:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return left, top, left + side, top + side
