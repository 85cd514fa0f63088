"""Progress of a part of the work is progress of the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.inference.share_done import span


@given(start=st.floats(0, 1), length=st.floats(0, 1), share=st.floats(0, 1))
def test_a_part_goes_from_its_start_to_its_end(start: float, length: float, share: float) -> None:
    seen: list[float] = []
    end = start + length * (1 - start)
    part = span(seen.append, start, end)
    for each in (0.0, share, 1.0):
        part(each)
    assert seen[0] == start and seen[2] == pytest.approx(end)
    assert start <= seen[1] <= end + 1e-12


def test_parts_of_parts_are_parts_of_the_whole() -> None:
    seen: list[float] = []
    second_half = span(seen.append, 0.5, 1)
    span(second_half, 0, 0.5)(1)
    assert seen == [0.75]
