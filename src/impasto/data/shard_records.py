"""The records of a shard's images as columns of an ``.npz``: about 100 bytes an image, and 256 of its thumbnail."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from impasto.data.entry import ZIP_ERRORS
from impasto.data.inventory import ImageRecord
from impasto.data.near_duplicates import SIDE, Thumbnail
from impasto.errors import MALFORMED, ImpastoError

#: Stands for an image that was not cropped inside a frame.
NO_FRAME = [-1, -1, -1, -1]


class RecordColumns:
    """Records that are collected for a shard.

    Attributes:
        pictures: the records.
        squares: SHA-256 of each square.
        thumbnails: (16, 16) of each.
    """

    def __init__(self) -> None:
        self.pictures: list[ImageRecord] = []
        self.squares: list[bytes] = []
        self.thumbnails: list[Thumbnail] = []

    def add(self, picture: ImageRecord, square: bytes, thumbnail: Thumbnail) -> None:
        """Add an image."""
        self.pictures.append(picture)
        self.squares.append(square)
        self.thumbnails.append(thumbnail)

    def encode(self) -> bytes:
        """Return the file. The same records give the same bytes."""
        names = [picture.name.encode("utf-8", "surrogatepass") for picture in self.pictures]
        file = io.BytesIO()
        np.savez(
            file,
            names=np.frombuffer(b"".join(names), np.uint8),
            name_ends=np.cumsum([len(name) for name in names], dtype=np.int64),
            formats=np.array([picture.format for picture in self.pictures], np.str_),
            modes=np.array([picture.mode for picture in self.pictures], np.str_),
            sizes=np.array([(picture.width, picture.height) for picture in self.pictures], np.int32),
            frames=np.array([picture.frame or NO_FRAME for picture in self.pictures], np.int32),
            digests=_rows([bytes.fromhex(picture.digest) for picture in self.pictures]),
            squares=_rows(self.squares),
            thumbnails=np.stack(self.thumbnails),
        )
        return file.getvalue()


class ShardRecords:
    """The records of a shard, of which a column is read when it is used. Raises ImpastoError if it is damaged."""

    def __init__(self, path: Path, count: int, pack: str) -> None:
        """
        Args:
            path: of the ``.npz``.
            count: number of images.
            pack: its name, for errors.
        """
        self.path, self.count, self._pack = path, count, pack

    @property
    def digests(self) -> NDArray[np.uint8]:
        """SHA-256 of each image as it was decoded, (count, 32)."""
        return self._column("digests", np.uint8, 32)

    @property
    def squares(self) -> NDArray[np.uint8]:
        """SHA-256 of each square, (count, 32)."""
        return self._column("squares", np.uint8, 32)

    @property
    def thumbnails(self) -> NDArray[np.uint8]:
        """Thumbnails (count, 16, 16)."""
        return self._column("thumbnails", np.uint8, SIDE, SIDE)

    @cached_property
    def names(self) -> list[str]:
        """Path of each image in its source."""
        ends = self._column("name_ends", np.int64).tolist()
        with self._open() as file:
            text = file["names"].tobytes()
            if ends != sorted(ends) or ends[0] < 0 or ends[-1] != len(text):
                raise ValueError("the names do not fit")
            starts = [0, *ends[:-1]]
            return [text[a:b].decode("utf-8", "surrogatepass") for a, b in zip(starts, ends, strict=True)]

    def pictures(self) -> Iterator[ImageRecord]:
        """Yield the record of each image."""
        frames = self._column("frames", np.int32, 4).tolist()
        columns = zip(
            self.names,
            self._column("formats", np.str_).tolist(),
            self._column("modes", np.str_).tolist(),
            self._column("sizes", np.int32, 2).tolist(),
            self.digests,
            (None if frame == NO_FRAME else frame for frame in frames),
            strict=True,
        )
        for name, format, mode, (width, height), digest, frame in columns:
            shape = {"width": width, "height": height, "frame": frame}
            yield ImageRecord(name=name, format=format, mode=mode, digest=digest.tobytes().hex(), **shape)

    def _column(self, name: str, kind: type[np.generic], *shape: int) -> NDArray[Any]:
        with self._open() as file:
            column = file[name]
            if column.shape != (self.count, *shape) or not np.issubdtype(column.dtype, kind):
                raise ValueError("a column does not fit")
            return column

    @contextmanager
    def _open(self) -> Iterator[NpzFile]:
        try:
            with self.path.open("rb") as opened:  # of a damaged file, numpy would leave it open
                file = np.load(opened, allow_pickle=False)
                if not isinstance(file, NpzFile):
                    raise ValueError("it is no .npz")
                with file:
                    yield file
        except (EOFError, SyntaxError, TokenError, *ZIP_ERRORS, *MALFORMED) as error:
            raise damaged(self._pack, self.path.name) from error


def damaged(pack: str, file: str) -> ImpastoError:
    """Return the error of a damaged file of a pack."""
    return ImpastoError(f"The pack {pack} is damaged, {file} is truncated or missing: pack it again.")


def _rows(digests: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), hashlib.sha256().digest_size)
