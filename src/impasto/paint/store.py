"""Maps that are kept in a file, because there are too many for the memory."""

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from impasto.files import no_space
from impasto.paint.window import Window

#: Where there may be large temporary files: /tmp is often kept in memory.
LARGE = Path("/var/tmp")


class Store:
    """Maps (1, C, H, W) of any type, written and read window by window. The file has no name, and goes with the store
    or the process. It lies where ``TMPDIR`` says, else in :data:`LARGE`, if there is such a folder."""

    def __init__(self, shape: Sequence[int], device: torch.device) -> None:
        _, self._channels, _, self._width = shape
        self._device = device
        self._dtype = torch.float32
        self._folder = LARGE if "TMPDIR" not in os.environ and LARGE.is_dir() else Path(tempfile.gettempdir())
        self._file = tempfile.TemporaryFile(buffering=0, dir=self._folder)  # noqa: SIM115  (it lives with the store)

    def write(self, window: Window, values: Tensor) -> None:
        """Keeps values (1, C, h, w). Raises ImpastoError if the disk is full."""
        self._dtype = values.dtype
        rows = values[0].permute(1, 2, 0).contiguous().cpu().flatten(1).view(torch.uint8).numpy()
        with no_space(self._folder / "a temporary file"):
            for row, line in enumerate(rows, window.top):
                self._seek(row, window.left)
                if self._file.write(line) != line.nbytes:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def read(self, window: Window) -> Tensor:
        """Values (1, C, h, w), channels-last."""
        height, width = window.bottom - window.top, window.right - window.left
        values = torch.empty(height, width, self._channels, dtype=self._dtype)
        for row, line in enumerate(values.flatten(1).view(torch.uint8).numpy(), window.top):
            self._seek(row, window.left)
            self._file.readinto(line)
        return values.to(self._device).permute(2, 0, 1)[None]

    def close(self) -> None:
        """Lets the file go."""
        self._file.close()

    def _seek(self, row: int, column: int) -> None:
        self._file.seek((row * self._width + column) * self._channels * self._dtype.itemsize)
