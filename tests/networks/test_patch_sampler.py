import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from impasto.networks.patch_sampler import PatchSampler, sample_positions


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


MAPS = [torch.randn(2, 3, 6, 4, generator=seeded(1)), torch.randn(2, 5, 3, 2, generator=seeded(2))]


def test_a_feature_is_the_normalised_output_of_the_maps_head_at_that_position() -> None:
    torch.manual_seed(0)
    sampler = PatchSampler([3, 5])
    positions = [torch.tensor([7, 0, 23]), torch.tensor([5])]
    found = sampler(MAPS, positions)
    assert [tuple(each.shape) for each in found] == [(2, 3, 256), (2, 1, 256)]
    for head, features, at, vectors in zip(sampler.heads, MAPS, positions, found, strict=True):
        for b in range(2):
            for i, position in enumerate(at.tolist()):
                row, column = divmod(position, features.shape[3])
                expected = head(features[b, :, row, column])
                torch.testing.assert_close(vectors[b, i], expected / expected.norm())


def test_gradients_reach_the_maps_at_the_sampled_positions_only() -> None:
    maps = [MAPS[0].clone().requires_grad_()]
    sampler = PatchSampler([3], width=8)
    (found,) = sampler(maps, [torch.tensor([2])])
    (found * torch.arange(8.0)).sum().backward()
    assert maps[0].grad is not None
    assert maps[0].grad.flatten(2).abs().amax((0, 1)).nonzero().flatten().tolist() == [2]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in sampler.parameters())


def test_another_number_of_maps_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        PatchSampler([3, 5])(MAPS[:1], [torch.tensor([0])])


@given(count=st.integers(1, 40), seed=st.integers(0, 99))
def test_positions_are_distinct_and_all_are_returned_where_there_are_fewer(count: int, seed: int) -> None:
    positions = sample_positions(MAPS, count, seeded(seed))
    for at, size in zip(positions, (24, 6), strict=True):
        assert len(set(at.tolist())) == len(at) == min(count, size)
        assert set(at.tolist()) <= set(range(size))
    again = sample_positions(MAPS, count, seeded(seed))
    assert all(torch.equal(one, two) for one, two in zip(positions, again, strict=True))


def test_positions_are_uniformly_distributed() -> None:
    rng = seeded()
    drawn = torch.cat([sample_positions(MAPS, 6, rng)[0] for _ in range(2000)])
    counts = drawn.bincount(minlength=24)
    assert counts.min() > 400 and counts.max() < 600
