"""Numbers are written with the digits that their errors support."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.parsed import plain
from impasto.metrics.formatting import format_interval, format_number, format_percent, format_value, join_words
from impasto.metrics.results import Value


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05634, "0.0563"), (99.12, "99.1"), (1240.4, "1,240"), (-0.000213, "−0.000213"), (0, "0.00"), (1, "1.00")],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert format_number(value) == text


def test_nan_and_infinity_are_a_dash() -> None:
    assert format_number(float("nan")) == format_number(float("inf")) == "—"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.0563, 0.00213, "0.0563 ± 0.0021"),
        (-0.00001, 0.0021, "0.0000 ± 0.0021"),
        (99.12, 3.24, "99.1 ± 3.2"),
        (99.12, 12.4, "99 ± 12"),
        (0.580152, 0.000504, "0.5802 ± 0.0005"),
        (0.71, None, "0.710"),
    ],
)
def test_a_value_has_no_more_digits_than_its_error(value: float, error: float | None, text: str) -> None:
    assert plain(format_value(Value(value=value, error=error))) == text


def test_an_interval_has_the_digits_of_its_value() -> None:
    assert format_interval(Value(value=0.0563, error=0.0021, interval=(0.05208, 0.06))) == "0.0521 to 0.0600"
    assert format_interval(Value(value=0.0563)) == ""


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(min_value=0) | st.just(float("nan")))
def test_any_value_and_error_can_be_formatted(value: float, error: float) -> None:
    text = format_value(Value(value=value, error=error))
    assert text
    assert not text.startswith("−0.000 ")


def test_lists_are_joined_by_commas_and_and() -> None:
    assert [join_words("a"), join_words("ab"), join_words("abc"), join_words("")] == ["a", "a and b", "a, b and c", ""]


@given(st.floats(0, 1))
def test_0_and_100_percent_are_kept_for_none_and_all(share: float) -> None:
    number = int(format_percent(share).rstrip("\N{NO-BREAK SPACE}%"))
    assert (number == 100) == (share == 1)
    assert (number == 0) == (share == 0)
    assert abs(number / 100 - share) <= 0.01
