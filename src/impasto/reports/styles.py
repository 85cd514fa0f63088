"""What a style says of itself, for a person."""

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from impasto.config.recipe import Recipe, bundled_recipes
from impasto.errors import ImpastoError
from impasto.metrics.results import Scores
from impasto.reports.evaluation_text import measured, number
from impasto.style import Card, available_styles


def list_styles() -> Iterator[tuple[str, list[str]]]:
    """The styles that are at hand: their names, and what is to be said of each."""
    for name, path in available_styles().items():
        try:
            yield name, describe(Card.load(path), path.stat().st_size)
        except (ImpastoError, KeyError) as error:
            reason = error if isinstance(error, ImpastoError) else f"{path} says too little of itself: it is damaged."
            yield name, [str(reason)]


def describe(card: Card, size: int | None = None) -> list[str]:
    """A style's card as lines; ``size`` are the bytes of its file."""
    lines = [
        _origin(card),
        *(_kid(each) for each in card.scores),
        *(f"in the reverse direction (--reverse): {_kid(each)}" for each in card.scores_reverse),
    ]
    if card.content is not None:
        kept = ", ".join(f"{name} {measured(value)}" for name, value in card.content.values.items())
        lines.append(f"content kept: {kept} ({card.content.pairs:,} photos)")
    if card.checkerboard is not None:
        lines.append(
            f"checkerboard {measured(card.checkerboard)} dB, where the paintings have {number(card.checkerboard.floor or 0)}"
        )
    about = [card.license] if card.license else []
    if size is not None:
        about.append(f"{size / 1e6:.1f} MB")
    lines += [", ".join(about)] if about else []
    again = None if card.imported is not None else command(card)
    return lines if again is None else [*lines, again]


def command(card: Card) -> str | None:
    """What trains such a style again; None if the recipe of its name is another today, which no settings make of it."""
    recipe, name, changes = Recipe.of(card.recipe), f"{card.recipe['name']}.yaml", list[str]()
    if recipe.name in bundled_recipes():
        name, changes = recipe.name, recipe.changes()
        if not _made_by(changes, recipe):
            return None
    paintings, photos = card.target_data, card.source_data
    if photos is not None and recipe.target != "paintings":
        paintings, photos = photos, paintings
    words = ["impasto", "train", name]
    words += ["--from", card.start] if card.start is not None else []
    words += ["--paintings", paintings["spec"]]
    words += ["--photos", photos["spec"]] if photos is not None else []
    words += [part for change in changes for part in ("--set", change)]
    words += ["--crop-frames"] if paintings.get("crop_frames") else []
    words += ["--seed", str(card.seed)] if card.seed else []
    return shlex.join([*words, "--budget", card.budget or f"{card.steps}steps", "--out", "run"])


def _made_by(changes: Sequence[str], recipe: Recipe) -> bool:
    """Whether these changes make this recipe of the bundled_recipes one of its name."""
    with contextlib.suppress(ImpastoError):
        made = Recipe.load(recipe.name).replace(changes)
        return made.model_copy(update={"tune": {}}) == recipe.model_copy(update={"tune": {}})
    return False


def _kid(scores: Scores) -> str:
    return f"{scores.label('KID')} {measured(scores.values['KID'])} ({scores.counts})"


def _origin(card: Card) -> str:
    if card.imported is not None:
        return f"{card.domains}, imported from {card.imported}: a {card.recipe['generator']['network']} of another tool"
    return (
        f"{card.domains}, learned at {card.recipe['size']}×{card.recipe['size']} from {_pictures(card)} "
        f"by {card.recipe['name']} in {_time(card.seconds)}"
    )


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _pictures(card: Card) -> str:
    if card.source_data is None:
        return f"{_learned(card.target_data):,} pictures"
    counts = [f"{_learned(card.target_data):,}", f"{_learned(card.source_data):,}"]
    paintings, photos = counts if card.target == "paintings" else reversed(counts)
    return f"{paintings} paintings and {photos} photos"


def _learned(source: dict[str, Any]) -> int:
    """Of a source's pictures, those that were not held out."""
    return int(source["pictures"]) - int(source.get("heldout", 0))
