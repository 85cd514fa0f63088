import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from impasto.losses.patch_nce import patch_nce


def features(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(pictures=st.integers(1, 3), places=st.integers(1, 5), channels=st.integers(1, 6), tau=st.floats(0.05, 2))
def test_it_is_the_loss_of_the_paper_place_by_place(pictures: int, places: int, channels: int, tau: float) -> None:
    query, key = features(0, pictures, places, channels), features(1, pictures, places, channels)

    def likeness(b: int, i: int, j: int) -> float:
        q, k = query[b, i].double(), key[b, j].double()
        return math.exp(float(q @ k / (q.norm() * k.norm())) / tau)

    losses = [
        -math.log(likeness(b, i, i) / sum(likeness(b, i, j) for j in range(places)))
        for b in range(pictures)
        for i in range(places)
    ]
    assert patch_nce(query, key, tau).item() == pytest.approx(sum(losses) / len(losses), rel=1e-4, abs=1e-5)


def test_it_is_zero_for_the_same_features_and_log_of_the_places_for_blind_ones() -> None:
    one_for_each = torch.eye(16).expand(2, 16, 16)
    assert patch_nce(one_for_each, one_for_each).item() == pytest.approx(0, abs=1e-4)
    assert patch_nce(torch.ones(2, 16, 8), features(0, 2, 16, 8)).item() >= math.log(16)
    assert patch_nce(features(0, 2, 16, 8), torch.ones(2, 16, 8)).item() == pytest.approx(math.log(16))


def test_other_pictures_are_no_negatives() -> None:
    query, key = features(0, 3, 7, 5), features(1, 3, 7, 5)
    alone = torch.stack([patch_nce(query[b : b + 1], key[b : b + 1]) for b in range(3)])
    torch.testing.assert_close(patch_nce(query, key), alone.mean())


def test_only_the_query_learns_and_it_learns_to_be_recognised() -> None:
    query, key = features(0, 1, 7, 5).requires_grad_(), features(1, 1, 7, 5).requires_grad_()
    before = patch_nce(query, key)
    before.backward()
    assert key.grad is None and query.grad is not None
    assert patch_nce(query - 0.1 * query.grad, key) < before


def test_under_bf16_it_is_computed_as_in_fp32() -> None:
    query, key = features(0, 2, 64, 32), features(1, 2, 64, 32)
    with torch.autocast("cpu", torch.bfloat16):
        rough = patch_nce(query, key)
    assert torch.equal(rough, patch_nce(query, key))
