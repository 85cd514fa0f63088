"""Options are checked when they are made."""

import pytest

from impasto.errors import ImpastoError
from impasto.inference.options import DEFAULT, PaintOptions


def test_the_default_is_the_painting_itself() -> None:
    assert PaintOptions() == DEFAULT == PaintOptions(1.0, 1.0, False, None)


@pytest.mark.parametrize(
    ("name", "value"), [("strength", -0.1), ("strength", 1.1), ("strength", float("nan")), ("brush", 0.4), ("brush", 5)]
)
def test_values_out_of_range_are_refused_with_the_range(name: str, value: float) -> None:
    with pytest.raises(ImpastoError, match=f"{name} = .*: choose "):
        PaintOptions(**{name: value})  # type: ignore[arg-type]
