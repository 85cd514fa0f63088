"""A store of pictures: all of one size, in memory or memory-mapped from a folder that opens at once."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Self

import numpy as np
import psutil
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from impasto.config.types import Progress
from impasto.data.inventory import Inventory
from impasto.data.preprocess import collect
from impasto.data.sources import open_source
from impasto.errors import ImpastoError
from impasto.files import full_disk_errors

PIXELS, INDEX = "pixels.npy", "index.json"


class _Index(BaseModel):
    format: Literal["impasto pack"] = "impasto pack"
    version: Literal[1] = 1
    inventory: Inventory


@dataclass(frozen=True)
class PixelStore:
    """Pictures of one size.

    Attributes:
        pixels: (N, size, size, 3) uint8, read-only.
        inventory: what the pictures are, and what was left out of their source.
    """

    pixels: NDArray[np.uint8]
    inventory: Inventory

    @property
    def size(self) -> int:
        """Side of every picture, in pixels."""
        return self.inventory.size

    @property
    def fingerprint(self) -> str:
        """A digest of all pixels in their order: equal if and only if those are."""
        return self.inventory.fingerprint

    @property
    def names(self) -> list[str]:
        """Where each picture lay in its source."""
        return [picture.name for picture in self.inventory.pictures]

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a pack at once, without reading its pixels: they are mapped from ``pixels.npy`` when looked at.

        Raises:
            ImpastoError: it is no pack, is damaged, or was made by a later impasto.
        """
        folder = Path(path)
        survey = _read_index(folder).inventory
        try:
            pixels = np.load(folder / PIXELS, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ImpastoError(f"The pack {path} is damaged, {PIXELS} is cut short or gone: pack it anew.") from error
        shape = (len(survey.pictures), survey.size, survey.size, 3)
        if pixels.shape != shape or pixels.dtype != np.uint8:
            raise ImpastoError(f"The pack {path} is damaged, {PIXELS} and {INDEX} disagree: pack it anew.")
        return cls(pixels, survey)


def pack(
    spec: str | Path,
    out: str | Path,
    size: int = 256,
    crop_frames: bool = False,
    progress: Progress | None = None,
) -> PixelStore:
    """Read a source once and keep it as a folder ``out`` of ``pixels.npy`` and ``index.json``.

    Pixels are written as they come, so the memory that it takes does not grow with the source. The folder has
    its name only once it is whole: until then it is called ``out.part``.

    Raises:
        ImpastoError: ``out`` exists, the disk is full, or the source holds nothing usable.
    """
    folder = Path(out)
    if folder.exists() or folder.is_symlink():
        raise ImpastoError(f"{out} exists already: choose another name, or remove it.")
    if is_pack(spec):
        raise ImpastoError(f"{spec} is a pack already: give what it was made of.")
    with open_source(spec) as source, full_disk_errors(folder), _whole_folder(folder) as part:
        with (part / PIXELS).open("wb") as file:
            rows = _Rows(file, size)
            survey = collect(source, size, rows.add, crop_frames=crop_frames, progress=progress)
            rows.finish()
        (part / INDEX).write_text(_Index(inventory=survey).model_dump_json(), encoding="utf-8")
    return PixelStore.open(folder)


def gather(spec: str | Path, size: int, crop_frames: bool = False, progress: Progress | None = None) -> PixelStore:
    """Open a pack as it is, whatever its size; read any other source into memory at ``size``.

    Raises:
        ImpastoError: the source holds nothing usable, or more than the memory.
    """
    if is_pack(spec):
        if crop_frames:
            raise ImpastoError(f"{spec} is a pack: take the frames off when packing (impasto pack --crop-frames).")
        return PixelStore.open(spec)
    with open_source(spec) as source:
        _require_memory(str(spec), source.total or 0, size)
        pixels = np.empty((source.total or 1024, size, size, 3), np.uint8)
        count = 0

        def keep(picture: NDArray[np.uint8]) -> None:
            nonlocal pixels, count
            if count == len(pixels):
                _require_memory(str(spec), 3 * count, size)  # while it is copied, both the old and the doubled
                pixels = np.concatenate([pixels, np.empty_like(pixels)])
            pixels[count] = picture
            count += 1

        survey = collect(source, size, keep, crop_frames=crop_frames, progress=progress)
    kept = pixels[:count]
    kept.setflags(write=False)
    return PixelStore(kept, survey)


class _Rows:
    """A ``.npy`` file that grows by a picture at a time; its header learns at the end how many there are."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size, self._count = file, size, 0
        self._write_header()
        self._begin = file.tell()

    def add(self, picture: NDArray[np.uint8]) -> None:
        self._file.write(picture.data)
        self._count += 1

    def finish(self) -> None:
        self._file.seek(0)
        self._write_header()
        if self._file.tell() != self._begin:  # numpy leaves room in the header for the first axis to grow
            raise RuntimeError("numpy wrote a header of another length")

    def _write_header(self) -> None:
        np.lib.format.write_array_header_1_0(
            self._file,
            {"descr": "|u1", "fortran_order": False, "shape": (self._count, self._size, self._size, 3)},
        )


@contextlib.contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write to that takes the name ``folder`` in the end, or is gone if that fails."""
    part = folder.with_name(folder.name + ".part")
    if part.exists() and not (part.is_dir() and {each.name for each in part.iterdir()} <= {PIXELS, INDEX}):
        raise ImpastoError(f"{part} is in the way, and not what an earlier packing left: remove or rename it.")
    try:
        part.mkdir(parents=True, exist_ok=True)
        yield part
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def is_pack(spec: str | Path) -> bool:
    return (Path(spec) / PIXELS).is_file()


def _read_index(folder: Path) -> _Index:
    try:
        text = (folder / INDEX).read_bytes()
    except OSError as error:
        raise ImpastoError(f"{folder} is no pack: it has no readable {INDEX}.") from error
    try:
        return _Index.model_validate_json(text)
    except ValidationError as error:
        with contextlib.suppress(ValueError, AttributeError):
            if json.loads(text).get("version", 1) > 1:
                raise ImpastoError(f"The pack {folder} was made by a later impasto: update impasto.") from error
        raise ImpastoError(f"The pack {folder} is damaged, {INDEX} makes no sense: pack it anew.") from error


def _require_memory(spec: str, pictures: int, size: int) -> None:
    needed, available = pictures * size * size * 3, psutil.virtual_memory().available
    if needed > available:
        raise ImpastoError(
            f"{spec} would take {needed / 2**30:.1f} GB of memory, and {available / 2**30:.1f} GB are free: "
            "pack it first (impasto pack), and give the pack."
        )
