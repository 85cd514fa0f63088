import copy

import torch
from torch import nn

from impasto.networks.statistics import kept, remeasure


def test_remeasured_statistics_are_those_of_the_batches() -> None:
    norm = nn.BatchNorm2d(3)
    norm.running_mean.fill_(99)  # type: ignore[union-attr]
    batches = [torch.randn(8, 3, 4, 4) * 2 + 5 for _ in range(4)]
    remeasure(norm, batches)
    mean = torch.stack([b.mean((0, 2, 3)) for b in batches]).mean(0)
    variance = torch.stack([b.transpose(0, 1).flatten(1).var(1) for b in batches]).mean(0)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)
    assert norm.momentum == 0.1 and not norm.training


def test_a_network_judged_in_training_mode_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before = copy.deepcopy(network.state_dict())
    with kept(network):
        network(torch.randn(2, 3, 8, 8))
        assert not torch.equal(network.state_dict()["1.running_mean"], before["1.running_mean"])
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
