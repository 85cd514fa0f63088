"""Data sets of images of one size, in memory or memory-mapped from a pack on disk."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO, Literal, Self

import numpy as np
import psutil
from numpy.typing import NDArray
from pydantic import BaseModel

from impasto.config import migrations
from impasto.config.types import Progress
from impasto.data.inventory import Inventory
from impasto.data.preprocess import build_inventory
from impasto.data.sources import open_source
from impasto.errors import MALFORMED, ImpastoError
from impasto.files import exclusive, full_disk_errors, path_errors, require_folder, user_path

PIXELS, INDEX, LOCK = "pixels.npy", "index.json", ".lock"


class _Index(BaseModel):
    format: Literal["impasto pack"] = "impasto pack"
    version: Literal[1] = 1
    inventory: Inventory


@dataclass(frozen=True)
class PixelStore:
    """Images of one size.

    Attributes:
        pixels: (N, size, size, 3) uint8, read-only.
        inventory: records of the images, and what was left out of their source.
    """

    pixels: NDArray[np.uint8]
    inventory: Inventory

    @property
    def size(self) -> int:
        """Side of every image, in pixels."""
        return self.inventory.size

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all pixels in order."""
        return self.inventory.fingerprint

    @property
    def names(self) -> list[str]:
        """Path of each image in its source."""
        return [picture.name for picture in self.inventory.pictures]

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a pack without reading its pixels, which are memory-mapped from ``pixels.npy``.

        Raises:
            ImpastoError: it is not a pack, is damaged, or was made by a later version of impasto.
        """
        folder = user_path(path)
        inventory = _read_index(folder).inventory
        try:
            pixels = np.load(folder / PIXELS, mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, SyntaxError, TokenError, *MALFORMED) as error:  # of the header, which is Python
            raise ImpastoError(
                f"The pack {path} is damaged, {PIXELS} is truncated or missing: pack it again."
            ) from error
        shape = (len(inventory.pictures), inventory.size, inventory.size, 3)
        if pixels.shape != shape or pixels.dtype != np.uint8:
            raise ImpastoError(f"The pack {path} is damaged, {PIXELS} and {INDEX} disagree: pack it again.")
        return cls(pixels, inventory)


def pack(
    spec: str | Path,
    out: str | Path,
    size: int = 256,
    crop_frames: bool = False,
    progress: Progress | None = None,
) -> PixelStore:
    """Preprocess a source and store it as a pack: a folder ``out`` with ``pixels.npy`` and ``index.json``.

    Pixels are written as they are decoded, so the memory use does not grow with the source. The folder is named
    ``out.part`` until it is complete.

    Args:
        spec: a data source (see :func:`~impasto.data.sources.open_source`).
        out: the folder to create.
        size: side of the stored squares, in pixels.
        crop_frames: crop borders, mounts and frames.
        progress: called with the number of images done and their total (None if unknown).

    Raises:
        ImpastoError: ``out`` exists, the disk is full, or the source has no usable image.
    """
    folder = user_path(out)
    with path_errors(folder):
        if folder.exists() or folder.is_symlink():
            raise ImpastoError(f"{out} already exists: choose another name or remove it.")
    if is_pack(spec):
        raise ImpastoError(f"{spec} is already a pack: give its original source.")
    require_folder(folder.parent)
    with open_source(spec) as source, full_disk_errors(folder), _atomic_folder(folder) as part:
        with (part / PIXELS).open("wb") as file:
            rows = _NpyWriter(file, size)
            inventory = build_inventory(source, size, rows.add, crop_frames=crop_frames, progress=progress)
            rows.finish()
        (part / INDEX).write_text(_Index(inventory=inventory).model_dump_json(), encoding="utf-8")
    return PixelStore.open(folder)


def load_images(spec: str | Path, size: int, crop_frames: bool = False, progress: Progress | None = None) -> PixelStore:
    """Open a pack at its own size, or preprocess any other source into memory at ``size``.

    Raises:
        ImpastoError: the source has no usable image, or needs more memory than is available.
    """
    if is_pack(spec):
        if crop_frames:
            raise ImpastoError(f"{spec} is a pack: crop the frames when packing (impasto pack --crop-frames).")
        return PixelStore.open(spec)
    with open_source(spec) as source:
        _require_memory(str(spec), source.total or 0, size)
        pixels = np.empty((source.total or 1024, size, size, 3), np.uint8)
        count = 0

        def add(image: NDArray[np.uint8]) -> None:
            nonlocal pixels, count
            if count == len(pixels):
                _require_memory(str(spec), 3 * count, size)  # old and doubled arrays exist while copying
                pixels = np.concatenate([pixels, np.empty_like(pixels)])
            pixels[count] = image
            count += 1

        inventory = build_inventory(source, size, add, crop_frames=crop_frames, progress=progress)
    used = pixels[:count]
    used.setflags(write=False)
    return PixelStore(used, inventory)


class _NpyWriter:
    """Write a ``.npy`` file image by image; the header receives the count at the end."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size, self._count = file, size, 0
        self._write_header()
        self._begin = file.tell()

    def add(self, image: NDArray[np.uint8]) -> None:
        self._file.write(image.data)
        self._count += 1

    def finish(self) -> None:
        self._file.seek(0)
        self._write_header()
        if self._file.tell() != self._begin:  # numpy pads the header so that the first axis can grow
            raise RuntimeError("the length of the .npy header changed")

    def _write_header(self) -> None:
        np.lib.format.write_array_header_1_0(
            self._file,
            {"descr": "|u1", "fortran_order": False, "shape": (self._count, self._size, self._size, 3)},
        )


@contextlib.contextmanager
def _atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to ``folder`` on success and removed on failure."""
    part = folder.with_name(folder.name + ".part")
    with path_errors(part):
        if part.exists() and not (part.is_dir() and {each.name for each in part.iterdir()} <= {PIXELS, INDEX, LOCK}):
            raise ImpastoError(f"{part} exists and was not left by an earlier packing: remove or rename it.")
    try:
        with path_errors(part):
            part.mkdir(parents=True, exist_ok=True)
        with exclusive(part / LOCK, f"Another impasto process packs {folder}: wait for it, or choose another name."):
            try:
                yield part
                with path_errors(folder):
                    part.rename(folder)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
            (folder / LOCK).unlink()
    finally:
        with contextlib.suppress(OSError):  # it has been renamed, or another process writes into it
            part.rmdir()


def is_pack(spec: str | Path) -> bool:
    """Whether ``spec`` is the folder of a pack."""
    folder = user_path(spec)
    return folder.is_dir() and (folder / PIXELS).is_file()


def _read_index(folder: Path) -> _Index:
    try:
        text = (folder / INDEX).read_bytes()
    except OSError as error:
        raise ImpastoError(f"{folder} is not a pack: it has no readable {INDEX}.") from error
    try:
        values = migrations.pack(json.loads(text))
        return _Index.model_validate(values)
    except MALFORMED as error:
        with contextlib.suppress(*MALFORMED):
            if json.loads(text).get("version", 1) > 1:
                raise ImpastoError(f"The pack {folder} was made by a later version: update impasto.") from error
        raise ImpastoError(f"The pack {folder} is damaged, {INDEX} is invalid: pack it again.") from error


def _require_memory(spec: str, images: int, size: int) -> None:
    needed, available = images * size * size * 3, psutil.virtual_memory().available
    if needed > available:
        raise ImpastoError(
            f"{spec} needs {needed / 2**30:.1f} GB of memory and {available / 2**30:.1f} GB are free: "
            "pack it first (impasto pack) and give the pack."
        )
