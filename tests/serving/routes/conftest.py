"""A studio for the tests of one file of calls, and a client of it."""

from collections.abc import Iterator

import httpx
import pytest

from fixtures.http_studio import UNHURRIED, HttpStudio, serving
from impasto.serving.limits import Limits


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpStudio]:
    """Without a worker, so that jobs wait until a test does them."""
    with serving(tmp_path_factory.mktemp("studio"), Limits(**UNHURRIED)) as found:
        yield found


@pytest.fixture
def client(studio: HttpStudio) -> Iterator[httpx.Client]:
    with studio.client() as found:
        yield found
