from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from impasto.data import loader as room
from impasto.data.loader import Loader, split, stream_seed, working_size
from impasto.recipe import Augment

CPU = torch.device("cpu")
AS_THEY_ARE = Augment(flip=False, scale=(1.0, 1.0))
VARIED = Augment(flip=True, scale=(0.8, 1.0))


def numbered(count: int, side: int = 4) -> np.ndarray:
    """Pictures that are all of the colour that is their number."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, side, side, 3), np.uint8)


def load(pixels: np.ndarray, batch: int, augment: Augment = AS_THEY_ARE, seed: int = 0, size: int = 4) -> Loader:
    return Loader(pixels, np.arange(len(pixels)), size, batch, augment, seed, CPU)


def numbers(pictures: torch.Tensor) -> list[int]:
    return ((pictures[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


@given(count=st.integers(1, 60), batch=st.integers(2, 40), epochs=st.integers(1, 4), seed=st.integers(0, 9))
def test_each_picture_comes_once_an_epoch(count: int, batch: int, epochs: int, seed: int) -> None:
    feed = load(numbered(count), batch, seed=seed)
    steps = -(-count * epochs // batch)
    seen = [number for step in range(steps) for number in numbers(feed.batch(step).pictures)]
    for epoch in range(epochs):
        assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))


@given(steps=st.lists(st.integers(0, 50), min_size=1, max_size=8), seed=st.integers(0, 9))
def test_what_a_step_sees_depends_on_seed_and_step_alone(steps: list[int], seed: int) -> None:
    """Whatever was asked before, and in whatever order."""
    pixels = np.random.default_rng(0).integers(0, 256, (17, 10, 10, 3), dtype=np.uint8)
    wandering = load(pixels, 5, VARIED, seed, size=8)
    for step in steps:
        fresh = load(pixels, 5, VARIED, seed, size=8).batch(step)
        again = wandering.batch(step)
        assert torch.equal(again.pictures, fresh.pictures)
        assert torch.equal(torch.rand(3, generator=again.rng), torch.rand(3, generator=fresh.rng))


def test_other_seeds_steps_and_attempts_see_something_else() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 10, 10, 3), dtype=np.uint8)
    feed = load(pixels, 5, VARIED, size=8)
    first = feed.batch(0).pictures
    assert not torch.equal(first, load(pixels, 5, VARIED, seed=1, size=8).batch(0).pictures)
    assert not torch.equal(first, feed.batch(4).pictures)
    assert not torch.equal(first, feed.batch(0, attempt=1).pictures)


@given(count=st.integers(2, 500), share=st.floats(0.01, 0.9), seed=st.integers(0, 9))
def test_a_split_loses_nothing_and_holds_something_out(count: int, share: float, seed: int) -> None:
    learned, heldout = split(count, share, seed)
    assert sorted([*learned, *heldout]) == list(range(count))
    assert len(learned) >= 1 and len(heldout) >= 1
    assert abs(len(heldout) - count * share) <= 1
    assert np.array_equal(split(count, share, seed)[1], heldout)


def test_nothing_is_held_out_where_that_is_asked() -> None:
    learned, heldout = split(10, 0.0, 0)
    assert len(learned) == 10 and len(heldout) == 0


def test_pictures_larger_than_needed_are_kept_only_at_the_working_size() -> None:
    feed = load(np.full((3, 64, 64, 3), 77, np.uint8), 2, VARIED, size=16)
    assert feed.side == working_size(16, (0.8, 1.0)) == 20
    assert numbers(feed.batch(0).pictures) == [77, 77]


def test_a_store_too_large_for_the_device_is_read_batch_by_batch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pixels = np.lib.format.open_memmap(tmp_path / "pixels.npy", "w+", np.uint8, (40, 8, 8, 3))
    pixels[:] = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint8)
    here = load(pixels, 7, VARIED, size=4).batch(3).pictures
    monkeypatch.setattr(room, "_free_memory", lambda device: 100)
    feed = load(pixels, 7, VARIED, size=4)
    assert not feed.resident
    assert torch.equal(feed.batch(3).pictures, here)


def test_streams_of_random_numbers_do_not_meet() -> None:
    seeds = {stream_seed(seed, name, step) for seed in range(10) for name in ("step", "epoch") for step in range(100)}
    assert len(seeds) == 2000
