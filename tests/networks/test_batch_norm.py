import copy

import torch
from torch import nn

from impasto.networks.batch_norm import restored_statistics


def test_statistics_are_restored_after_running_in_training_mode() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before = copy.deepcopy(network.state_dict())
    with restored_statistics(network):
        network(torch.randn(2, 3, 8, 8))
        assert not torch.equal(network.state_dict()["1.running_mean"], before["1.running_mean"])
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
