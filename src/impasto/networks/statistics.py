"""BatchNorm's running statistics: measured afresh, or left as they are."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_BatchNorm = nn.modules.batchnorm._BatchNorm


def _norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


@torch.no_grad()
def remeasure(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Sets the running statistics to their plain average over ``batches``, and the network to evaluation.

    An averaged network's own activations differ from those that its running statistics were gathered on
    ("precise BatchNorm", Wu & Johnson 2021, arXiv:2105.07576, section 3).
    """
    norms = _norms(network)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average
    network.train()
    if norms:
        for batch in batches:
            network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()


@contextmanager
def kept(network: nn.Module) -> Iterator[None]:
    """Inside, the network may run on other batches in training mode; its running statistics come back after."""
    buffers = [(buffer, buffer.clone()) for norm in _norms(network) for buffer in norm.buffers()]
    try:
        yield
    finally:
        for buffer, before in buffers:
            buffer.copy_(before)
