"""BatchNorm's running statistics."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def restored_statistics(network: nn.Module) -> Iterator[None]:
    """Inside, the network may run on other batches in training mode; its running statistics come back after."""
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        yield
    finally:
        for buffer, before in buffers:
            buffer.copy_(before)
