"""Model card and preview image of a style on the Hugging Face Hub."""

import base64
import io
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from impasto.config.recipe import Recipe
from impasto.data.decode import decode
from impasto.data.image_grid import tile
from impasto.data.sources import open_source
from impasto.device import choose_device
from impasto.hub_errors import REPOSITORY
from impasto.inference.load import for_task
from impasto.inference.photo import side_by_side
from impasto.inference.sampler import Sampler
from impasto.metrics.results import Value
from impasto.reports.styles import describe
from impasto.style import Card, Style

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

#: Side of each photo in the preview, in pixels, and number of generated images in it.
SIDE, COUNT = 320, 16
#: Side and quality of the thumbnail in the file's header: some 10 KB.
THUMBNAIL, QUALITY = 192, 75
#: The file of the preview.
PREVIEW = "paintings.jpg"
#: The file of a license that is no identifier.
LICENSE = "LICENSE"
#: Longest name of a license that is not an identifier, in characters; the text itself is in the description.
MAX_LICENSE_NAME = 60


def model_card(card: Card, repository: str, *, known_license: bool = True) -> str:
    """Return the README.md of a style in that repository: front matter, description, commands and scores.

    A license that is no identifier, or not one that the Hub knows (``known_license=False``), is named as "other".
    """
    from huggingface_hub import ModelCardData

    name = repository.rpartition("/")[2]
    recipe = Recipe.of(card.recipe, recorded=True)
    results = list(_results(card))
    front = ModelCardData(
        library_name="impasto",
        pipeline_tag=_task(card),
        tags=["impasto", "gan", "painting"],
        datasets=_datasets(card.target_data, card.source_data or {}) or None,
        base_model=card.start if card.start and REPOSITORY.fullmatch(card.start) else None,
        metrics=list(dict.fromkeys(each.metric_type for each in results)) or None,
        model_name=name,
        eval_results=results or None,
        widget=[{"text": card.domains, "output": {"url": PREVIEW}}],
        **_license(card.license, known_license),
    )
    if not recipe.translates:
        command = f"impasto generate {repository} --count 16 --out paintings"
    elif card.source == "paintings":
        command = f"impasto paint painting.jpg --style {repository} --out photos"
    else:
        command = f"impasto paint photo.jpg --style {repository} --out painted"
    about = "\n".join(f"- {line}" for line in describe(card) if line)
    trained = (
        f"Imported from `{card.imported}`; its training is unknown."
        if card.imported is not None
        else f"{card.steps:,} steps of the recipe `{recipe.name}`, {card.pictures:,} images shown, seed {card.seed}, "
        f"{card.created[:10]}, impasto {card.impasto}. All settings are in the file."
    )
    return f"""---
{front.to_yaml()}
---

# {name}

A style for [impasto](https://huggingface.co/models?library=impasto): {card.domains}.

![Samples]({PREVIEW})

```sh
{command}
```

{about}

Scores of different feature extractors or sample sizes are not comparable.

## Training

{trained}
"""


def _task(card: Card) -> str:
    return "image-to-image" if card.task == "translation" else "unconditional-image-generation"


def _license(text: str, known: bool) -> dict[str, Any]:
    """Return the fields of a license: an identifier, which a remark may follow, or the name of one and a link to it."""
    if not text:
        return {}
    identifier = text.partition(";")[0].strip().lower()
    if known and re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", identifier):
        return {"license": identifier}
    words = re.findall(r"[a-z0-9.]+", text.lower())
    address = re.search(r"https?://[^\s;,()]+", text)
    return {
        "license": "other",
        "license_name": "-".join(words)[:MAX_LICENSE_NAME] or "unnamed",
        "license_link": address[0] if address else LICENSE,
    }


def _datasets(*data: dict[str, Any]) -> list[str]:
    """Return which of a style's data sets are on the Hub, by name."""
    specs = [str(each.get("spec", "")) for each in data]
    names = [re.split("[@#]", spec.removeprefix("hf:"))[0] for spec in specs if spec.startswith("hf:")]
    return ["/".join(name.split("/")[:2]) for name in names]


def _results(card: Card) -> "Iterator[EvalResult]":
    """Yield the results of a card as the Hub describes them."""
    from huggingface_hub import EvalResult

    named = PurePath(str(card.target_data.get("spec", ""))).name  # without the folder, which is nobody's business
    dataset = next(iter(_datasets(card.target_data)), _slug(named or card.target))

    def result(metric: str, name: str, value: Value) -> EvalResult:
        rounded = float(f"{value.value:.6g}")
        return EvalResult(_task(card), dataset, card.target, metric, rounded, metric_name=name)

    for scores in card.scores:
        for name, value in scores.values.items():
            label = scores.label(name)
            yield result(_slug(label.partition("[")[0]), f"{label} {scores.counts}", value)
    if card.content is not None:
        for name, value in card.content.values.items():
            yield result(_slug(name.partition("[")[0]), f"{name} of {card.content.pairs:,} photos", value)


def _slug(text: str) -> str:
    """Return a text as an identifier of the Hub."""
    return "-".join(re.findall(r"[a-z0-9_.]+", text.lower())) or "unnamed"


def thumbnail(samples: Image.Image) -> dict[str, str]:
    """Return a small square of an image of samples, as ModelSpec stores it in the header of a file."""
    data = io.BytesIO()
    square = ImageOps.fit(samples.convert("RGB"), (THUMBNAIL, THUMBNAIL))
    square.save(data, "JPEG", quality=QUALITY, optimize=True)
    return {"modelspec.thumbnail": f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"}


def preview(style: Style) -> Image.Image:
    """Return a grid of samples: photos or paintings of the bundled sample, each with its translation to the right, or
    images generated from noise."""
    pipeline = for_task(style, choose_device("auto"))
    if isinstance(pipeline, Sampler):
        return tile(np.stack(list(pipeline.stream(COUNT))))
    with open_source("sample:paintings" if style.card.source == "paintings" else "sample:photos") as source:
        photos = [decode(entry.read()).image for entry in islice(source.entries(), 4)]
    squares = (np.asarray(photo.resize((SIDE, SIDE), box=_square(photo))) for photo in photos)
    pairs = [side_by_side(photo, pipeline.paint_pixels(photo[None])[0]) for photo in squares]
    return tile(np.stack(pairs), columns=2)


def _square(image: Image.Image) -> tuple[int, int, int, int]:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return left, top, left + side, top + side
