"""Stores return what was written, and report a full disk."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from impasto.inference.tiling.map_store import LARGE, FileMapStore, MapStore, TensorMapStore, open_store
from impasto.inference.tiling.window import Window, partition

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kept", [False, True])
def test_stores_are_written_and_read_in_different_windows(kept: bool, dtype: torch.dtype) -> None:
    maps = torch.randn(1, 5, 40, 30).to(dtype)
    store: MapStore = TensorMapStore(maps.shape, dtype, CPU) if kept else FileMapStore(maps.shape, CPU)
    for window in partition(40, 30, 16):
        store.write(window, maps[..., window.top : window.bottom, window.left : window.right])
    for window in (Window(0, 40, 0, 30), Window(7, 23, 11, 12)):
        assert torch.equal(store.read(window), maps[..., window.top : window.bottom, window.left : window.right])
    store.close()


def test_values_that_were_read_may_be_modified() -> None:
    store = TensorMapStore((1, 2, 4, 4), torch.float32, CPU)
    whole = Window(0, 4, 0, 4)
    store.write(whole, torch.ones(1, 2, 4, 4))
    store.read(whole).zero_()
    assert store.read(whole).min() == 1


def test_maps_are_stored_on_a_gpu_if_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    def filed(device: torch.device, spare: int) -> bool:
        store = open_store((1, 2, 5, 5), torch.float32, device, spare)
        store.close()
        return isinstance(store, FileMapStore)

    gpu = torch.device("cuda")
    monkeypatch.setattr("impasto.inference.tiling.map_store.available", lambda device: 1000)
    monkeypatch.setattr(
        "impasto.inference.tiling.map_store.TensorMapStore",
        lambda shape, dtype, device: TensorMapStore(shape, dtype, CPU),
    )
    assert filed(CPU, 0)
    assert not filed(gpu, 800)
    assert filed(gpu, 801)


LIMITED = """
import resource, torch
from impasto.errors import ImpastoError
from impasto.inference.tiling.map_store import FileMapStore
from impasto.inference.tiling.window import Window
store = FileMapStore((1, 1, 1, 10_000), torch.device("cpu"))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    store.write(Window(0, 1, 0, 10_000), torch.ones(1, 1, 1, 10_000))
except ImpastoError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file size")
@pytest.mark.parametrize("named", [False, True])
def test_a_partially_written_row_is_reported_as_a_full_disk(
    named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system writes what it has room for, and complains only the next time."""
    monkeypatch.delenv("TMPDIR", raising=False)
    if named:
        monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"The disk is full: {tmp_path if named or not LARGE.is_dir() else LARGE}")
