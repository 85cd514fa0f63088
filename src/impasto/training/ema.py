"""The moving average of a network's weights, which paints better than any single step's weights."""

import copy

import torch
from torch import Tensor, nn


class ModelEma:
    """Follows a network with a half-life given in pictures.

    At first the half-life is ``rampup`` × the pictures seen so far, so that the random start is soon forgotten
    (Karras et al. 2020, StyleGAN2-ADA, appendix). BatchNorm's running statistics are averaged like the weights.
    """

    def __init__(self, network: nn.Module, halflife: float, rampup: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.halflife, self.rampup = halflife, rampup

    @torch.no_grad()
    def update(self, network: nn.Module, batch: int, pictures: int) -> None:
        """Takes in the weights after a step of ``batch`` pictures, ``pictures`` having been seen in all."""
        halflife = min(self.halflife, self.rampup * pictures)
        keep = 0.5 ** (batch / max(halflife, 1e-9))
        averages, weights = _floats(self.network), _floats(network)
        torch._foreach_lerp_(averages, weights, 1.0 - keep)


def _floats(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *(buffer for buffer in network.buffers() if buffer.is_floating_point())]
