"""Nodes know which inputs they need, and group normalisation is measured in parts."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from impasto.inference.tiling.lazy_maps import (
    Concatenated,
    Constant,
    GroupNorm,
    Indexed,
    NotTiledError,
    Pointwise,
    Strided,
    Upsampling,
    take,
)
from impasto.inference.tiling.window import Window, partition


@given(stride=st.integers(1, 3), padding=st.integers(0, 3), size=st.integers(1, 7), first=st.integers(0, 5))
def test_a_strided_window_needs_the_inputs_of_a_convolution(stride: int, padding: int, size: int, first: int) -> None:
    length = 60
    needed = set()
    for output in range(first, first + 4):
        needed |= {output * stride - padding + tap for tap in range(size)} & set(range(length))
    begin, end = Strided(stride, padding, size).span(first, first + 4, length)
    assert needed <= set(range(begin, end))
    if needed and size >= stride:
        assert (min(needed), max(needed) + 1) == (begin, end)


@given(first=st.integers(0, 20), count=st.integers(1, 9))
def test_an_upsampling_window_needs_the_inputs_of_a_transposed_convolution(first: int, count: int) -> None:
    scale, size, padding, length = 2, 4, 1, 30
    needed = {i for p in range(first, first + count) for i in range(length) if 0 <= p + padding - scale * i < size}
    begin, end = Upsampling(scale, size, padding, padding).span(first, first + count, length)
    assert set(range(begin, end)) == needed


def test_group_norm_measured_in_windows_equals_torch() -> None:
    maps = torch.randn(1, 6, 20, 30, generator=torch.Generator().manual_seed(0)) * 3 + 100
    weight, bias = torch.rand(6), torch.rand(6)
    norm = GroupNorm(Constant(maps), 2, weight, bias)
    for window in partition(20, 30, 7):
        norm.measure(maps[..., window.top : window.bottom, window.left : window.right])
    norm.finish()
    found = norm.compute(norm.full, norm.full, [maps])
    torch.testing.assert_close(found, F.group_norm(maps, 2, weight, bias), rtol=0, atol=1e-4)


def test_pointwise_nodes_infer_channels_and_dtype() -> None:
    one, three = Constant(torch.zeros(1, 1, 4, 5)), Constant(torch.zeros(1, 3, 4, 5, dtype=torch.float64))
    node = Pointwise(torch.add, [one, three], {})
    assert node.shape == (1, 3, 4, 5) and node.dtype == torch.float64
    assert Pointwise(torch.gt, [one, 0], {}).dtype == torch.bool
    with pytest.raises(NotTiledError, match="different sizes"):
        Pointwise(torch.add, [one, Constant(torch.zeros(1, 1, 4, 6))], {})
    with pytest.raises(NotTiledError, match="another shape"):
        Pointwise(torch.flatten, [one], {})


def test_concatenation_needs_equal_sizes() -> None:
    with pytest.raises(NotTiledError, match="different sizes"):
        Concatenated([Constant(torch.zeros(1, 1, 4, 5)), Constant(torch.zeros(1, 1, 5, 4))])


def test_indexing_an_indexed_map_indexes_its_source() -> None:
    source = Constant(torch.arange(20.0).view(1, 1, 4, 5))
    node = take(Indexed(source, [3, 2, 1], [0, 0, 4]), [2, 0], [1, 2])
    assert node.inputs == (source,) and (node.rows, node.columns) == ([1, 3], [0, 4])
    values = source.compute(source.full, source.full, [])
    given_window = node.needs(node.full)
    assert given_window == Window(1, 4, 0, 5)
    part = values[..., given_window.top : given_window.bottom, :]
    assert node.compute(node.full, given_window, [part]).flatten().tolist() == [5.0, 9.0, 15.0, 19.0]
