"""Exponential moving average (EMA) of a network's weights, which gives better samples than any single step's."""

import copy
import itertools

import torch
from torch import Tensor, nn


class ModelEma:
    """Average a network's weights with a half-life given in images.

    At first the half-life is ``rampup`` × the images seen so far, so that the random initialisation is soon forgotten
    (Karras et al. 2020, StyleGAN2-ADA, appendix). BatchNorm's running statistics are averaged like the weights; integer
    buffers (its batch counters) stay as they are.
    """

    def __init__(self, network: nn.Module, halflife: float, rampup: float) -> None:
        """Copy ``network``, in evaluation mode and without gradients."""
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.halflife, self.rampup = halflife, rampup

    @torch.no_grad()
    def update(self, network: nn.Module, batch: int, images: int) -> None:
        """Average in the weights after a step on ``batch`` images, ``images`` having been seen in all."""
        halflife = min(self.halflife, self.rampup * images)
        decay = 0.5 ** (batch / max(halflife, 1e-9))
        # torch's AveragedModel waits for the device here, to copy its counter to it.
        torch._foreach_lerp_(_floats(self.network), _floats(network), 1 - decay)


def _floats(network: nn.Module) -> list[Tensor]:
    tensors = itertools.chain(network.parameters(), network.buffers())
    return [each.detach() for each in tensors if each.is_floating_point()]
