"""Write the images of a source to a pack, new or begun, shard by shard."""

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import takewhile
from pathlib import Path
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.config.types import Pixels
from impasto.data.inventory import Duplicate, Inventory, LeftOut, Summary
from impasto.data.near_duplicates import SIDE, WINDOW, NearDuplicates, thumbnail
from impasto.data.pack_files import HEADER, RECORDS, FileSet, Index, PackFiles, PackReader, Shard, finding_lines
from impasto.data.preprocess import Collector, Square
from impasto.data.shard_records import RecordColumns, ShardRecords

#: Images in each shard but the last.
SHARD = 10_000
#: Files that are being written.
PIXELS_PART, RECORDS_PART, FINDINGS_PART = "pixels.part", "records.part", "findings.part"


class PackWriter(Collector):
    """Writes squares to shards of :data:`SHARD` images. The pack is unchanged until :meth:`commit`.

    Attributes:
        summary: of what has been added, without the images that the pack had.
    """

    def __init__(self, files: PackFiles, work: Path, sources: list[str], size: int, junk: int = 0) -> None:
        """
        Args:
            files: of the pack.
            work: folder for files that are being written, on the disk of the pack if that is local.
            sources: of the images to add, as the user wrote them.
            size: side of the squares in pixels.
            junk: number of ignored files of the source.
        """
        super().__init__(sources, size, junk)
        self._files, self._work = files, work
        self._before: Summary | None = None
        self._old_names: Sequence[str] = ()
        self._rewrite: Callable[[], None] | None = None
        self._added: list[str] = []
        self._shards: list[Shard] = []
        self._findings: list[FileSet] = []
        self._replaced: list[str] = []
        self._names_of = lru_cache(RECORDS)(lambda number: self._closed(number).names)
        self._records, self._pixels = RecordColumns(), _PixelsWriter(work / PIXELS_PART, size)
        self._found = _FindingsWriter(work / FINDINGS_PART)

    def continue_from(self, old: PackReader) -> None:
        """Begin with the images of a pack. Its shards from the first on that is not full are written anew."""
        for number, shard in enumerate(old.index.shards):
            self._known.extend(old.records(number).digests, self._count)
            self._count += shard.pictures
        self._begin(old.index.summary, old.names, partial(self._take_over, old))

    def continue_from_first_version(self, pixels: Pixels, inventory: Inventory, file: str) -> None:
        """Begin with the images of a pack of version 1, whose pixels are in ``file``."""
        for picture in inventory.pictures:
            self._known.add(bytes.fromhex(picture.digest), self._count)
            self._count += 1
        names = [picture.name for picture in inventory.pictures]
        self._begin(inventory.summary(), names, partial(self._convert, pixels, inventory, file))

    def _begin(self, before: Summary, names: Sequence[str], rewrite: Callable[[], None]) -> None:
        """Begin with the images of ``before``; ``rewrite`` is called if there are others to add."""
        self._before, self._old_names, self._rewrite = before, names, rewrite

    def _take_over(self, old: PackReader) -> None:
        shards = old.index.shards
        self._shards = list(takewhile(lambda shard: shard.pictures == SHARD, shards))
        self._findings = list(old.index.findings)
        self._count = SHARD * len(self._shards)
        thumbnails = [np.zeros((0, SIDE, SIDE), np.uint8)]
        for number in range(len(shards)):
            records = old.records(number)
            thumbnails.append(records.thumbnails)
            while sum(map(len, thumbnails[1:])) >= WINDOW // 2:
                del thumbnails[0]
            if number < len(self._shards):
                self._fingerprint.update(records.squares.tobytes())
        self._near = NearDuplicates(np.concatenate(thumbnails), sum(old.counts))
        for number, shard in list(enumerate(shards))[len(self._shards) :]:
            records = old.records(number)
            columns = zip(records.pictures(), old.pixels(number), records.squares, records.thumbnails, strict=True)
            for picture, pixels, square, small in columns:
                self._keep(Square(picture, pixels, square.tobytes(), small))
            self._replaced += [f"{shard.name}.npy", f"{shard.name}.npz"]

    def _convert(self, pixels: Pixels, inventory: Inventory, file: str) -> None:
        self._count = 0
        for picture, square in zip(inventory.pictures, pixels, strict=True):
            small = thumbnail(Image.fromarray(square))
            self._near.add(small)
            self._keep(Square(picture, square, hashlib.sha256(square).digest(), small))
        self._near.finish()
        for left_out in inventory.left_out:
            self._found.write(left_out)
        for duplicate in inventory.duplicates:
            self._found.write(duplicate)
        positions = {picture.name: position for position, picture in enumerate(inventory.pictures)}
        pairs = [[positions[one], positions[other]] for one, other in inventory.near_duplicates]
        self._found.write(np.array(pairs, np.int64).reshape(-1, 2))
        self._replaced.append(file)

    def commit(self) -> Summary:
        """Complete the last shard, and write the index. Return the summary of the whole pack."""
        if self._records.pictures:
            self._close_shard()
        digest = self._found.close()
        if digest is not None:
            written = FileSet(number=len(self._findings), digest=digest)
            self._add(self._found.path, f"{written.name}.jsonl")
            self._findings.append(written)
        whole = self.summary
        if self._before is not None:
            whole = self._before.model_copy(deep=True)
            whole.add(self.summary)
            whole.fingerprint = self.summary.fingerprint
        index = Index(summary=whole, shards=self._shards, findings=self._findings)
        self._files.write_index(index.model_dump_json())
        self._added = []
        for name in self._replaced:
            self._files.remove(name)
        return whole

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files that no index names."""
        self._pixels.discard()
        self._found.discard()
        for name in self._added:
            self._files.remove(name)

    def _keep(self, square: Square) -> None:
        if self._rewrite is not None:
            rewrite, self._rewrite = self._rewrite, None
            rewrite()
        super()._keep(square)
        self._pixels.add(square.pixels)
        self._records.add(square.picture, square.digest, square.thumbnail)
        if len(self._records.pictures) == SHARD:
            self._close_shard()

    def _close_shard(self) -> None:
        records = self._records.encode()
        shard = Shard(
            number=len(self._shards),
            digest=hashlib.sha256(records).hexdigest(),
            pictures=len(self._records.pictures),
        )
        encoded = self._work / RECORDS_PART
        with encoded.open("wb") as file:
            file.write(records)
            _sync(file)
        self._pixels.close()
        self._add(self._pixels.path, f"{shard.name}.npy")
        self._add(encoded, f"{shard.name}.npz")
        self._shards.append(shard)
        self._records, self._pixels = RecordColumns(), _PixelsWriter(self._work / PIXELS_PART, self.summary.size)

    def _add(self, path: Path, name: str) -> None:
        self._added.append(name)
        self._files.add(path, name)

    def _closed(self, number: int) -> ShardRecords:
        shard = self._shards[number]
        return ShardRecords(self._files.records(shard), shard.pictures, self._files.name)

    def _name(self, position: int) -> str:
        if position < len(self._old_names):
            return self._old_names[position]
        number, place = divmod(position, SHARD)
        return self._names_of(number)[place] if number < len(self._shards) else self._records.pictures[place].name

    def _leave_out(self, each: LeftOut) -> None:
        self._found.write(each)

    def _drop(self, each: Duplicate) -> None:
        self._found.write(each)

    def _link(self, pairs: NDArray[np.int64]) -> None:
        self._found.write(pairs)


class _PixelsWriter:
    """Write a ``.npy`` file image by image; the header receives the count at the end."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self._size, self._count = path, size, 0
        self._file: IO[bytes] | None = None

    def add(self, image: Pixels) -> None:
        if self._file is None:
            self._file = self.path.open("wb")
            self._write_header(self._file)
        self._file.write(np.ascontiguousarray(image).data)
        self._count += 1

    def close(self) -> None:
        """Complete the file."""
        assert self._file is not None
        self._file.seek(0)
        self._write_header(self._file)
        _sync(self._file)
        self._file.close()
        self._file = None

    def discard(self) -> None:
        """Remove the file, unless it is complete or was not begun."""
        if self._file is not None:
            self._file.close()
            self.path.unlink(missing_ok=True)

    def _write_header(self, file: IO[bytes]) -> None:
        shape = (self._count, self._size, self._size, 3)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        if file.tell() != HEADER:  # numpy pads the header so that the first axis can grow
            raise RuntimeError("the length of the .npy header changed")


class _FindingsWriter:
    """Write a file of findings, which is opened at the first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._digest = hashlib.sha256()
        self._file: IO[bytes] | None = None

    def write(self, finding: LeftOut | Duplicate | NDArray[np.int64]) -> None:
        for line in finding_lines(finding):
            if self._file is None:
                self._file = self.path.open("wb")
            encoded = f"{line}\n".encode()
            self._digest.update(encoded)
            self._file.write(encoded)

    def close(self) -> str | None:
        """Complete the file, and return its SHA-256; None if there were no findings."""
        if self._file is None:
            return None
        _sync(self._file)
        self._file.close()
        self._file = None
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Remove the file, unless it is complete or was not begun."""
        if self._file is not None:
            self._file.close()
            self.path.unlink(missing_ok=True)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
