import pytest
from pydantic import TypeAdapter, ValidationError

from impasto.config.search_space import Choice, Range, Searched

PARSE = TypeAdapter[Range | Choice](Searched)


def test_a_search_space_is_a_range_or_a_choice() -> None:
    assert PARSE.validate_python({"low": 1, "high": 4}) == Range(low=1, high=4)
    assert PARSE.validate_python({"choices": [[0.5, 0.9], [0.0, 0.9]]}) == Choice(choices=([0.5, 0.9], [0.0, 0.9]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"low": 2, "high": 2}, "low must be below high"),
        ({"low": 0.0, "high": 1.0, "log": True}, "must begin above 0"),
        ({"choices": [1]}, "choices"),
        ({"low": 1}, "high"),
    ],
)
def test_a_search_space_without_room_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PARSE.validate_python(values)
