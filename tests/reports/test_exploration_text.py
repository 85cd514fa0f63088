"""What is said of an exploration follows from its numbers, and never flatters them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.explored import blobs, domain, exploration
from impasto.data.inventory import Duplicate
from impasto.exploration.results import Advice, Domain, Exploration, Framed, Gap, Watermark
from impasto.metrics.results import Value
from impasto.reports import exploration_text

ONE = {role: domain(role, blobs(1)) for role in ("paintings", "photos")}


def counted(role: str, count: int) -> Domain:
    return ONE[role].model_copy(update={"looks": ONE[role].looks * count, "closely": count})


def of(paintings: int, photos: int) -> Exploration:
    return exploration(counted("paintings", paintings), counted("photos", photos))


def gap(value: float, floor: float | None, error: float | None = 0.002) -> Gap:
    kid = Value(value=value, floor=floor, error=error)
    return Gap(network="efficientnet-lite0", counts="1,000 v 300", distance=kid, words=[])


def test_kaggles_sets_are_not_called_balanced() -> None:
    said = " ".join(exploration_text.balance(of(300, 7028)))
    assert said.startswith("300 paintings to 7,028 photos: not balanced, 23 photos for each painting.")
    assert "each painting is seen 23 times while each photo is seen once" in said
    assert "paintings are oversampled 23-fold and can be learned by heart" in said
    assert "no class labels" in said


def test_more_paintings_than_photos_are_told_the_other_way_round() -> None:
    said = " ".join(exploration_text.balance(of(700, 100)))
    assert "7.0 paintings for each photo" in said and "photos are oversampled 7.0-fold" in said


@given(st.integers(1, 400), st.integers(1, 400))
def test_two_domains_count_as_even_up_to_three_to_two(paintings: int, photos: int) -> None:
    said = " ".join(exploration_text.balance(of(paintings, photos)))
    even = 2 * max(paintings, photos) <= 3 * min(paintings, photos)
    assert ("about as many" in said) == even
    assert ("not balanced" in said) == (not even)


def test_one_domain_has_nothing_to_balance() -> None:
    assert exploration_text.balance(exploration(counted("paintings", 5))) == []


def test_the_gap_is_told_in_floors_with_its_network_and_counts() -> None:
    said = exploration_text.distance(gap(0.21, 0.007))
    assert said.startswith("Photos are 30 times as far from paintings as one half of the paintings from the other")
    assert "KID[efficientnet-lite0] is 0.2100" in said and "1,000 v 300" in said and "floor is 0.0070" in said


def test_a_gap_within_its_error_is_none() -> None:
    assert exploration_text.distance(gap(0.010, 0.008)).startswith("Photos cannot be told from paintings")


@pytest.mark.parametrize("floor", [-0.001, 0.0, 0.001])
def test_a_floor_of_nothing_is_no_measure_to_count_in(floor: float) -> None:
    said = exploration_text.distance(gap(0.21, floor))
    assert "times" not in said and "can be told" in said


def test_a_gap_without_a_floor_is_a_number_alone() -> None:
    assert exploration_text.distance(gap(0.21, None, None)).startswith("How far photos are from paintings: KID")


def test_what_was_only_sampled_is_said_to_be() -> None:
    photos = counted("photos", 7028).model_copy(update={"sample": ["x"] * 1000, "closely": 400})
    said = " ".join(exploration_text.sampling(photos))
    assert "All 7,028 photos were measured" in said
    assert "1,000 of 7,028 photos, evenly spread over the set, were compared with each other" in said
    assert "400 of 7,028 photos" in said


def test_what_was_looked_at_whole_is_not_called_a_sample() -> None:
    assert exploration_text.sampling(ONE["paintings"]) == [
        "The painting was measured, and searched for frames and marks."
    ]
    whole = exploration_text.sampling(domain("paintings", blobs(5)))
    assert whole == ["All 5 paintings were measured, compared with each other, and searched for frames and marks."]


def test_the_summary_is_short_and_ends_with_the_advice() -> None:
    found = of(300, 7028)
    paintings = found.paintings
    survey = paintings.inventory.model_copy(update={"duplicates": [Duplicate(name=str(i), of="a") for i in range(40)]})
    mark = Watermark(name="a", kind="signature", box=(0, 0, 1, 1), why="strokes")
    framed = [Framed(name="a", box=(0, 0, 0.9, 1))]
    ill = paintings.model_copy(update={"inventory": survey, "framed": framed, "marks": [mark, mark]})
    advice = [
        Advice(what="Crop the frames.", why="1 has one.", command="impasto explore"),
        Advice(what="Train", why="!"),
    ]
    lines = exploration_text.summary(found.model_copy(update={"paintings": ill, "advice": advice}))
    assert len(lines) <= 25
    assert lines[-3:] == ["1. Crop the frames: 1 has one.", "   impasto explore", "2. Train: !"]
    said = "\n".join(lines)
    assert "40 dropped as exact duplicates" in said and said.count(" is a") == 2
    assert "1 of 300 paintings looked at closely may have a border, mount or frame." in said
    assert "2 signatures suspected on 300 paintings" in said
    assert "30 times as far" in said and "not balanced" in said


def test_faults_are_counted_and_none_make_no_line() -> None:
    assert exploration_text.faults(ONE["photos"]) == []
