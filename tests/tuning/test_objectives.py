"""Objectives of a study are read from the evaluation of a run."""

from datetime import UTC, datetime

import pytest

from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.metrics.results import Evaluation, ImageSetSummary, Memorisation, Scores, Value
from impasto.tuning.objectives import OBJECTIVES, objective_labels, objective_values, require_objectives


def test_the_score_is_measured_by_the_network_that_chooses_the_best_style() -> None:
    assert objective_labels(["score"], Recipe.load("dcgan-64")) == ["KID[efficientnet-lite0]"]
    assert objective_labels(["score"], Recipe.load("projected-64")) == ["KID[alexnet]"]


def test_the_score_is_that_against_heldout_images_where_those_decide() -> None:
    side = ImageSetSummary(name="x", there=9, scored=9)
    scores, unseen = (
        Scores(network="alexnet", size=64, fakes=9, reals=reals, values={"KID": Value(value=value)})
        for reals, value in ((90, 0.1), (30, 0.3))
    )
    found = Evaluation(
        impasto="0", created=datetime.now(UTC), fakes=side, reals=side, scores=[scores], unseen=unseen,
        copies=Memorisation(network="alexnet", fakes=[], reals=[], suspects=[]),
    )  # fmt: skip
    recipe = Recipe.load("projected-64")
    labels = objective_labels(["score"], recipe, unseen=True)
    assert labels == ["KID[alexnet] held-out"] and objective_values(found, labels) == [0.3]
    assert objective_values(found, objective_labels(["score"], recipe)) == [0.1]
    with pytest.raises(ImpastoError, match=r"has no KID\[alexnet\] held-out: too few images are held out"):
        objective_values(found.model_copy(update={"unseen": None}), labels)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["beauty"], "There is no objective 'beauty': choose from score and content"),
        ([], "at least one objective"),
        (["score", "score"], "each once"),
        (["content"], "generates from noise: the objective 'content' needs photos"),
    ],
)
def test_objectives_that_cannot_be_measured_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(ImpastoError, match=message):
        require_objectives(names, Recipe.load("dcgan-64"))
    require_objectives(list(OBJECTIVES), Recipe.load("cut"))
    with pytest.raises(ImpastoError, match="size = 16: the objective 'content' needs 24 pixels"):
        require_objectives(["content"], Recipe.load("cut").replace("size=16"))
