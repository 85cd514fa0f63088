"""Tiling and cutting are inverse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.data.image_grid import cut, tile


@given(
    count=st.integers(1, 20),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    columns=st.none() | st.integers(1, 7),
    gap=st.integers(0, 3),
)
def test_cut_inverts_tile(count: int, height: int, width: int, columns: int | None, gap: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)
    cells = cut(tile(pictures, columns, gap), height, width, gap).reshape(-1, height, width, 3)
    assert np.array_equal(cells[:count], pictures)
    assert (cells[count:] == 255).all()


def test_a_grid_of_other_images_is_refused() -> None:
    sheet = tile(np.zeros((4, 8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="18×18 px is not a grid of 7×8 px images"):
        cut(sheet, height=8, width=7)
