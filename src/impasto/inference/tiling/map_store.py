"""Storage for whole feature maps during tiled inference: on the device, or in a temporary file."""

import errno
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from impasto.device import available
from impasto.files import full_disk_errors
from impasto.inference.tiling.window import Window

#: Preferred folder for large temporary files: /tmp is often a RAM disk.
LARGE = Path("/var/tmp")


class MapStore(Protocol):
    """Feature maps (1, C, H, W), written and read window by window."""

    def write(self, window: Window, values: Tensor) -> None:
        """Store values (1, C, h, w). Raises ImpastoError if the disk is full."""

    def read(self, window: Window) -> Tensor:
        """Return values (1, C, h, w), channels-last."""

    def close(self) -> None:
        """Free the memory or file."""


def open_store(shape: Sequence[int], dtype: torch.dtype, device: torch.device, spare: int) -> MapStore:
    """Open a store: on a GPU if that leaves ``spare`` bytes free, else in a file."""
    if device.type == "cuda" and math.prod(shape) * dtype.itemsize + spare <= available(device):
        return TensorMapStore(shape, dtype, device)
    return FileMapStore(shape, device)


class TensorMapStore:
    """Feature maps on the device."""

    def __init__(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> None:
        self._maps = torch.empty(tuple(shape), dtype=dtype, device=device, memory_format=torch.channels_last)

    def write(self, window: Window, values: Tensor) -> None:
        self._maps[..., window.top : window.bottom, window.left : window.right] = values

    def read(self, window: Window) -> Tensor:
        return self._maps[..., window.top : window.bottom, window.left : window.right].clone()

    def close(self) -> None:
        self._maps = torch.empty(0)


class FileMapStore:
    """Feature maps of any dtype in an unnamed temporary file, which disappears with the store or the process.

    It lies in ``TMPDIR`` if that is set, else in :data:`LARGE` if that exists.
    """

    def __init__(self, shape: Sequence[int], device: torch.device) -> None:
        _, self._channels, _, self._width = shape
        self._device = device
        self._dtype = torch.float32
        self._folder = LARGE if "TMPDIR" not in os.environ and LARGE.is_dir() else Path(tempfile.gettempdir())
        self._file = tempfile.TemporaryFile(buffering=0, dir=self._folder)  # noqa: SIM115  (open as long as the store)

    def write(self, window: Window, values: Tensor) -> None:
        self._dtype = values.dtype
        rows = values[0].permute(1, 2, 0).contiguous().cpu().flatten(1).view(torch.uint8).numpy()
        with full_disk_errors(self._folder / "a temporary file"):
            for row, line in enumerate(rows, window.top):
                self._seek(row, window.left)
                if self._file.write(line) != line.nbytes:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def read(self, window: Window) -> Tensor:
        height, width = window.bottom - window.top, window.right - window.left
        values = torch.empty(height, width, self._channels, dtype=self._dtype)
        for row, line in enumerate(values.flatten(1).view(torch.uint8).numpy(), window.top):
            self._seek(row, window.left)
            self._file.readinto(line)
        return values.to(self._device).permute(2, 0, 1)[None]

    def close(self) -> None:
        self._file.close()

    def _seek(self, row: int, column: int) -> None:
        self._file.seek((row * self._width + column) * self._channels * self._dtype.itemsize)
