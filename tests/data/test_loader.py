from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from impasto.config.data import AugmentConfig
from impasto.data import loader as room
from impasto.data.augment import to_pixels
from impasto.data.loader import Batches, Loader, split, stream_seed

CPU = torch.device("cpu")
AS_THEY_ARE = AugmentConfig(flip=False, scale=(1.0, 1.0))
VARIED = AugmentConfig(flip=True, scale=(0.8, 1.0))


def numbered(count: int, side: int = 4) -> np.ndarray:
    """Return uniform images whose colour is their number."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, side, side, 3), np.uint8)


def load(
    pixels: np.ndarray,
    batch: int,
    augment: AugmentConfig = AS_THEY_ARE,
    seed: int = 0,
    size: int = 4,
    order: str = "epoch",
) -> Loader:
    return Loader(pixels, np.arange(len(pixels)), size, batch, augment, seed, CPU, order)


def numbers(pictures: torch.Tensor) -> list[int]:
    return ((pictures[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(count: int, side: int = 10, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@given(count=st.integers(1, 60), batch=st.integers(1, 40), epochs=st.integers(1, 4), seed=st.integers(0, 9))
def test_each_image_is_loaded_once_per_epoch(count: int, batch: int, epochs: int, seed: int) -> None:
    feed = load(numbered(count), batch, seed=seed)
    steps = -(-count * epochs // batch)
    seen = [number for step in range(steps) for number in numbers(feed.load_batch(step, seeded()))]
    for epoch in range(epochs):
        assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))


@given(photos=st.integers(1, 40), paintings=st.integers(1, 12), batch=st.integers(1, 9), seed=st.integers(0, 9))
def test_an_epoch_is_one_pass_over_the_photos(photos: int, paintings: int, batch: int, seed: int) -> None:
    feed = Batches(
        load(numbered(paintings), batch, seed=seed), load(numbered(photos), batch, seed=seed, order="photos")
    )
    assert len(feed) == photos
    steps = [feed.batch(step) for step in range(-(-photos // batch))]
    seen = [number for each in steps for number in numbers(each.photos)]
    assert sorted(seen[:photos]) == list(range(photos))
    real = [number for each in steps for number in numbers(each.paintings)]
    for start in range(0, len(real) - paintings + 1, paintings):
        assert sorted(real[start : start + paintings]) == list(range(paintings))


@pytest.mark.parametrize("free", [10**9, 0])
def test_images_are_loaded_by_position_without_augmentation(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions count within ``indices``, whether the images are held on the device or not."""
    monkeypatch.setattr(room, "available", lambda _: free)
    pixels, indices = random(9), np.array([1, 2, 4, 7, 8])
    feed = Loader(pixels, indices, 10, 2, VARIED.model_copy(update={"scale": (1.0, 1.0)}), 0, CPU)
    assert feed.resident == bool(free)
    for places in ([0], [4, 0, 0, 2]):
        found = to_pixels(feed.load(np.array(places))).numpy()
        assert np.array_equal(found, pixels[indices[places]])


def test_photos_and_paintings_are_shuffled_independently() -> None:
    feed = Batches(load(numbered(50), 50), load(numbered(50), 50, order="photos"))
    one = feed.batch(0)
    assert numbers(one.photos) != numbers(one.paintings)


def test_unconditional_batches_have_no_photos() -> None:
    feed = Batches(load(random(7), 3, size=10))
    one = feed.batch(4)
    assert len(feed) == 7 and one.step == 4
    assert one.paintings.shape == (3, 3, 10, 10) and one.photos.shape == (0, 3, 10, 10)


def test_a_batch_is_channels_last_and_in_range() -> None:
    one = Batches(load(random(9), 4, VARIED, size=8), load(random(9), 4, VARIED, size=8, order="photos")).batch(2)
    for pictures in (one.paintings, one.photos):
        assert pictures.is_contiguous(memory_format=torch.channels_last) and pictures.dtype == torch.float32
        assert -1 <= pictures.min() < -0.5 and 0.5 < pictures.max() <= 1


@given(steps=st.lists(st.integers(0, 50), min_size=1, max_size=8), seed=st.integers(0, 9))
def test_a_batch_depends_on_seed_and_step_alone(steps: list[int], seed: int) -> None:
    """In any order of steps."""

    def made() -> Batches:
        varied = VARIED.model_copy(update={"color": 0.3, "rotate": 10.0})
        return Batches(load(random(17), 5, varied, seed, 8), load(random(11), 5, varied, seed, 8, "photos"))

    wandering = made()
    for step in steps:
        fresh, again = made().batch(step), wandering.batch(step)
        assert torch.equal(again.paintings, fresh.paintings) and torch.equal(again.photos, fresh.photos)
        assert torch.equal(torch.rand(3, generator=again.rng), torch.rand(3, generator=fresh.rng))


def test_other_seeds_steps_and_attempts_give_other_batches() -> None:
    def paintings(step: int, seed: int = 0, attempt: int = 0) -> torch.Tensor:
        return Batches(load(random(20), 5, VARIED, seed, 8)).batch(step, attempt).paintings

    first = paintings(0)
    assert torch.equal(first, paintings(0))
    assert not torch.equal(first, paintings(0, seed=1))
    assert not torch.equal(first, paintings(4))
    assert not torch.equal(first, paintings(0, attempt=1))


def test_an_image_is_augmented_differently_in_each_epoch() -> None:
    feed = Batches(load(random(1), 2, VARIED, size=8), load(random(1), 2, VARIED, size=8, order="photos"))
    seen = [picture for step in range(3) for picture in (*feed.batch(step).photos, *feed.batch(step).paintings)]
    assert all(not torch.equal(one, other) for place, one in enumerate(seen) for other in seen[:place])


def test_load_evenly_gives_evenly_spaced_images_without_augmentation() -> None:
    feed = load(numbered(11, side=10), 3, VARIED, size=8)
    assert numbers(feed.load_evenly(3)) == [0, 5, 10] and feed.load_evenly(3).shape == (3, 3, 10, 10)
    assert numbers(feed.load_evenly(99)) == list(range(11))
    assert torch.equal(feed.load_evenly(11), feed.load_evenly(11))
    pixels = random(5)
    again = to_pixels(load(pixels, 3, VARIED, size=8).load_evenly(5)).numpy()
    assert np.array_equal(again, pixels)


def test_load_evenly_resizes() -> None:
    feed = load(numbered(4, side=20), 3, VARIED, size=16)
    assert feed.load_evenly(2, 5).shape == (2, 3, 5, 5) and numbers(feed.load_evenly(2, 5)) == [0, 3]
    assert feed.load_evenly(2, 20).shape == feed.load_evenly(2).shape == (2, 3, 20, 20)


def test_only_images_of_the_indices_are_loaded() -> None:
    feed = Loader(numbered(20), np.array([3, 5, 8]), 4, 2, AS_THEY_ARE, 0, CPU)
    assert {number for step in range(9) for number in numbers(feed.load_batch(step, seeded()))} == {3, 5, 8}
    assert numbers(feed.load_evenly(9)) == [3, 5, 8] and len(feed) == 3


@given(count=st.integers(2, 500), share=st.floats(0.01, 0.9), seed=st.integers(0, 9))
def test_a_split_is_a_partition_with_held_out_images(count: int, share: float, seed: int) -> None:
    learned, heldout = split(count, share, seed)
    assert sorted([*learned, *heldout]) == list(range(count))
    assert len(learned) >= 1 and len(heldout) >= 1
    assert abs(len(heldout) - count * share) <= 1
    assert np.array_equal(split(count, share, seed)[1], heldout)


def test_a_fraction_of_zero_holds_nothing_out() -> None:
    learned, heldout = split(10, 0.0, 0)
    assert len(learned) == 10 and len(heldout) == 0


def test_larger_images_are_held_at_the_size_of_the_loader() -> None:
    feed = load(np.full((3, 64, 64, 3), 77, np.uint8), 2, VARIED, size=16)
    assert feed.side == 20
    assert numbers(feed.load_batch(0, seeded())) == [77, 77] and numbers(feed.load_evenly(1)) == [77]


def test_a_store_too_large_for_the_device_is_read_batch_by_batch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pixels = np.lib.format.open_memmap(tmp_path / "pixels.npy", "w+", np.uint8, (40, 8, 8, 3))
    pixels[:] = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint8)
    here = load(pixels, 7, VARIED, size=4)
    monkeypatch.setattr(room, "available", lambda device: 100)
    feed = load(pixels, 7, VARIED, size=4)
    assert here.resident and not feed.resident
    assert torch.equal(feed.load_batch(3, seeded()), here.load_batch(3, seeded()))
    assert torch.equal(feed.load_evenly(9), here.load_evenly(9))


def test_random_streams_have_different_seeds() -> None:
    seeds = {stream_seed(seed, name, step) for seed in range(10) for name in ("step", "epoch") for step in range(100)}
    assert len(seeds) == 2000
