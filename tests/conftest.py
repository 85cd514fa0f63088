"""Fixtures of all tests."""

import io
import os
import shutil
import signal
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

# Read when torch is imported. The networks of the tests are so small that threads would only wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, settings
from PIL import Image, ImageFilter
from torch import Tensor, nn

import impasto as package
from fixtures.command import ROOT, Impasto, run_here
from fixtures.postgres import postgres
from impasto.metrics.feature_extractors.inception_2015 import Inception
from impasto.training.interrupt import STOP_SIGNALS

# No deadline, since shared machines are slow at times; the same examples on every machine.
settings.register_profile(
    "impasto", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("impasto")
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, so that no process waits for one at the end."""
    items.sort(key=lambda item: item.path.name not in ("test_documents.py", "test_page.py", "test_plugins.py"))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use a cache of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IMPASTO_CACHE", "TRACKIO_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Set the default handlers, which commands inherit: under nohup and in the background, the tests ignore some."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOP_SIGNALS}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images that are not part of the repository, beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real images in shared/data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def impasto_command() -> list[str]:
    """The installed command, beside the Python that runs the tests."""
    return [str(Path(sys.executable).with_name("impasto"))]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL of the tests' own, without tables or with those of an earlier test."""
    initdb, pg_ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if initdb is None or pg_ctl is None or find_spec("psycopg") is None:
        pytest.skip("needs initdb and pg_ctl of PostgreSQL, and psycopg")
    with postgres(initdb, pg_ctl) as url:
        yield url


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    """A file system at addresses memory://…"""
    files = MemoryFileSystem()
    yield files
    files.rm("/", recursive=True)


@pytest.fixture(scope="session")
def paintings() -> Tensor:
    """Eight paintings, uint8 (8, 256, 256, 3)."""
    with zipfile.ZipFile(Path(package.__file__).parent / "sample" / "paintings.zip") as archive:
        files = sorted(archive.namelist())[:8]
        pictures = [np.asarray(Image.open(io.BytesIO(archive.read(file))).convert("RGB")) for file in files]
    return torch.from_numpy(np.stack(pictures))


@pytest.fixture(scope="session")
def invented_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights with fitting normalisation, so that every feature map depends on the image; a state dict with
    ``num_batches_tracked``, as newer torch writes it."""
    torch.manual_seed(0)
    network = Inception()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0  # takes over the statistics of one batch
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0, 0.3)
    noise = np.random.default_rng(0).integers(0, 256, (4, 299, 299, 3), dtype=np.uint8)
    blobs = np.stack([np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(4))) for picture in noise])
    with torch.inference_mode():
        network.train()(torch.from_numpy(blobs).permute(0, 3, 1, 2) / 16 - 8)
    path = tmp_path_factory.mktemp("inception") / "invented.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def impasto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Impasto:
    """Run the command ``impasto`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return run_here
