"""Phrases of recommendations and reports."""

import pytest

from impasto.exploration.phrases import count_noun, describe_position, first_names, has_or_have


def test_nouns_agree_with_their_count() -> None:
    assert [count_noun(count, "photo") for count in (0, 1, 7028)] == ["0 photos", "1 photo", "7,028 photos"]
    assert (has_or_have(["a"]), has_or_have(["a", "b"])) == ("has", "have")


def test_only_the_first_names_are_listed() -> None:
    assert first_names(["a"]) == "a"
    assert first_names(["a", "b", "c"]) == "a, b and c"
    assert first_names(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


@pytest.mark.parametrize(
    ("box", "position"),
    [
        ((0.0, 0.0, 0.2, 0.1), "at the top left"),
        ((0.3, 0.9, 0.7, 1.0), "at the bottom"),
        ((0.9, 0.4, 1.0, 0.6), "at the right"),
        ((0.4, 0.4, 0.6, 0.6), "in the middle"),
        ((1.0, 1.0, 1.0, 1.0), "at the bottom right"),
    ],
)
def test_a_position_is_that_of_the_centre(box: tuple[float, float, float, float], position: str) -> None:
    assert describe_position(box) == position
