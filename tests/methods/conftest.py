"""Fixtures of the tests of methods."""

from collections.abc import Iterator

import pytest
from lightning_fabric import Fabric

from fixtures.tiny import float64


@pytest.fixture
def exact() -> Iterator[Fabric]:
    """A Fabric of float64, for comparisons with a second implementation."""
    with float64() as fabric:
        yield fabric
