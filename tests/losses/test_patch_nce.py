import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from impasto.losses.patch_nce import patch_nce


def features(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(pictures=st.integers(1, 3), places=st.integers(1, 5), channels=st.integers(1, 6), tau=st.floats(0.05, 2))
def test_the_loss_equals_the_formula_of_the_paper(pictures: int, places: int, channels: int, tau: float) -> None:
    query, key = features(0, pictures, places, channels), features(1, pictures, places, channels)

    def similarity(b: int, i: int, j: int) -> float:
        q, k = query[b, i].double(), key[b, j].double()
        return math.exp(float(q @ k / (q.norm() * k.norm())) / tau)

    losses = [
        -math.log(similarity(b, i, i) / sum(similarity(b, i, j) for j in range(places)))
        for b in range(pictures)
        for i in range(places)
    ]
    assert patch_nce(query, key, tau).item() == pytest.approx(sum(losses) / len(losses), rel=1e-4, abs=1e-5)


def test_the_loss_is_zero_for_perfect_and_log_p_for_uninformative_features() -> None:
    one_for_each = torch.eye(16).expand(2, 16, 16)
    assert patch_nce(one_for_each, one_for_each).item() == pytest.approx(0, abs=1e-4)
    assert patch_nce(torch.ones(2, 16, 8), features(0, 2, 16, 8)).item() >= math.log(16)
    assert patch_nce(features(0, 2, 16, 8), torch.ones(2, 16, 8)).item() == pytest.approx(math.log(16))


def test_other_images_are_not_used_as_negatives() -> None:
    query, key = features(0, 3, 7, 5), features(1, 3, 7, 5)
    alone = torch.stack([patch_nce(query[b : b + 1], key[b : b + 1]) for b in range(3)])
    torch.testing.assert_close(patch_nce(query, key), alone.mean())


def test_only_the_query_has_a_gradient_and_it_decreases_the_loss() -> None:
    query, key = features(0, 1, 7, 5).requires_grad_(), features(1, 1, 7, 5).requires_grad_()
    before = patch_nce(query, key)
    before.backward()
    assert key.grad is None and query.grad is not None
    assert patch_nce(query - 0.1 * query.grad, key) < before


def test_autocast_does_not_change_the_loss() -> None:
    query, key = features(0, 2, 64, 32), features(1, 2, 64, 32)
    with torch.autocast("cpu", torch.bfloat16):
        autocast = patch_nce(query, key)
    assert torch.equal(autocast, patch_nce(query, key))
