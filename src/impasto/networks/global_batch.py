"""Layers whose result depends on the whole batch or on random numbers of its samples, in data-parallel training."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from impasto import parallel


def act_on_global_batch(network: nn.Module) -> nn.Module:
    """Let the BatchNorm2d and Dropout layers of a network act on the batch of all processes, and return it; parameters
    and names stay as they are."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = GlobalBatchNorm2d
        elif type(module) is nn.Dropout:
            module.__class__ = GlobalDropout
    return network


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm with the statistics of the global batch in training; with one process, torch's own."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or parallel.current().size == 1:
            return super().forward(input)
        output: Tensor
        output, mean, variance, count = _Normalise.apply(input, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        self._update_statistics(mean, variance * count / (count - 1))
        return output

    @torch.no_grad()
    def _update_statistics(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)


class _Normalise(torch.autograd.Function):
    """Normalise maps (B, C, H, W) by the mean and variance of the global batch; return also these, (C,), and of how
    many values they are. The parts of the processes may differ in size."""

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        exact = maps if maps.dtype == torch.float64 else maps.float()
        variances, means = torch.var_mean(exact, (0, 2, 3), correction=0)
        counts = torch.full_like(means, maps.numel() // maps.shape[1])
        counts, means, variances = parallel.gather(torch.stack([counts, means, variances])[None]).unbind(1)  # (P, C)
        count = counts.sum(0)
        mean = (counts * means).sum(0) / count
        variance = (counts * (variances + (means - mean).square())).sum(0) / count  # Chan et al. 1979
        ctx.processes = parallel.current()  # on CUDA the backward pass runs in a thread of its own
        ctx.save_for_backward(maps, weight, mean, (variance + eps).rsqrt(), count)
        output = F.batch_norm(maps, mean, variance, weight, bias, False, 0.0, eps)
        ctx.mark_non_differentiable(mean, variance, count)
        return output, mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight, mean, scale, count = ctx.saved_tensors
        mean, scale = mean[:, None, None], scale[:, None, None]
        normalised = (maps.to(mean.dtype) - mean) * scale
        gradient = gradient.to(mean.dtype)
        sums = torch.stack([gradient.sum((0, 2, 3)), (gradient * normalised).sum((0, 2, 3))])
        along_mean, along_scale = (parallel.all_sum(sums, ctx.processes) / count)[:, :, None, None]
        slope = scale if weight is None else scale * weight.to(scale.dtype)[:, None, None]
        change = (slope * (gradient - along_mean - normalised * along_scale)).to(maps.dtype)
        return change, None if weight is None else sums[1], None if weight is None else sums[0], None


class GlobalDropout(nn.Dropout):
    """Dropout whose mask is drawn for the global batch, so that it is the same for any number of processes."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not self.p:
            return input
        layout = torch.channels_last if input.is_contiguous(memory_format=torch.channels_last) else None
        shape = (parallel.whole(len(input)), *input.shape[1:])
        mask = torch.empty(shape, dtype=input.dtype, device=input.device)
        if layout is not None:
            mask = mask.to(memory_format=layout)
        return input * parallel.part(mask.bernoulli_(1 - self.p).div_(1 - self.p))
