"""Objectives of a study: numbers of an evaluation, lower is better."""

from collections.abc import Callable, Sequence

from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.metrics.content_preservation import smallest_side
from impasto.metrics.results import DECIDING_METRIC, Evaluation

#: Appended to the label of a score against held-out images.
HELDOUT = " held-out"

#: Each objective: the label of its measure in an evaluation of the recipe's images.
OBJECTIVES: dict[str, Callable[[Recipe], str]] = {
    "score": lambda recipe: f"{DECIDING_METRIC}[{recipe.scoring_network}]",
    "content": lambda recipe: "ST-LPIPS[vgg16]",
}


def require_objectives(names: Sequence[str], recipe: Recipe) -> None:
    """Raise ImpastoError for objectives that are unknown, given twice, or undefined for the recipe."""
    available = " and ".join(OBJECTIVES)
    unknown = [name for name in names if name not in OBJECTIVES]
    if unknown:
        raise ImpastoError(f"There is no objective '{unknown[0]}': choose from {available}.")
    if not names or len(set(names)) < len(names):
        raise ImpastoError(f"Give at least one objective, and each once: {available}.")
    if "content" in names and not recipe.translates:
        raise ImpastoError(f"{recipe.name} generates from noise: the objective 'content' needs photos to compare with.")
    if "content" in names and recipe.size < smallest_side():
        raise ImpastoError(f"size = {recipe.size}: the objective 'content' needs {smallest_side()} pixels at least.")


def objective_labels(names: Sequence[str], recipe: Recipe, unseen: bool = False) -> list[str]:
    """Return the label of each objective's measure, such as ``KID[efficientnet-lite0]``; ``unseen``: the score is that
    against held-out images."""
    labels = {name: OBJECTIVES[name](recipe) for name in names}
    return [f"{label}{HELDOUT}" if unseen and name == "score" else label for name, label in labels.items()]


def objective_values(evaluation: Evaluation, labels: Sequence[str]) -> list[float]:
    """Return the objectives of an evaluation, whose first scores are those of the recipe's scoring network.

    Raises:
        ImpastoError: it was not scored against held-out images, and they decide.
    """
    values = {scores.label(DECIDING_METRIC): scores.values[DECIDING_METRIC] for scores in evaluation.scores[:1]}
    if (unseen := evaluation.unseen) is not None:
        values[f"{unseen.label(DECIDING_METRIC)}{HELDOUT}"] = unseen.values[DECIDING_METRIC]
    values |= {} if evaluation.content is None else evaluation.content.values
    if missing := [label for label in labels if label not in values]:
        raise ImpastoError(
            f"The trial has no {missing[0]}: too few images are held out, or the recipe's networks differ."
        )
    return [values[label].value for label in labels]
