"""BatchNorm and dropout with one process; tests/test_parallel.py compares several."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fixtures.tiny import noise
from impasto.networks.global_batch import GlobalBatchNorm2d, act_on_global_batch


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("training", [True, False])
def test_with_one_process_the_layers_are_those_of_torch_bit_for_bit(
    layout: torch.memory_format, training: bool
) -> None:
    """Dropout too, on the CPU."""
    maps = noise(4, 6, 8, 8).contiguous(memory_format=layout)
    own, theirs = (nn.Sequential(nn.BatchNorm2d(6), nn.Dropout(0.3)).train(training) for _ in range(2))
    results = []
    for network in (act_on_global_batch(own), theirs):
        torch.manual_seed(1)
        inputs = maps.clone().requires_grad_()
        output = network(inputs)
        output.square().sum().backward()
        results.append((output, inputs.grad, *network.state_dict().values()))
    assert own.state_dict().keys() == theirs.state_dict().keys()
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)
    assert own(maps).is_contiguous(memory_format=layout)


def test_layers_of_other_kinds_stay() -> None:
    class OwnNorm(nn.BatchNorm2d):
        pass

    network = nn.Sequential(OwnNorm(3), nn.BatchNorm1d(3), nn.BatchNorm2d(3))
    act_on_global_batch(network)
    assert [type(each) for each in network] == [OwnNorm, nn.BatchNorm1d, GlobalBatchNorm2d]


def test_a_mask_keeps_the_share_and_the_mean() -> None:
    network = act_on_global_batch(nn.Dropout(0.25))
    output = network(torch.ones(8, 4, 32, 32))
    assert set(output.unique().tolist()) == {0.0, F.dropout(torch.ones(64), 0.25).max().item()}
    assert abs(float(output.mean()) - 1) < 0.05
