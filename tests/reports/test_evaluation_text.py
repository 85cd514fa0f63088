"""Sentences follow from the numbers."""

import numpy as np
import pytest
from scipy import stats

from fixtures.invented_runs import evaluation
from fixtures.parsed import plain
from impasto.metrics.memorisation import nearest_neighbours, nearest_other_distances
from impasto.metrics.results import Evaluation, Memorisation, Scores, Value
from impasto.reports.evaluation_text import (
    FALSE_POSITIVES,
    VISIBLE_CHECKERBOARD,
    assess_memorisation,
    expected_maximum,
    summarise,
)


def copies(fakes: list[float], reals: list[float]) -> Memorisation:
    return Memorisation(network="some-net", fakes=fakes, reals=reals, suspects=[])


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


def test_precision_and_coverage_state_network_and_counts() -> None:
    _, said = summarise(evaluation())
    assert plain(said) == (
        "Precision 71 % (fakes inside the manifold of the reals), "
        "coverage 34 % (reals with a fake in their neighbourhood), "
        "with efficientnet-lite0."
    )


@pytest.mark.parametrize(("fakes", "reals"), [(1, 20), (64, 30), (256, 270), (1000, 54), (10_000, 7000)])
def test_the_limit_by_chance_is_the_beta_binomial_quantile(fakes: int, reals: int) -> None:
    for rank in (1, reals // 20 + 1):
        expected = stats.betabinom.ppf(1 - FALSE_POSITIVES, fakes, rank, reals + 1 - rank)
        assert expected_maximum(fakes, reals, rank) == expected


@pytest.mark.parametrize("dimensions", [10, 40])
def test_the_false_positive_rate_is_as_stated(dimensions: int) -> None:
    """Real and fake features of one distribution, and their distances as they are taken."""
    random = np.random.default_rng(0)
    suspected = 0
    for _ in range(100):
        mixed = random.standard_normal((dimensions, 64))
        fakes, reals = (np.maximum(random.standard_normal((n, dimensions)) @ mixed + 1, 0) for n in (300, 100))
        distances = nearest_neighbours(fakes, reals)[0][:, 0].tolist()
        suspected += assess_memorisation(copies(distances, nearest_other_distances(reals).tolist())).suspicious
    assert suspected <= 2


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


def test_levels_of_memorisation() -> None:
    reals = [0.05, *np.linspace(0.2, 0.6, 269).tolist()]
    most = expected_maximum(256, 135, 7)

    def judged(near: int) -> tuple[str, str]:
        found = assess_memorisation(copies([0.1] * near + [0.5] * (256 - near), reals))
        return found.level, found.sentence

    assert judged(3) == (
        "none",
        "3 of 256 fakes are nearer to a real image than 95 % of the 270 reals are to their nearest other "
        f"real; with 270 reals, up to {most} can be chance: no sign of memorisation.",
    )
    assert judged(most)[0] == "none"
    level, sentence = judged(most + 1)
    assert level == "some"
    assert f"at most {most} can be chance" in sentence
    level, sentence = judged(211)
    assert level == "memorised"
    assert sentence.endswith("the model has memorised its training images.")


def test_occasional_copies_are_found_by_the_smallest_distances() -> None:
    reals = np.linspace(0.2, 0.6, 270).tolist()
    most = expected_maximum(256, 135, 1)
    assert most < expected_maximum(256, 135, 7)
    assert not assess_memorisation(copies([0.1] * most + [0.5] * (256 - most), reals)).suspicious
    found = assess_memorisation(copies([0.1] * (most + 1) + [0.5] * (255 - most), reals))
    assert found.level == "some"
    assert f"{most + 1} of 256 fakes are nearer to a real image than any of the 270" in found.sentence


def test_a_single_identical_image_is_found() -> None:
    found = assess_memorisation(copies([0.0, *[0.5] * 255], np.linspace(0.2, 0.6, 270).tolist()))
    assert found.suspicious
    assert "1 of 256 fakes is practically identical to a real image" in found.sentence


def test_duplicate_reals_make_the_test_inconclusive() -> None:
    reals = [0.0] * 30 + [0.4] * 240
    assert assess_memorisation(copies([0.3] * 256, reals)).level == "unknown"
    assert assess_memorisation(copies([0.0] * 200, reals)).level == "some"


def test_too_few_images_make_the_test_inconclusive() -> None:
    assert assess_memorisation(copies([], [0.2] * 50)).level == "unknown"
    assert assess_memorisation(copies([0.1] * 50, [0.2] * 10)).level == "unknown"
    assert assess_memorisation(copies([], [])).level == "unknown"
    assert assess_memorisation(copies([0.0] * 40 + [0.1] * 10, [0.2] * 10)).suspicious  # but what is plain is said
