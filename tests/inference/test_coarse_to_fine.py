"""Coarse-to-fine input is the same in windows and as a whole."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from impasto.data.augment import to_float
from impasto.inference.coarse_to_fine import CoarseToFineInput
from impasto.inference.tiling.window import Window, partition

CPU = torch.device("cpu")


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


@pytest.mark.parametrize("sides", [(20, 31), (39, 62), (40, 61), (13, 7), (1, 1)])
def test_a_coarse_painting_is_upsampled_as_torch_bicubic(sides: tuple[int, int]) -> None:
    photos, coarse = noise(2, 40, 62), noise(2, *sides)
    source = CoarseToFineInput(photos, CPU, coarse, 0.65)
    under = F.interpolate(to_float(torch.from_numpy(coarse)), size=(40, 62), mode="bicubic")
    expected = to_float(torch.from_numpy(photos)).lerp(under, 0.65).clamp(-1, 1)
    torch.testing.assert_close(source.read(Window(0, 40, 0, 62)), expected, rtol=0, atol=2e-4)


@given(side=st.integers(1, 50), height=st.integers(1, 40), width=st.integers(1, 40))
def test_windows_equal_parts_of_the_whole_input(side: int, height: int, width: int) -> None:
    source = CoarseToFineInput(noise(1, height, width), CPU, noise(1, -(-height // 2), -(-width // 2)), 0.65)
    whole = source.read(Window(0, height, 0, width))
    seen = torch.full_like(whole, 9)
    for window in partition(height, width, side):
        part = seen[..., window.top : window.bottom, window.left : window.right]
        assert (part == 9).all(), "no place is seen twice"
        part.copy_(source.read(window))
    torch.testing.assert_close(seen, whole, rtol=0, atol=1e-4)
