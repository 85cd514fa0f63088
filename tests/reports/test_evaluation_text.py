"""The words say what the numbers say, and no more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fixtures.invented_runs import evaluation
from fixtures.parsed import plain
from impasto.metrics.memorisation import nearest, nearest_others
from impasto.metrics.results import Copies, Evaluation, Scores, Value
from impasto.reports.evaluation_text import (
    CHANCE,
    PLAIN,
    by_chance,
    copying,
    interval,
    listed,
    measured,
    number,
    sentences,
)


def copies(fakes: list[float], reals: list[float]) -> Copies:
    return Copies(network="some-net", fakes=fakes, reals=reals, suspects=[])


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.05634, "0.0563"), (99.12, "99.1"), (1240.4, "1,240"), (-0.000213, "−0.000213"), (0, "0.00"), (1, "1.00")],
)
def test_numbers_have_three_digits(value: float, said: str) -> None:
    assert number(value) == said


def test_nothing_is_written_for_what_is_no_number() -> None:
    assert number(float("nan")) == number(float("inf")) == "—"


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (0.0563, 0.00213, "0.0563 ± 0.0021"),
        (-0.00001, 0.0021, "0.0000 ± 0.0021"),
        (99.12, 3.24, "99.1 ± 3.2"),
        (99.12, 12.4, "99 ± 12"),
        (0.580152, 0.000504, "0.5802 ± 0.0005"),
        (0.71, None, "0.710"),
    ],
)
def test_a_number_has_no_more_digits_than_its_error(value: float, error: float | None, said: str) -> None:
    assert plain(measured(Value(value=value, error=error))) == said


def test_an_interval_has_the_digits_of_its_number() -> None:
    assert interval(Value(value=0.0563, error=0.0021, interval=(0.05208, 0.06))) == "0.0521 to 0.0600"
    assert interval(Value(value=0.0563)) == ""


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(min_value=0) | st.just(float("nan")))
def test_any_number_can_be_said(value: float, error: float) -> None:
    said = measured(Value(value=value, error=error))
    assert said
    assert not said.startswith("−0.000 ")


def with_kid(kid: Value) -> Evaluation:
    scores = Scores(network="net", size=64, fakes=90, reals=80, halves=(40, 40), values={"KID": kid})
    return evaluation(scores=[scores])


def test_the_verdict_asks_whether_the_distance_is_beyond_its_error() -> None:
    (far,) = sentences(with_kid(Value(value=0.05, error=0.002, floor=0.0004)))
    assert far.startswith("The fakes can be told from the reals")
    (near,) = sentences(with_kid(Value(value=0.003, error=0.002, floor=-0.001)))
    assert near.startswith("The fakes cannot be told from the reals by so many pictures")
    (unsure,) = sentences(with_kid(Value(value=0.003)))
    assert "told" not in unsure
    for said in (far, near, unsure):
        assert "KID[net]" in said
        assert "90 v 80" in said
    assert "40 v 40" in far


def test_shares_say_their_network_and_counts() -> None:
    _, said = sentences(evaluation())
    assert plain(said) == (
        "Through efficientnet-lite0, 256 v 270: 71 % of the fakes lie among the reals (precision) "
        "and 34 % of the reals have a fake near them (coverage)."
    )


@pytest.mark.parametrize(("fakes", "reals"), [(1, 20), (64, 30), (256, 270), (1000, 54), (10_000, 7000)])
def test_chance_is_the_beta_binomial_s(fakes: int, reals: int) -> None:
    for rank in (1, reals // 20 + 1):
        expected = stats.betabinom.ppf(1 - CHANCE, fakes, rank, reals + 1 - rank)
        assert by_chance(fakes, reals, rank) == expected


@pytest.mark.parametrize("dimensions", [10, 40])
def test_an_honest_painter_is_suspected_as_seldom_as_is_claimed(dimensions: int) -> None:
    """Real and fake features of one distribution, and their distances as they are taken."""
    random = np.random.default_rng(0)
    suspected = 0
    for _ in range(100):
        mixed = random.standard_normal((dimensions, 64))
        fakes, reals = (np.maximum(random.standard_normal((n, dimensions)) @ mixed + 1, 0) for n in (300, 100))
        distances = nearest(fakes, reals)[0][:, 0].tolist()
        suspected += copying(copies(distances, nearest_others(reals).tolist())).suspicious
    assert suspected <= 2


@pytest.mark.parametrize(
    ("value", "error", "floor", "told"),
    [
        (9.4, 0.5, 0.2, True),
        (9.4, None, None, True),
        (9.4, 0.5, 9.0, False),  # so have the reals
        (0.2 + PLAIN, 0.1, 0.2, False),
        (9.4, 5.0, 0.2, False),  # by so few pictures it cannot be told
    ],
)
def test_a_lattice_is_spoken_of_where_it_is_plain_and_not_the_reals_own(
    value: float, error: float | None, floor: float | None, told: bool
) -> None:
    found = evaluation(checkerboard=Value(value=value, error=error, floor=floor))
    said = [plain(each) for each in sentences(found) if "checkerboard" in each]
    assert len(said) == told
    if told and floor is not None:
        assert "by 9.40 ± 0.50 dB; that of the reals by 0.20." in said[0]


def test_copying_has_its_degrees() -> None:
    reals = [0.05, *np.linspace(0.2, 0.6, 269).tolist()]
    most = by_chance(256, 135, 7)

    def judged(near: int) -> tuple[str, str]:
        found = copying(copies([0.1] * near + [0.5] * (256 - near), reals))
        return found.level, found.sentence

    assert judged(3) == (
        "none",
        "3 of 256 fakes lie closer to a real picture than 95 % of the 270 real pictures lie to each other; "
        f"by chance it could be {most}: no sign of copying.",
    )
    assert judged(most)[0] == "none"
    level, sentence = judged(most + 1)
    assert level == "some"
    assert f"by chance it would be {most} at most" in sentence
    level, sentence = judged(211)
    assert level == "by heart"
    assert sentence.endswith("it has learned its pictures by heart.")


def test_copies_now_and_then_are_found_by_how_near_they_are() -> None:
    reals = np.linspace(0.2, 0.6, 270).tolist()
    most = by_chance(256, 135, 1)
    assert most < by_chance(256, 135, 7)
    assert not copying(copies([0.1] * most + [0.5] * (256 - most), reals)).suspicious
    found = copying(copies([0.1] * (most + 1) + [0.5] * (255 - most), reals))
    assert found.level == "some"
    assert f"{most + 1} of 256 fakes lie closer to a real picture than any of the 270" in found.sentence


def test_one_copy_is_found_among_many_honest_fakes() -> None:
    found = copying(copies([0.0, *[0.5] * 255], np.linspace(0.2, 0.6, 270).tolist()))
    assert found.suspicious
    assert "1 of 256 fakes is practically identical to a real picture" in found.sentence


def test_where_reals_are_double_no_innocence_is_claimed() -> None:
    reals = [0.0] * 30 + [0.4] * 240
    assert copying(copies([0.3] * 256, reals)).level == "unknown"
    assert copying(copies([0.0] * 200, reals)).level == "some"


def test_of_too_few_pictures_nothing_is_claimed() -> None:
    assert copying(copies([], [0.2] * 50)).level == "unknown"
    assert copying(copies([0.1] * 50, [0.2] * 10)).level == "unknown"
    assert copying(copies([], [])).level == "unknown"
    assert copying(copies([0.0] * 40 + [0.1] * 10, [0.2] * 10)).suspicious  # but what is plain is said


def test_lists_are_said_as_people_say_them() -> None:
    assert [listed("a"), listed("ab"), listed("abc"), listed("")] == ["a", "a and b", "a, b and c", ""]
