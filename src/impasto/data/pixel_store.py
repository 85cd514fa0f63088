"""Data sets of images of one size, in memory or memory-mapped from a pack."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, Self

import numpy as np
import psutil
from numpy.typing import NDArray
from pydantic_core import to_json

from impasto.cache import cache_folder
from impasto.config import migrations
from impasto.config.types import Progress
from impasto.data.inventory import Duplicate, Finding, ImageRecord, Inventory, LeftOut, Summary
from impasto.data.pack_files import FILE, INDEX, Index, LocalFiles, PackFiles, PackReader, open_pixels
from impasto.data.pack_writer import PackWriter
from impasto.data.pixel_shards import PixelShards
from impasto.data.places import LOCAL, is_address, open_place
from impasto.data.preprocess import build_inventory, collect
from impasto.data.remote_pack import RemoteFiles
from impasto.data.sources import open_source
from impasto.errors import MALFORMED, ImpastoError
from impasto.files import exclusive, full_disk_errors, make_folder, path_errors, require_folder, user_path

#: Pixels of packs of version 1.
PIXELS = "pixels.npy"
LOCK = ".lock"


class Records(Protocol):
    """The records of the images of a store, and what was found beside them."""

    @property
    def names(self) -> Sequence[str]:
        """Path of each image in its source."""

    def pictures(self) -> Iterator[ImageRecord]:
        """Yield the record of each image."""

    def findings(self) -> Iterator[Finding]:
        """Yield files that were left out, duplicates, and pairs of near duplicates."""


class _InventoryRecords:
    """The records of an inventory in memory."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self.names = [picture.name for picture in inventory.pictures]

    def pictures(self) -> Iterator[ImageRecord]:
        yield from self._inventory.pictures

    def findings(self) -> Iterator[Finding]:
        yield from self._inventory.left_out
        yield from self._inventory.duplicates
        yield from self._inventory.near_duplicates


@dataclass(frozen=True)
class PixelStore:
    """Images of one size.

    Attributes:
        pixels: (N, size, size, 3) uint8, read-only.
        summary: counts of the images, and of what was left out of their source.
        records: of each image; those of a pack are read when they are used.
    """

    pixels: PixelShards
    summary: Summary
    records: Records

    @property
    def size(self) -> int:
        """Side of every image, in pixels."""
        return self.summary.size

    @property
    def source(self) -> str:
        """The source of the images as the user wrote it."""
        return self.summary.source

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all pixels in order."""
        return self.summary.fingerprint

    @property
    def names(self) -> Sequence[str]:
        """Path of each image in its source."""
        return self.records.names

    @property
    def inventory(self) -> Inventory:
        """Records of the images, and what was left out of their source: about 1 KB of memory an image."""
        findings = list(self.records.findings())
        return Inventory(
            source=self.source,
            size=self.size,
            fingerprint=self.fingerprint,
            pictures=list(self.records.pictures()),
            left_out=[each for each in findings if isinstance(each, LeftOut)],
            duplicates=[each for each in findings if isinstance(each, Duplicate)],
            near_duplicates=[each for each in findings if isinstance(each, tuple)],
            junk=self.summary.junk,
        )

    def write_inventory(self, path: Path) -> None:
        """Write :attr:`inventory` as JSON, one record after another."""
        head = {"source": self.source, "size": self.size, "fingerprint": self.fingerprint, "junk": self.summary.junk}
        with path.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head, ensure_ascii=False)[:-1])
            _write_list(file, "pictures", (to_json(each).decode() for each in self.records.pictures()))
            for name, kind in (("left_out", LeftOut), ("duplicates", Duplicate), ("near_duplicates", tuple)):
                found = (each for each in self.records.findings() if isinstance(each, kind))
                _write_list(file, name, (json.dumps(each, default=dict, ensure_ascii=False) for each in found))
            file.write("}\n")

    @classmethod
    def of(cls, pixels: NDArray[np.uint8], inventory: Inventory) -> Self:
        """Return a store of images (N, size, size, 3) in memory."""
        return cls(PixelShards.of(pixels), inventory.summary(), _InventoryRecords(inventory))

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a pack, a folder or an address such as ``s3://bucket/pack``, without reading its pixels.

        They are memory-mapped. The shards of a remote pack are downloaded to the cache when they are used.

        Raises:
            ImpastoError: it is not a pack, is damaged, or was made by a later version of impasto. What is wrong with
                the content of a shard is raised when it is used.
        """
        files = _files(path)
        index = read_index(files)
        if isinstance(index, Inventory):
            shape = (len(index.pictures), index.size, index.size, 3)
            return cls.of(open_pixels(user_path(local(path)) / PIXELS, shape, str(path)), index)
        files.check(index)
        reader = PackReader(files, index)
        return cls(PixelShards(index.summary.size, reader.counts, reader.pixels), index.summary, reader)


def pack(
    spec: str | Path,
    out: str | Path,
    size: int = 256,
    crop_frames: bool = False,
    progress: Progress | None = None,
) -> PixelStore:
    """Preprocess a source and store it as a pack: a folder ``out``, or an address such as ``s3://bucket/pack``.

    Pixels and records are written in shards as they are decoded, so the memory use grows by 16 bytes an image. A folder
    is named ``out.part`` until it is complete; at an address, the index is written last.

    Args:
        spec: a data source (see :func:`~impasto.data.sources.open_source`).
        out: the folder or address to create.
        size: side of the stored squares, in pixels.
        crop_frames: crop borders, mounts and frames.
        progress: called with the number of images done and their total (None if unknown).

    Raises:
        ImpastoError: ``out`` exists, the disk is full, or the source has no usable image.
    """
    if is_address(out):
        files = _files(out)
        with contextlib.suppress(OSError):
            files.read_index()
            raise ImpastoError(f"{out} already exists: choose another name or remove it.")
        where: contextlib.AbstractContextManager[Path] = _scratch_folder()
    else:
        folder = user_path(local(out))
        with path_errors(folder):
            if folder.exists() or folder.is_symlink():
                raise ImpastoError(f"{out} already exists: choose another name or remove it.")
        require_folder(folder.parent)
        where = _atomic_folder(folder)
    _require_source(spec)
    with open_source(spec) as source, where as work, full_disk_errors(work):
        files = files if is_address(out) else LocalFiles(work)
        with PackWriter(files, work, [source.name], size, source.junk) as writer:
            collect(source, writer, crop_frames=crop_frames, progress=progress)
            writer.commit()
    return PixelStore.open(out)


def append(
    spec: str | Path,
    out: str | Path,
    size: int | None = None,
    crop_frames: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Preprocess a source, and add its images to a pack.

    Images that the pack has already are duplicates. The index is replaced at the end, so the pack stays as it was if
    this is interrupted; what is left over then is removed by the next call.

    Args:
        spec: a data source (see :func:`~impasto.data.sources.open_source`).
        out: folder or address of the pack. Two processes cannot add to one folder; of an address, that is not checked.
        size: side of the squares in pixels, which must be the pack's.
        crop_frames: crop borders, mounts and frames of the images that are added.
        progress: called with the number of images done and their total (None if unknown).

    Returns:
        What was added.

    Raises:
        ImpastoError: ``out`` is no pack, or one of another size, the disk is full, or the source has no usable image.
    """
    files = _files(out)
    index = read_index(files)
    before = index.summary() if isinstance(index, Inventory) else index.summary
    if size not in (None, before.size):
        raise ImpastoError(f"{out} is packed at {before.size} px: remove --size, or give --size {before.size}.")
    _require_source(spec)
    with open_source(spec) as source, contextlib.ExitStack() as stack:
        if isinstance(files, LocalFiles):
            require_folder(files.folder)
            busy = f"Another impasto process adds to {out}: wait for it."
            stack.enter_context(exclusive(files.folder / LOCK, busy))
            index, work = read_index(files), files.folder  # another process may have added to it
            _remove_leftovers(files, index)
        else:
            work = stack.enter_context(_scratch_folder())
        stack.enter_context(full_disk_errors(files.folder if isinstance(files, LocalFiles) else work))
        writer = stack.enter_context(PackWriter(files, work, [source.name], before.size, source.junk))
        if isinstance(index, Inventory):
            writer.continue_from_first_version(PixelStore.open(out).pixels[:], index, PIXELS)
        else:
            files.check(index)
            writer.continue_from(PackReader(files, index))
        collect(source, writer, crop_frames=crop_frames, progress=progress)
        if writer.summary.pictures:
            writer.commit()
    return writer.summary


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
    return PixelStore.of(pixels[:count], inventory)


@contextlib.contextmanager
def _atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to ``folder`` on success and removed on failure."""
    part = folder.with_name(folder.name + ".part")
    with path_errors(part):
        if part.exists() and not (part.is_dir() and all(_is_own(each.name) for each in part.iterdir())):
            raise ImpastoError(f"{part} exists and was not left by an earlier packing: remove or rename it.")
    lock = folder.with_name(f"{folder.name}.lock")  # beside it: Windows renames no folder that holds an open file
    try:
        with path_errors(part):
            part.mkdir(parents=True, exist_ok=True)
        with exclusive(lock, f"Another impasto process packs {folder}: wait for it, or choose another name."):
            try:
                for each in part.iterdir():
                    each.unlink()
                yield part
                with path_errors(folder):
                    part.rename(folder)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
    finally:
        with contextlib.suppress(OSError):  # it has been renamed, or another process writes into it
            part.rmdir()


def _write_list(file: IO[str], name: str, lines: Iterator[str]) -> None:
    file.write(f',\n"{name}": [')
    for place, line in enumerate(lines):
        file.write(f"{',' if place else ''}\n{line}")
    file.write("]")


def is_pack(spec: str | Path) -> bool:
    """Whether ``spec`` is the folder of a pack, or a remote address, at which nothing else can be read."""
    if is_address(spec):
        return True
    folder = user_path(local(spec))
    if not folder.is_dir() or not (folder / INDEX).is_file():
        return folder.is_dir() and (folder / PIXELS).is_file()
    return (folder / PIXELS).is_file() or next(folder.glob("00000-*.npy"), None) is not None


def local(path: str | Path) -> str | Path:
    """Return a path without ``file://``."""
    return path.removeprefix(LOCAL) if isinstance(path, str) else path


def _files(path: str | Path) -> PackFiles:
    if is_address(path):
        return RemoteFiles(open_place(str(path)), str(path))
    return LocalFiles(user_path(local(path)), str(path))


def read_index(files: PackFiles) -> Index | Inventory:
    """Return the index of a pack, or the inventory that is the index of one of version 1.

    Raises:
        ImpastoError: it is not a pack, is damaged, or was made by a later version of impasto.
    """
    try:
        text = files.read_index()
    except OSError as error:
        raise ImpastoError(f"{files.name} is not a pack: it has no readable {INDEX}.") from error
    try:
        values = migrations.pack(json.loads(text))
        if values.get("format") != "impasto pack":
            raise ValueError("the index of something else")
        if values.get("version") == 1:
            return Inventory.model_validate(values["inventory"])
        return Index.model_validate(values)
    except MALFORMED as error:
        with contextlib.suppress(*MALFORMED):
            if json.loads(text).get("version", 1) > 2:
                raise ImpastoError(f"The pack {files.name} was made by a later version: update impasto.") from error
        raise ImpastoError(f"The pack {files.name} is damaged, {INDEX} is invalid: pack it again.") from error


def _is_own(name: str) -> bool:
    """Whether a file of that name is one of a pack."""
    return name in (PIXELS, INDEX, LOCK) or FILE.fullmatch(name) is not None


def _remove_leftovers(files: LocalFiles, index: Index | Inventory) -> None:
    """Remove what an interrupted process left in a pack."""
    used = {INDEX, LOCK}
    if isinstance(index, Inventory):
        used.add(PIXELS)
    else:
        used |= {f"{shard.name}.{suffix}" for shard in index.shards for suffix in ("npy", "npz")}
        used |= {f"{each.name}.jsonl" for each in index.findings}
    with path_errors(files.folder):
        for each in files.folder.iterdir():
            if _is_own(each.name) and each.name not in used:
                each.unlink()


@contextlib.contextmanager
def _scratch_folder() -> Iterator[Path]:
    """Yield a folder in the cache for files of a remote pack that are being written."""
    make_folder(cache_folder())
    with tempfile.TemporaryDirectory(prefix="packing-", dir=cache_folder()) as folder:
        yield Path(folder)


def _require_source(spec: str | Path) -> None:
    if is_pack(spec):
        raise ImpastoError(f"{spec} is already a pack: give its original source.")


def _require_memory(spec: str, images: int, size: int) -> None:
    needed, available = images * size * size * 3, psutil.virtual_memory().available
    if needed > available:
        raise ImpastoError(
            f"{spec} needs {needed / 2**30:.1f} GB of memory and {available / 2**30:.1f} GB are free: "
            "pack it first (impasto pack) and give the pack."
        )
