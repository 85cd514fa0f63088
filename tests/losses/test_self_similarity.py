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


def reference(source: Tensor, output: Tensor, positions: list[int]) -> float:
    """Equations 1 and 3, position by position."""
    distances = []
    for pair in zip(source.double().numpy(), output.double().numpy(), strict=True):
        centred = [each.reshape(len(each), -1) for each in pair]
        centred = [each - each.mean(1, keepdims=True) for each in centred]
        count = centred[0].shape[1]
        for position in positions:
            rows = [np.array([cosine(f[:, position], f[:, other]) for other in range(count)]) for f in centred]
            distances.append(1 - cosine(*rows))
    return float(np.mean(distances))


@given(st.integers(1, 3), st.integers(2, 5), st.integers(2, 5), st.integers(2, 5), st.integers(1, 9), seeds)
def test_the_loss_equals_a_second_implementation_of_the_paper(
    count: int, channels: int, height: int, width: int, positions: int, seed: int
) -> None:
    one, other = maps(2, count, channels, height, width, seed=seed)
    chosen = torch.randint(height * width, (positions,), generator=torch.Generator().manual_seed(seed))
    found = self_similarity(one, other, chosen)
    assert found.shape == () and found.dtype == torch.float32
    assert found.item() == pytest.approx(reference(one, other, chosen.tolist()), abs=2e-4)


def test_the_loss_is_zero_for_equal_features_only() -> None:
    one, other = maps(2, 2, 6, 5, 7)
    positions = torch.arange(35)
    assert self_similarity(one, one, positions).abs() < 1e-6
    assert 0.3 < self_similarity(one, other, positions) < 2


@given(seeds, st.floats(0.01, 100))
def test_the_loss_is_invariant_to_scale_and_constant_offset_of_features(seed: int, scale: float) -> None:
    """A different scale and constant vector for each image."""
    one, other = maps(2, 3, 4, 3, 5, seed=seed)
    positions, offset = torch.tensor([0, 3, 14]), 3 * maps(3, 4, 1, 1, seed=seed + 1)
    scales = torch.tensor([scale, 1.0, 1 / scale]).view(3, 1, 1, 1)
    expected = self_similarity(one, other, positions)
    torch.testing.assert_close(self_similarity(one, scales * (other + offset), positions), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(self_similarity(scales * (one + offset), other, positions), expected, atol=1e-4, rtol=0)


@given(seeds)
def test_the_loss_is_invariant_to_rotations_of_channels(seed: int) -> None:
    """It depends on the layout, not on the appearance: a flipped layout has a distance."""
    one = maps(2, 5, 4, 4, seed=seed)
    rotation = torch.linalg.qr(maps(5, 5, seed=seed + 1))[0]
    rotated, positions = torch.einsum("ij,bjhw->bihw", rotation, one), torch.arange(16)
    assert self_similarity(one, rotated, positions) < 1e-4
    assert self_similarity(one, rotated.flip(3), positions) > 0.1


def test_only_the_given_positions_are_compared_with_all_others() -> None:
    one = maps(1, 6, 4, 4)
    other = one.clone()
    other[..., 3, 3] = maps(1, 6, seed=5)  # the last position
    everywhere, changed = torch.arange(16), torch.tensor([15])
    assert 0 < self_similarity(one, other, everywhere) < self_similarity(one, other, changed)
    alone = torch.stack([self_similarity(one, other, position[None]) for position in everywhere]).mean()
    torch.testing.assert_close(self_similarity(one, other, everywhere), alone)


def test_gradients_reach_both_inputs_and_are_finite_for_constant_features() -> None:
    source, output = maps(1, 4, 3, 3), maps(1, 4, 3, 3, seed=1).requires_grad_()
    self_similarity(source, output, torch.tensor([2, 5])).backward()
    assert output.grad is not None and (output.grad != 0).all() and source.grad is None
    other = source.clone().requires_grad_()
    self_similarity(other, output.detach(), torch.tensor([2, 5])).backward()
    assert other.grad is not None and (other.grad != 0).all()
    flat = torch.ones(1, 4, 3, 3, requires_grad=True)
    loss = self_similarity(source.detach(), flat, torch.tensor([2, 5]))
    loss.backward()
    assert loss.isfinite() and flat.grad is not None and flat.grad.isfinite().all()


def test_gradient_descent_restores_the_layout() -> None:
    source, output = maps(1, 8, 4, 4), maps(1, 8, 4, 4, seed=1).requires_grad_()
    optimiser, positions = torch.optim.Adam([output], 0.05), torch.arange(16)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = self_similarity(source, output, positions)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_the_loss_is_computed_in_float32_under_autocast() -> None:
    one, other = maps(2, 1, 4, 6, 6)
    positions = torch.arange(36)
    with torch.autocast("cpu", torch.bfloat16):
        found = self_similarity(one, other, positions)
    assert torch.equal(found, self_similarity(one, other, positions))
    rounded = self_similarity(one.bfloat16(), other.bfloat16(), positions)
    assert rounded.dtype == torch.float32 and rounded == pytest.approx(found.item(), abs=0.02)
