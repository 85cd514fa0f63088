"""The style of a training: its averaged generators, with a card."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

from impasto.data.places import is_address
from impasto.metrics.candidates import Candidate
from impasto.style import Card, Style
from impasto.training.run_dir import RunDir
from impasto.training.state import TrainingState

#: Data sets whose names everybody may know.
PUBLIC = ("sample:", "kaggle:", "hf:")


def trained_style(run: RunDir, state: TrainingState, seconds: float, candidate: Candidate | None) -> Style:
    """Return the style of ``run`` as it is now, after ``seconds`` of training; ``candidate``: its own scores, if it has
    been scored."""
    facts, recipe = run.facts, state.recipe
    target, source = facts["paintings"], facts.get("photos")
    if recipe.target != "paintings":
        target, source = source, target
    card = Card(
        task="translation" if recipe.translates else "generation",
        source=recipe.source,
        target=recipe.target,
        recipe=recipe.values(),
        target_data=_without_folder(target),
        source_data=None if source is None else _without_folder(source),
        start=_named(facts["start"]) if facts.get("start") is not None else None,
        steps=state.step,
        pictures=state.step * recipe.batch,
        seconds=round(seconds, 1),
        seed=facts["seed"],
        budget=facts["budget"],
        plan=facts.get("plan") or "",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        impasto=facts["impasto"],
        scores=[candidate.scores] if candidate else [],
        choice=candidate.as_choice(state.step) if candidate else None,
        license=facts["license"],
    )
    return Style(state.ema.network, card, None if state.ema_reverse is None else state.ema_reverse.network)


def _without_folder(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a data set without the folder or the address that it lies at, which may be confidential."""
    spec = str(source["spec"])
    if not spec.startswith(PUBLIC):
        spec = PurePath(urlsplit(spec).path if is_address(spec) else spec).name
    return {**source, "spec": spec}


def _named(start: str) -> str:
    """Return the name of a bundled style or of one on the Hub, or of a file or folder without its place."""
    return Path(start).name if Path(start).is_absolute() else start
