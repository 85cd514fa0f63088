"""What the tests of the methods share."""

from collections.abc import Iterator

import pytest
import torch
from lightning_fabric import Fabric


@pytest.fixture
def exact() -> Iterator[Fabric]:
    """Everything in float64, where Adam's division by a small root does not enlarge roundings."""
    torch.set_default_dtype(torch.float64)
    yield Fabric(accelerator="cpu", devices=1, precision="64-true")
    torch.set_default_dtype(torch.float32)
