"""The files of a pack: a small index, and shards of at most 10,000 images that never change.

A pack is a folder with ``index.json``, which is written last, and for each shard ``NAME.npy`` with its pixels and
``NAME.npz`` with its records. Files that were left out, duplicates and pairs of near duplicates are in ``NAME.jsonl``,
one for each time that images were added. Names end in digits of a SHA-256 of the records, by which they determine the
content.
"""

import contextlib
import json
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import index
from pathlib import Path
from tokenize import TokenError
from typing import Annotated, Any, Literal, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, StringConstraints

from impasto.config.types import Pixels
from impasto.data.inventory import Duplicate, Finding, ImageRecord, LeftOut, Summary
from impasto.data.shard_records import ShardRecords, damaged
from impasto.errors import MALFORMED, ImpastoError
from impasto.files import atomic_write

INDEX = "index.json"
#: Bytes before the pixels in the ``.npy`` of a shard.
HEADER = 128
#: Names of the files of a pack beside the index.
FILE = re.compile(r"(\d{5,}-[0-9a-f]{16}\.(npy|npz|jsonl))|(pixels|records|findings)\.part")
#: Shards whose records are held at a time.
RECORDS = 8
#: Pairs of near duplicates in a line of a file of findings.
PAIRS = 1000

Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class FileSet(BaseModel, frozen=True):
    """A shard, or a file of findings.

    Attributes:
        number: in order, from 0.
        digest: SHA-256 of the records or findings.
    """

    number: int = Field(ge=0)
    digest: Digest

    @property
    def name(self) -> str:
        """Name of its files, without their suffix."""
        return f"{self.number:05d}-{self.digest[:16]}"


class Shard(FileSet, frozen=True):
    """A shard of ``pictures`` images."""

    pictures: int = Field(ge=1)


class Index(BaseModel):
    """``index.json``.

    Attributes:
        summary: of all images.
        shards: in order.
        findings: in order.
    """

    format: Literal["impasto pack"] = "impasto pack"
    version: Literal[2] = 2
    summary: Summary
    shards: list[Shard] = Field(min_length=1)
    findings: list[FileSet] = []


class PackFiles(ABC):
    """Where the files of a pack lie.

    Attributes:
        name: the pack as the user wrote it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def read_index(self) -> bytes:
        """Return ``index.json``. Raises OSError if there is none."""

    @abstractmethod
    def write_index(self, text: str) -> None:
        """Replace ``index.json``."""

    @abstractmethod
    def add(self, path: Path, name: str) -> None:
        """Move a complete file to the pack."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file that the index does not name, if it exists."""

    @abstractmethod
    def check(self, index: Index) -> None:
        """Raise ImpastoError if a file of the pack is known to be damaged."""

    @abstractmethod
    def records(self, shard: Shard) -> Path:
        """Return the path of a shard's records."""

    @abstractmethod
    def pixels(self, shard: Shard, size: int) -> Path:
        """Return the path of a shard's pixels."""

    @abstractmethod
    def findings(self, each: FileSet) -> Path:
        """Return the path of a file of findings."""


class LocalFiles(PackFiles):
    """A folder."""

    def __init__(self, folder: Path, name: str | None = None) -> None:
        super().__init__(str(folder) if name is None else name)
        self.folder = folder

    def read_index(self) -> bytes:
        return (self.folder / INDEX).read_bytes()

    def write_index(self, text: str) -> None:
        with atomic_write(self.folder / INDEX) as part:
            part.write_text(text, encoding="utf-8")

    def add(self, path: Path, name: str) -> None:
        path.replace(self.folder / name)

    def remove(self, name: str) -> None:
        with contextlib.suppress(PermissionError):  # Windows keeps what is mapped; the next packing removes it
            (self.folder / name).unlink(missing_ok=True)

    def check(self, index: Index) -> None:
        size = index.summary.size
        for shard in index.shards:
            path = self.pixels(shard, size)
            if not path.is_file() or path.stat().st_size != HEADER + shard.pictures * size**2 * 3:
                raise damaged(self.name, path.name)
            if not self.records(shard).is_file():
                raise damaged(self.name, self.records(shard).name)

    def records(self, shard: Shard) -> Path:
        return self.folder / f"{shard.name}.npz"

    def pixels(self, shard: Shard, size: int) -> Path:
        return self.folder / f"{shard.name}.npy"

    def findings(self, each: FileSet) -> Path:
        return self.folder / f"{each.name}.jsonl"


class PackReader:
    """The images of a pack, and their records, which are read when they are used.

    Attributes:
        names: path of each image in its source.
    """

    def __init__(self, files: PackFiles, index: Index) -> None:
        self.files, self.index = files, index
        self.names: Sequence[str] = _Names(self)
        self.records = lru_cache(RECORDS)(self._records)

    @property
    def counts(self) -> list[int]:
        """Number of images in each shard."""
        return [shard.pictures for shard in self.index.shards]

    def pixels(self, number: int) -> Pixels:
        """Return the memory-mapped images of a shard, (n, size, size, 3), read-only. Raises ImpastoError."""
        shard, size = self.index.shards[number], self.index.summary.size
        return open_pixels(self.files.pixels(shard, size), (shard.pictures, size, size, 3), self.files.name)

    def pictures(self) -> Iterator[ImageRecord]:
        """Yield the record of each image."""
        for number in range(len(self.index.shards)):
            yield from self.records(number).pictures()

    def findings(self) -> Iterator[Finding]:
        """Yield files that were left out, duplicates, and pairs of near duplicates, in the order in which they were
        found."""
        for each in self.index.findings:
            path = self.files.findings(each)
            try:
                with path.open(encoding="utf-8") as file:
                    for line in file:
                        yield from _findings(json.loads(line), self.names)
            except (OSError, *MALFORMED) as error:
                raise damaged(self.files.name, path.name) from error

    def _records(self, number: int) -> ShardRecords:
        shard = self.index.shards[number]
        return ShardRecords(self.files.records(shard), shard.pictures, self.files.name)


class _Names(Sequence[str]):
    """Names of the images of a pack, of which those of a few shards are in memory."""

    def __init__(self, pack: PackReader) -> None:
        self._pack = pack
        self._ends = list(accumulate(pack.counts))

    def __len__(self) -> int:
        return self._ends[-1]

    def __iter__(self) -> Iterator[str]:
        for number in range(len(self._ends)):
            yield from self._pack.records(number).names

    @overload
    def __getitem__(self, key: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: SupportsIndex | slice) -> str | list[str]:
        if isinstance(key, slice):
            return [self[place] for place in range(*key.indices(len(self)))]
        place = index(key) + (len(self) if index(key) < 0 else 0)
        if not 0 <= place < len(self):
            raise IndexError(f"name {index(key)} of {len(self)}")
        number = bisect_right(self._ends, place)
        return self._pack.records(number).names[place - (self._ends[number - 1] if number else 0)]


def finding_lines(finding: LeftOut | Duplicate | NDArray[np.int64]) -> Iterator[str]:
    """Yield the lines of a file of findings for one of them; an array holds pairs (M, 2) of near duplicates."""
    match finding:
        case LeftOut():
            yield json.dumps({"left_out": finding.model_dump()})
        case Duplicate():
            yield json.dumps({"duplicate": finding.model_dump()})
        case _:
            for first in range(0, len(finding), PAIRS):
                yield json.dumps({"near_duplicates": finding[first : first + PAIRS].tolist()})


def _findings(line: dict[str, Any], names: Sequence[str]) -> Iterator[Finding]:
    match line:
        case {"left_out": values}:
            yield LeftOut.model_validate(values)
        case {"duplicate": values}:
            yield Duplicate.model_validate(values)
        case {"near_duplicates": pairs}:
            for one, other in pairs:
                if not 0 <= index(one) < index(other) < len(names):
                    raise ValueError("a pair of other images")
                yield names[one], names[other]
        case _:
            raise ValueError("an unknown finding")


def open_pixels(path: Path, shape: tuple[int, ...], pack: str) -> Pixels:
    """Return memory-mapped pixels. Raises ImpastoError, naming the ``pack``, if they are not of that shape."""
    try:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, SyntaxError, TokenError, *MALFORMED) as error:  # of the header, which is Python
        raise damaged(pack, path.name) from error
    if not isinstance(pixels, np.memmap) or pixels.shape != shape or pixels.dtype != np.uint8:
        raise ImpastoError(f"The pack {pack} is damaged, {path.name} and {INDEX} disagree: pack it again.")
    return np.asarray(pixels)
