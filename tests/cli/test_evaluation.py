"""The evaluation commands."""

import pytest

from fixtures.command import Impasto, one_line


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["evaluate", "nowhere", "--against", "sample:paintings"], "nowhere"),
        (["compare", "nowhere", "elsewhere"], "nowhere"),
    ],
)
def test_missing_inputs_are_refused_in_one_line(impasto: Impasto, arguments: list[str], error: str) -> None:
    assert error in one_line(impasto(*arguments, check=False))
