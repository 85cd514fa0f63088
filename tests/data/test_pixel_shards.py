"""Shards are indexed as one array is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from impasto.data.pixel_shards import PixelShards


def sharded(counts: list[int]) -> tuple[PixelShards, NDArray[np.uint8]]:
    pixels = np.random.default_rng(0).integers(0, 256, (sum(counts), 2, 2, 3), np.uint8)
    starts = np.cumsum([0, *counts])
    return PixelShards(2, counts, lambda shard: pixels[starts[shard] : starts[shard + 1]]), pixels


@given(counts=st.lists(st.integers(1, 9), min_size=1, max_size=6), data=st.data())
def test_every_way_of_indexing_gives_what_an_array_gives(counts: list[int], data: st.DataObject) -> None:
    shards, pixels = sharded(counts)
    assert len(shards) == len(pixels) and shards.shape == pixels.shape and shards.nbytes == pixels.nbytes
    assert np.array_equal(shards, pixels) and np.array_equal(list(shards), pixels)
    place = st.integers(-len(pixels), len(pixels) - 1)
    one, many = data.draw(place), data.draw(st.lists(place, max_size=20))
    assert np.array_equal(shards[one], pixels[one]) and np.array_equal(shards[np.int64(one)], pixels[one])
    assert np.array_equal(shards[np.array(many, int)], pixels[np.array(many, int)])
    assert np.array_equal(shards[many], pixels[np.array(many, int)])
    part = data.draw(st.slices(len(pixels)))
    assert np.array_equal(shards[part], pixels[part])


def test_what_an_array_refuses_is_refused() -> None:
    shards, _ = sharded([3, 2])
    for key in (5, -6, [0, 5], [-6], [[0, 1]], [0.5], [True, False]):
        with pytest.raises(IndexError):
            shards[key]


def test_a_slice_of_one_shard_and_an_image_are_views() -> None:
    shards, pixels = sharded([3, 4])
    assert np.shares_memory(shards[3:6], pixels) and np.shares_memory(shards[6], pixels)
    assert not np.shares_memory(shards[2:4], pixels)


def test_images_in_memory_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        PixelShards.of(np.zeros((2, 4, 4, 3), np.uint8))[0][...] = 1
