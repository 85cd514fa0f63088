"""Errors of the system end a command with one line, and errors of the program with a traceback."""

import errno
from pathlib import Path

import pytest
import torch

from impasto.cli.system_errors import system_errors_explained
from impasto.errors import ImpastoError


def test_the_file_and_the_reason_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match=r"gone: No such file or directory \("), system_errors_explained():
        (tmp_path / "gone").read_bytes()
    with pytest.raises(ImpastoError, match=r"^Input/output error"), system_errors_explained():
        raise OSError(errno.EIO, "Input/output error")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(ImpastoError, match="circle"), system_errors_explained():
        (tmp_path / "circle").resolve(strict=True)


def test_a_lack_of_memory_is_one_line() -> None:
    with pytest.raises(ImpastoError, match="too little memory"), system_errors_explained():
        torch.empty(1 << 60)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        RuntimeError("could not create a primitive"),
        SystemError("error return without exception set"),
        RuntimeError("PosixThread pthread_create failed, error code: 12 error msg: Cannot allocate memory"),
        ImportError("onnxruntime.so: failed to map segment from shared object"),
    ],
)
def test_errors_that_lack_of_memory_causes_are_recognised(error: Exception) -> None:
    with pytest.raises(ImpastoError, match="too little memory"), system_errors_explained():
        raise error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes differ"),
        OSError("cannot identify image file"),
        KeyError("x"),
        ImportError("x"),
        SystemError("f returned NULL without setting an exception"),
    ],
)
def test_errors_of_the_program_are_not_hidden(error: Exception) -> None:
    with pytest.raises(type(error)), system_errors_explained():
        raise error
