"""The text of an exploration follows from its numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.explored import blobs, domain, exploration
from impasto.data.inventory import Duplicate
from impasto.exploration.results import DetectedFrame, Domain, DomainGap, Exploration, Recommendation, Watermark
from impasto.metrics.results import Value
from impasto.reports import exploration_text

ONE = {role: domain(role, blobs(1)) for role in ("paintings", "photos")}


def counted(role: str, count: int) -> Domain:
    return ONE[role].model_copy(update={"statistics": ONE[role].statistics * count, "inspected": count})


def of(paintings: int, photos: int) -> Exploration:
    return exploration(counted("paintings", paintings), counted("photos", photos))


def gap(value: float, floor: float | None, error: float | None = 0.002) -> DomainGap:
    kid = Value(value=value, floor=floor, error=error)
    return DomainGap(network="efficientnet-lite0", counts="1,000 v 300", distance=kid, differences=[])


def test_the_kaggle_data_sets_are_not_balanced() -> None:
    said = " ".join(exploration_text.balance(of(300, 7028)))
    assert said.startswith("300 paintings and 7,028 photos: not balanced, 23 photos per painting.")
    assert "each painting is seen 23 times while each photo is seen once" in said
    assert "paintings are oversampled 23-fold and can be memorised" in said
    assert "no class labels" in said


def test_more_paintings_than_photos_are_described_the_other_way_round() -> None:
    said = " ".join(exploration_text.balance(of(700, 100)))
    assert "7.0 paintings per photo" in said and "photos are oversampled 7.0-fold" in said


@given(st.integers(1, 400), st.integers(1, 400))
def test_two_domains_are_balanced_up_to_three_to_two(paintings: int, photos: int) -> None:
    said = " ".join(exploration_text.balance(of(paintings, photos)))
    even = 2 * max(paintings, photos) <= 3 * min(paintings, photos)
    assert (": balanced." in said) == even
    assert ("not balanced" in said) == (not even)


def test_one_domain_has_nothing_to_balance() -> None:
    assert exploration_text.balance(exploration(counted("paintings", 5))) == []


def test_the_gap_is_relative_to_its_floor_with_network_and_counts() -> None:
    said = exploration_text.distance(gap(0.21, 0.007))
    assert said.startswith("Photos are 30 times as far from paintings as one half of the paintings is from the other")
    assert "KID[efficientnet-lite0] is 0.2100" in said and "1,000 v 300" in said and "floor is 0.0070" in said


def test_a_gap_within_its_error_is_no_difference() -> None:
    assert exploration_text.distance(gap(0.010, 0.008)).startswith("Photos and paintings cannot be distinguished")


@pytest.mark.parametrize("floor", [-0.001, 0.0, 0.001])
def test_a_gap_is_not_divided_by_a_floor_of_about_zero(floor: float) -> None:
    said = exploration_text.distance(gap(0.21, floor))
    assert "times" not in said and "differ from paintings" in said


def test_a_gap_without_a_floor_is_only_a_number() -> None:
    assert exploration_text.distance(gap(0.21, None, None)).startswith("Distance between photos and paintings: KID")


def test_the_sizes_of_samples_are_given() -> None:
    photos = counted("photos", 7028).model_copy(update={"sample": ["x"] * 1000, "inspected": 400})
    said = " ".join(exploration_text.sampling(photos))
    assert "All 7,028 photos were measured" in said
    assert "1,000 of 7,028 photos, evenly spaced, were compared with each other" in said
    assert "400 of 7,028 photos" in said


def test_complete_data_sets_are_not_called_samples() -> None:
    assert exploration_text.sampling(ONE["paintings"]) == [
        "The painting was measured and searched for frames and watermarks."
    ]
    whole = exploration_text.sampling(domain("paintings", blobs(5)))
    assert whole == ["All 5 paintings were measured, compared with each other, and searched for frames and watermarks."]


def test_the_summary_is_short_and_ends_with_the_recommendations() -> None:
    found = of(300, 7028)
    paintings = found.paintings
    inventory = paintings.inventory.model_copy(
        update={"duplicates": [Duplicate(name=str(i), of="a") for i in range(40)]}
    )
    mark = Watermark(name="a", kind="signature", box=(0, 0, 1, 1), reason="strokes")
    frames = [DetectedFrame(name="a", box=(0, 0, 0.9, 1))]
    ill = paintings.model_copy(update={"inventory": inventory, "frames": frames, "watermarks": [mark, mark]})
    recommendations = [
        Recommendation(action="Crop the frames.", reason="1 has one.", command="impasto explore"),
        Recommendation(action="Train", reason="!"),
    ]
    lines = exploration_text.summary(found.model_copy(update={"paintings": ill, "recommendations": recommendations}))
    assert len(lines) <= 25
    assert lines[-3:] == ["1. Crop the frames: 1 has one.", "   impasto explore", "2. Train: !"]
    said = "\n".join(lines)
    assert "40 dropped as exact duplicates" in said and said.count(" is a") == 2
    assert "1 of the 300 paintings inspected may have a border, mount or frame." in said
    assert "2 signatures suspected in the 300 paintings" in said
    assert "30 times as far" in said and "not balanced" in said


def test_no_issues_give_no_lines() -> None:
    assert exploration_text.issues(ONE["photos"]) == []
