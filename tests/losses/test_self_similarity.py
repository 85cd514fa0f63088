import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from impasto.losses.self_similarity import self_similarity

seeds = st.integers(0, 999)


def maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def written_out(source: Tensor, painted: Tensor, places: list[int]) -> float:
    """Equations 1 and 3, place by place."""
    distances = []
    for pair in zip(source.double().numpy(), painted.double().numpy(), strict=True):
        centred = [each.reshape(len(each), -1) for each in pair]
        centred = [each - each.mean(1, keepdims=True) for each in centred]
        count = centred[0].shape[1]
        for place in places:
            rows = [np.array([cosine(f[:, place], f[:, other]) for other in range(count)]) for f in centred]
            distances.append(1 - cosine(*rows))
    return float(np.mean(distances))


@given(st.integers(1, 3), st.integers(2, 5), st.integers(2, 5), st.integers(2, 5), st.integers(1, 9), seeds)
def test_it_is_the_papers_loss_written_out(
    count: int, channels: int, height: int, width: int, places: int, seed: int
) -> None:
    one, other = maps(2, count, channels, height, width, seed=seed)
    chosen = torch.randint(height * width, (places,), generator=torch.Generator().manual_seed(seed))
    found = self_similarity(one, other, chosen)
    assert found.shape == () and found.dtype == torch.float32
    assert found.item() == pytest.approx(written_out(one, other, chosen.tolist()), abs=2e-4)


def test_the_same_picture_is_at_no_distance_and_another_one_is_not() -> None:
    one, other = maps(2, 2, 6, 5, 7)
    places = torch.arange(35)
    assert self_similarity(one, one, places).abs() < 1e-6
    assert 0.3 < self_similarity(one, other, places) < 2


@given(seeds, st.floats(0.01, 100))
def test_how_strong_features_are_and_what_all_places_share_does_not_count(seed: int, scale: float) -> None:
    """Another scale and another constant vector for each picture."""
    one, other = maps(2, 3, 4, 3, 5, seed=seed)
    places, offset = torch.tensor([0, 3, 14]), 3 * maps(3, 4, 1, 1, seed=seed + 1)
    scales = torch.tensor([scale, 1.0, 1 / scale]).view(3, 1, 1, 1)
    expected = self_similarity(one, other, places)
    torch.testing.assert_close(self_similarity(one, scales * (other + offset), places), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(self_similarity(scales * (one + offset), other, places), expected, atol=1e-4, rtol=0)


@given(seeds)
def test_other_features_of_the_same_layout_are_at_no_distance(seed: int) -> None:
    """Self-similarities do not change when channels are rotated: how a thing looks does not count, where it is does."""
    one = maps(2, 5, 4, 4, seed=seed)
    rotation = torch.linalg.qr(maps(5, 5, seed=seed + 1))[0]
    rotated, places = torch.einsum("ij,bjhw->bihw", rotation, one), torch.arange(16)
    assert self_similarity(one, rotated, places) < 1e-4
    assert self_similarity(one, rotated.flip(3), places) > 0.1


def test_only_the_chosen_places_are_compared_with_all_others() -> None:
    one = maps(1, 6, 4, 4)
    other = one.clone()
    other[..., 3, 3] = maps(1, 6, seed=5)  # the last place, which is near every row's end
    everywhere, there = torch.arange(16), torch.tensor([15])
    assert 0 < self_similarity(one, other, everywhere) < self_similarity(one, other, there)
    alone = torch.stack([self_similarity(one, other, place[None]) for place in everywhere]).mean()
    torch.testing.assert_close(self_similarity(one, other, everywhere), alone)


def test_gradients_reach_both_pictures_if_they_are_wanted_and_are_finite_where_features_are_flat() -> None:
    source, painted = maps(1, 4, 3, 3), maps(1, 4, 3, 3, seed=1).requires_grad_()
    self_similarity(source, painted, torch.tensor([2, 5])).backward()
    assert painted.grad is not None and (painted.grad != 0).all() and source.grad is None
    other = source.clone().requires_grad_()
    self_similarity(other, painted.detach(), torch.tensor([2, 5])).backward()
    assert other.grad is not None and (other.grad != 0).all()
    flat = torch.ones(1, 4, 3, 3, requires_grad=True)
    loss = self_similarity(source.detach(), flat, torch.tensor([2, 5]))
    loss.backward()
    assert loss.isfinite() and flat.grad is not None and flat.grad.isfinite().all()


def test_going_down_its_gradient_brings_the_layout_back() -> None:
    source, painted = maps(1, 8, 4, 4), maps(1, 8, 4, 4, seed=1).requires_grad_()
    optimiser, places = torch.optim.Adam([painted], 0.05), torch.arange(16)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = self_similarity(source, painted, places)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_in_bf16_it_is_computed_in_float32() -> None:
    one, other = maps(2, 1, 4, 6, 6)
    places = torch.arange(36)
    with torch.autocast("cpu", torch.bfloat16):
        found = self_similarity(one, other, places)
    assert torch.equal(found, self_similarity(one, other, places))
    rounded = self_similarity(one.bfloat16(), other.bfloat16(), places)
    assert rounded.dtype == torch.float32 and rounded == pytest.approx(found.item(), abs=0.02)
