import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from impasto.errors import ImpastoError
from impasto.training import checkpoint


def state(step: int) -> dict[str, object]:
    return {"step": step, "networks": {"generator": {"weight": torch.arange(1000.0) * step}}}


def test_the_newest_checkpoint_is_loaded_and_three_are_kept(tmp_path: Path) -> None:
    for step in (1, 5, 10, 200):
        checkpoint.save(tmp_path, step, state(step))
    loaded, damaged = checkpoint.newest(tmp_path)
    assert loaded["step"] == 200 and not damaged
    assert torch.equal(loaded["networks"]["generator"]["weight"], torch.arange(1000.0) * 200)
    assert [checkpoint.step_of(path) for path in checkpoint.steps(tmp_path)] == [5, 10, 200]


def test_files_of_other_names_are_neither_loaded_nor_deleted(tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("step-mine.pt", "step-00000001-copy.pt", "step-9.pt.bak")]
    for path in others:
        path.write_bytes(b"mine")
    for step in (1, 99_999_999, 100_000_000, 100_000_001):
        checkpoint.save(tmp_path, step, state(step))
    assert checkpoint.newest(tmp_path)[0]["step"] == 100_000_001
    assert [checkpoint.step_of(path) for path in checkpoint.steps(tmp_path)] == [99_999_999, 100_000_000, 100_000_001]
    assert [path.read_bytes() for path in others] == [b"mine"] * 3


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "too little memory"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"), "too little"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
    ],
)
def test_a_checkpoint_that_cannot_be_read_now_is_not_called_damaged(
    error: Exception, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoint.save(tmp_path, 1, state(1))

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", fail)
        with pytest.raises(ImpastoError, match=told):
            checkpoint.newest(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("keep", [0, 1, 100, 2000])
def test_a_damaged_checkpoint_is_skipped_and_renamed(tmp_path: Path, keep: int) -> None:
    checkpoint.save(tmp_path, 1, state(1))
    broken = checkpoint.save(tmp_path, 2, state(2))
    broken.write_bytes(broken.read_bytes()[:keep])
    loaded, damaged = checkpoint.newest(tmp_path)
    assert loaded["step"] == 1 and damaged == [broken.with_suffix(".damaged")]


def test_a_flipped_bit_is_detected(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 1, state(1))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ImpastoError, match="No checkpoint"):
        checkpoint.newest(tmp_path)


def test_no_code_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "pwned"),)

    torch.save({"step": Evil()}, tmp_path / "step-00000001.pt")
    with pytest.raises(ImpastoError, match="cannot be read"):
        checkpoint.load(tmp_path / "step-00000001.pt")
    assert not (tmp_path / "pwned").exists()


def test_a_full_disk_leaves_the_last_checkpoint_intact(tmp_path: Path) -> None:
    """A limit of the file size stands for the disk: the system refuses the write half-way."""
    code = f"""
import resource, torch
from pathlib import Path
from impasto.errors import ImpastoError
from impasto.training import checkpoint
folder = Path({str(tmp_path)!r})
checkpoint.save(folder, 1, {{"step": 1, "weight": torch.zeros(100)}})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    checkpoint.save(folder, 2, {{"step": 2, "weight": torch.zeros(100_000)}})
except ImpastoError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "disk is full" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.pt"]
    assert checkpoint.newest(tmp_path)[0]["step"] == 1
