"""Descriptions of styles, from their cards."""

import contextlib
import shlex
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto import notebook
from impasto.config import bundled_recipes
from impasto.config.recipe import Recipe
from impasto.errors import MALFORMED, ImpastoError
from impasto.inference.pipeline import Pipeline
from impasto.metrics.formatting import format_number, format_value
from impasto.metrics.results import DECIDING_METRIC, Scores
from impasto.style import Card, Style

if TYPE_CHECKING:
    from PIL.Image import Image

#: Examples in a notebook: images from noise, and pairs of a bundled image and its translation, of that side in pixels.
SAMPLES, PAIRS, SIDE = 8, 3, 192


def describe_file(path: Path) -> list[str]:
    """Describe a style file in lines: by its card, or by what is wrong with it."""
    try:
        return describe(Card.load(path), path.stat().st_size)
    except (ImpastoError, OSError, *MALFORMED) as error:
        return [_damage(path, error)]


def style_record(path: Path) -> dict[str, Any]:
    """Return a style file as a record: its path, size in bytes and card; or what is wrong with it."""
    try:
        card = Card.load(path)
        command = None if card.imported is not None else training_command(card)
        return {"path": path, "bytes": path.stat().st_size, "card": card, "train": command}
    except (ImpastoError, OSError, *MALFORMED) as error:
        return {"path": path, "error": _damage(path, error)}


def _damage(path: Path, error: Exception) -> str:
    return str(error) if isinstance(error, ImpastoError) else f"{path} is damaged: its card is incomplete."


def describe(card: Card, size: int | None = None) -> list[str]:
    """Describe a style's card in lines; ``size``: bytes of its file."""
    lines = [
        _origin(card),
        *(_score(each) for each in card.scores),
        *(f"reverse direction (--reverse): {_score(each)}" for each in card.scores_reverse),
    ]
    if card.content is not None:
        values = ", ".join(f"{name} {format_value(value)}" for name, value in card.content.values.items())
        lines.append(f"content preservation: {values} ({card.content.pairs:,} photos)")
    if card.checkerboard is not None:
        reals = format_number(card.checkerboard.floor or 0)
        lines.append(f"checkerboard artefacts {format_value(card.checkerboard)} dB (reals: {reals} dB)")
    about = [card.license] if card.license else []
    if size is not None:
        about.append(f"{size / 1e6:.1f} MB")
    lines += [", ".join(about)] if about else []
    command = None if card.imported is not None else training_command(card)
    return lines if command is None else [*lines, command]


def training_command(card: Card) -> str | None:
    """Return the command that trains such a style; None if the bundled recipe of its name has changed since."""
    recipe, name, changes = Recipe.of(card.recipe, recorded=True), f"{card.recipe['name']}.yaml", list[str]()
    if recipe.name in bundled_recipes():
        name, changes = recipe.name, recipe.changes()
        if not _reproduces(changes, recipe):
            return None
    paintings, photos = card.target_data, card.source_data
    if photos is not None and card.source == "paintings":
        paintings, photos = photos, paintings
    words = ["impasto", "train", name]
    words += ["--from", card.start] if card.start is not None else []
    words += ["--paintings", paintings["spec"]]
    words += ["--photos", photos["spec"]] if photos is not None else []
    words += [part for change in changes for part in ("--set", change)]
    words += ["--crop-frames"] if paintings.get("crop_frames") else []
    words += ["--seed", str(card.seed)] if card.seed else []
    return shlex.join([*words, "--budget", card.plan or card.budget or f"{card.steps}steps", "--out", "run"])


def _reproduces(changes: Sequence[str], recipe: Recipe) -> bool:
    """Whether these changes to the bundled recipe of that name give this recipe."""
    with contextlib.suppress(ImpastoError):
        made = Recipe.load(recipe.name).replace(changes)
        return made.model_copy(update={"tune": {}}) == recipe.model_copy(update={"tune": {}})
    return False


def _score(scores: Scores) -> str:
    return f"{scores.label(DECIDING_METRIC)} {format_value(scores.values[DECIDING_METRIC])} ({scores.counts})"


def _origin(card: Card) -> str:
    if card.imported is not None:
        return f"{card.domains}, {card.recipe['generator']['network']} generator imported from {card.imported}"
    return (
        f"{card.domains}, recipe {card.recipe['name']}, {card.recipe['size']}×{card.recipe['size']}, trained on "
        f"{_images(card)} for {_time(card.seconds)}"
    )


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _images(card: Card) -> str:
    if card.source_data is None:
        return f"{_trained_on(card.target_data):,} images"
    counts = [f"{_trained_on(card.target_data):,}", f"{_trained_on(card.source_data):,}"]
    paintings, photos = counts if card.target == "paintings" else reversed(counts)
    return f"{paintings} paintings and {photos} photos"


def _trained_on(source: dict[str, Any]) -> int:
    """Return the number of training images: all but the held-out ones."""
    return int(source["pictures"]) - int(source.get("heldout", 0))


@notebook.html.register
def _style_html(style: Style) -> str:
    return notebook.section(f"Style: {style.card.domains}", _description(style.card))


@notebook.html.register
def _pipeline_html(pipeline: Pipeline) -> str:
    """Return the style with examples, which are made for it."""
    examples = _examples(pipeline)
    shown = [] if examples is None else [notebook.picture(examples, f"Examples: {pipeline.card.domains}")]
    return notebook.section(f"Style: {pipeline.card.domains}", *shown, _description(pipeline.card))


def _description(card: Card) -> str:
    lines, command = describe(card), None if card.imported is not None else training_command(card)
    if command is None:
        return notebook.paragraphs(*lines)
    return notebook.paragraphs(*lines[:-1]) + notebook.code(command)


def _examples(pipeline: Pipeline) -> "Image | None":
    """Return images from noise, or translations of bundled images; None if none are bundled of the source domain."""
    import numpy as np

    from impasto.data.image_grid import tile
    from impasto.data.preprocess import Square, decode_squares
    from impasto.data.sources import open_source
    from impasto.inference.sampler import Sampler
    from impasto.inference.translator import Translator
    from impasto.reports.pairs import make_pairs, pair_grid

    if isinstance(pipeline, Sampler):
        grid = tile(np.stack(list(pipeline.stream(SAMPLES))), columns=SAMPLES)
        grid.thumbnail((SAMPLES * SIDE // 2, SIDE))
        return grid
    if not isinstance(pipeline, Translator) or pipeline.card.source not in ("photos", "paintings"):
        return None
    with open_source(f"sample:{pipeline.card.source}") as source:
        squares = (each for each in decode_squares(source.entries(), SIDE) if isinstance(each, Square))
        sources = np.stack([each.pixels for each in islice(squares, PAIRS)])
    return pair_grid(make_pairs(sources, pipeline.paint_pixels(sources)), columns=PAIRS)
