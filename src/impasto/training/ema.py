"""Exponential moving average (EMA) of a network's weights, which gives better samples than any single step's."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class ModelEma:
    """Average a network's weights with a half-life given in images.

    At first the half-life is ``rampup`` × the images seen so far, so that the random initialisation is soon forgotten
    (Karras et al. 2020, StyleGAN2-ADA, appendix). BatchNorm's running statistics are averaged like the weights; integer
    buffers (its batch counters) stay as they are.
    """

    def __init__(self, network: nn.Module, halflife: float, rampup: float) -> None:
        """Copy ``network``, in evaluation mode and without gradients."""
        self._average = AveragedModel(network, use_buffers=True).eval().requires_grad_(False)
        self._average.n_averaged += 1  # the first update averages, too, instead of copying
        self.halflife, self.rampup = halflife, rampup

    @property
    def network(self) -> nn.Module:
        """The averaged network."""
        return self._average.module

    def update(self, network: nn.Module, batch: int, images: int) -> None:
        """Average in the weights after a step on ``batch`` images, ``images`` having been seen in all."""
        halflife = min(self.halflife, self.rampup * images)
        average = get_ema_multi_avg_fn(0.5 ** (batch / max(halflife, 1e-9)))

        def average_floats(averages: Sequence[Tensor], weights: Sequence[Tensor], count: Tensor | int) -> None:
            if averages[0].is_floating_point():
                average(averages, weights, count)

        self._average.multi_avg_fn = average_floats
        with torch.no_grad():
            self._average.update_parameters(network)
