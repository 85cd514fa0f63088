"""The moving average of a network's weights, which paints better than any single step's weights."""

import copy

import torch
from torch import Tensor, nn


class Ema:
    """Follows a network with a half-life given in pictures.

    At first the half-life is ``rampup`` × the pictures seen so far, so that the random start is soon forgotten
    (Karras et al. 2020, StyleGAN2-ADA, appendix). BatchNorm's buffers are copied, not averaged: whoever paints
    with the average measures them afresh.
    """

    def __init__(self, network: nn.Module, halflife: float, rampup: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.halflife, self.rampup = halflife, rampup

    @torch.no_grad()
    def update(self, network: nn.Module, batch: int, pictures: int) -> None:
        """Takes in the weights after a step of ``batch`` pictures, ``pictures`` having been seen in all."""
        halflife = min(self.halflife, self.rampup * pictures)
        keep = 0.5 ** (batch / max(halflife, 1e-9))
        averages: list[Tensor] = [*self.network.parameters()]
        weights: list[Tensor] = [*network.parameters()]
        torch._foreach_lerp_(averages, weights, 1.0 - keep)
        for average, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            average.copy_(buffer)
