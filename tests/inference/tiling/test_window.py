"""Windows partition an image."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from impasto.inference.tiling.window import Window, partition

SIDES = st.integers(1, 300)


@given(height=SIDES, width=SIDES, side=st.integers(1, 100))
def test_a_partition_has_windows_of_nearly_equal_size(height: int, width: int, side: int) -> None:
    sizes = [(w.bottom - w.top, w.right - w.left) for w in partition(height, width, side)]
    for lengths in zip(*sizes, strict=True):
        assert max(lengths) <= side and max(lengths) - min(lengths) <= 1


@given(height=st.integers(1, 60), width=st.integers(1, 60), side=st.integers(1, 70))
def test_a_partition_covers_every_pixel_once(height: int, width: int, side: int) -> None:
    covered = np.zeros((height, width), int)
    for window in partition(height, width, side):
        covered[window.within(Window(0, height, 0, width))] += 1
        assert covered[window.within(Window(0, height, 0, width))].size == window.area
    assert (covered == 1).all()


def test_a_union_contains_both_windows() -> None:
    assert Window(0, 4, 2, 6).union(Window(3, 9, 1, 2)) == Window(0, 9, 1, 6)
