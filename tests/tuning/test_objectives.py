"""Objectives of a study are read from the evaluation of a run."""

import pytest

from impasto.config.recipe import Recipe
from impasto.errors import ImpastoError
from impasto.tuning.objectives import OBJECTIVES, objective_labels, require_objectives


def test_the_score_is_measured_by_the_network_that_chooses_the_best_style() -> None:
    assert objective_labels(["score"], Recipe.load("dcgan-64")) == ["KID[efficientnet-lite0]"]
    assert objective_labels(["score"], Recipe.load("projected-64")) == ["KID[alexnet]"]


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
