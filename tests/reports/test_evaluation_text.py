"""Sentences follow from the numbers."""

import pytest

from fixtures.invented_runs import evaluation
from fixtures.parsed import plain
from impasto.metrics.results import Evaluation, Scores, Value
from impasto.reports.evaluation_text import VISIBLE_CHECKERBOARD, format_sets, summarise


def with_kid(kid: Value) -> Evaluation:
    scores = Scores(network="net", size=64, fakes=90, reals=80, halves=(40, 40), values={"KID": kid})
    return evaluation(scores=[scores])


def test_fakes_are_distinguishable_beyond_two_standard_errors() -> None:
    (far,) = summarise(with_kid(Value(value=0.05, error=0.002, floor=0.0004)))
    assert far.endswith(": fakes and reals are distinguishable.")
    (near,) = summarise(with_kid(Value(value=0.003, error=0.002, floor=-0.001)))
    assert near.endswith(": fakes and reals are not distinguishable with this many images.")
    (unsure,) = summarise(with_kid(Value(value=0.003)))
    assert "distinguishable" not in unsure
    for said in (far, near, unsure):
        assert "KID[net]" in said
        assert "90 fakes v 80 reals" in said
    assert "40 v 40" in far


def test_the_numbers_of_a_sample_are_told() -> None:
    kid = {"KID": Value(value=0.05, error=0.002)}
    scores = Scores(network="net", size=64, fakes=90_000, reals=800, sample=(10_000, 800), values=kid)
    (said,) = summarise(evaluation(scores=[scores]))
    assert "10,000 fakes v 800 reals" in said and "90,000" not in said
    assert format_sets(scores) == "FD: 90,000 fakes v 800 reals, others: 10,000 fakes v 800 reals evenly spaced"
    assert scores.counts == "90,000 v 800, sample of 10,000 v 800"


def test_precision_and_coverage_state_network_and_counts() -> None:
    _, said = summarise(evaluation())
    assert plain(said) == (
        "Precision 71 % (fakes inside the manifold of the reals), "
        "coverage 34 % (reals with a fake in their neighbourhood), "
        "with efficientnet-lite0."
    )


@pytest.mark.parametrize(
    ("value", "error", "floor", "told"),
    [
        (9.4, 0.5, 0.2, True),
        (9.4, None, None, True),
        (9.4, 0.5, 9.0, False),  # so have the reals
        (0.2 + VISIBLE_CHECKERBOARD, 0.1, 0.2, False),
        (9.4, 5.0, 0.2, False),  # by so few pictures it cannot be told
    ],
)
def test_checkerboard_artefacts_are_reported_only_clearly_above_the_reals(
    value: float, error: float | None, floor: float | None, told: bool
) -> None:
    found = evaluation(checkerboard=Value(value=value, error=error, floor=floor))
    said = [plain(each) for each in summarise(found) if "checkerboard" in each]
    assert len(said) == told
    if told and floor is not None:
        assert "of 9.40 ± 0.50 dB (reals: 0.20 dB)." in said[0]
