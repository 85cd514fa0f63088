import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from impasto.methods.image_pool import ImagePool


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(first: int, count: int) -> Tensor:
    """Constant images with these values."""
    return torch.arange(first, first + count).float()[:, None, None, None].expand(count, 3, 2, 2).contiguous()


def numbers(pictures: Tensor) -> list[int]:
    assert (pictures == pictures[:, :1, :1, :1]).all()
    return [int(value) for value in pictures[:, 0, 0, 0]]


@given(
    capacity=st.integers(1, 9), batches=st.lists(st.integers(1, 12), min_size=1, max_size=6), seed=st.integers(0, 999)
)
def test_the_vectorised_pool_equals_a_loop_over_fakes(capacity: int, batches: list[int], seed: int) -> None:
    """With the same random numbers, also for batches larger than the pool."""
    pool, rng, other, first = ImagePool(capacity, 2), seeded(seed), seeded(seed), 1
    slots: list[int] = []
    for count in batches:
        returned = numbers(pool(numbered(first, count), rng))
        coins = torch.rand(count, generator=other).tolist()
        choices = torch.randint(capacity, (count,), generator=other).tolist()
        expected = []
        for fake, coin, choice in zip(range(first, first + count), coins, choices, strict=True):
            if len(slots) < capacity:
                slots.append(fake)
                expected.append(fake)
            elif coin < 0.5:
                expected.append(slots[choice])
                slots[choice] = fake
            else:
                expected.append(fake)
        assert returned == expected
        assert numbers(pool.pictures)[: len(slots)] == slots
        first += count


def test_fakes_are_returned_while_the_pool_is_not_full() -> None:
    pool, rng = ImagePool(6, 2), seeded()
    assert numbers(pool(numbered(1, 3), rng)) == [1, 2, 3]
    assert numbers(pool(numbered(4, 3), rng)) == [4, 5, 6]
    assert numbers(pool.pictures) == [1, 2, 3, 4, 5, 6]


def test_half_of_the_returned_fakes_are_old_and_none_is_lost_or_repeated() -> None:
    pool, rng = ImagePool(50, 2), seeded()
    pool(numbered(0, 50), rng)
    returned = [numbers(pool(numbered(first, 4), rng)) for first in range(50, 4050, 4)]
    old = sum(number < first for first, batch in zip(range(50, 4050, 4), returned, strict=True) for number in batch)
    assert 1850 < old < 2150
    seen = [number for batch in returned for number in batch] + numbers(pool.pictures)
    assert sorted(seen) == list(range(4050))


def test_a_pool_resumes_exactly_from_its_state_dict() -> None:
    pool, rng = ImagePool(5, 2), seeded()
    for first in (1, 4, 7):
        pool(numbered(first, 3), rng)
    resumed = ImagePool(5, 2)
    resumed.load_state_dict(copy.deepcopy(pool.state_dict()))
    one, two = pool(numbered(10, 8), seeded(1)), resumed(numbered(10, 8), seeded(1))
    assert torch.equal(one, two) and torch.equal(pool.pictures, resumed.pictures)


def test_without_capacity_the_fakes_themselves_are_returned() -> None:
    fakes = numbered(1, 3).requires_grad_()
    assert ImagePool(0, 2)(fakes, seeded()) is fakes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_returned_fakes_have_shape_and_dtype_of_the_input_and_no_gradient(dtype: torch.dtype) -> None:
    fakes = numbered(1, 4).to(dtype).requires_grad_()
    returned = ImagePool(2, 2)(fakes, seeded())
    assert returned.shape == fakes.shape and returned.dtype == dtype and not returned.requires_grad
