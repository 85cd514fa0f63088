"""Running statistics of BatchNorm."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def restored_statistics(network: nn.Module) -> Iterator[None]:
    """Restore all buffers on exit, so that the network can run in training mode without changing its statistics."""
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        yield
    finally:
        for buffer, before in buffers:
            buffer.copy_(before)
