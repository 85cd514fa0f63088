"""Packs at addresses that fsspec supports: shards are downloaded to the cache when they are used, and checked."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from impasto.cache import cache_folder
from impasto.data.pack_files import INDEX, FileSet, Index, PackFiles, Shard, open_pixels
from impasto.data.places import Place, access_errors
from impasto.data.shard_records import ShardRecords
from impasto.errors import ImpastoError
from impasto.files import atomic_write, full_disk_errors, make_folder, path_errors

#: Environment variable: most gigabytes of shards in the cache. Unless it is set, they are kept.
LIMIT = "IMPASTO_PACK_CACHE_GB"


class RemoteFiles(PackFiles):
    """A folder of a remote file system.

    Files are cached by their SHA-256, which the index has of records and findings, and the records of each image. So a
    file is downloaded once for all packs that have it, and what was changed or damaged on the way is refused.
    """

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(name)
        self._place = place

    def read_index(self) -> bytes:
        try:
            with access_errors(self.name):
                self._place.files.invalidate_cache()
                return bytes(self._place.files.cat_file(self._path(INDEX)))
        except ImpastoError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise error.__cause__ from None
            raise

    def write_index(self, text: str) -> None:
        with access_errors(self.name):
            self._place.files.pipe_file(self._path(INDEX), text.encode())

    def add(self, path: Path, name: str) -> None:
        with access_errors(self.name):
            self._place.files.makedirs(self._place.path, exist_ok=True)
            self._place.files.put_file(str(path), self._path(name))
        path.unlink()

    def remove(self, name: str) -> None:
        with access_errors(self.name), contextlib.suppress(FileNotFoundError):
            self._place.files.rm_file(self._path(name))

    def check(self, index: Index) -> None:
        """Files are checked when they are downloaded."""

    def records(self, shard: Shard) -> Path:
        return self._fetch(f"{shard.name}.npz", f"{shard.digest}.npz", lambda path: _digest(path) == shard.digest)

    def pixels(self, shard: Shard, size: int) -> Path:
        def unchanged(path: Path) -> bool:
            squares = ShardRecords(self.records(shard), shard.pictures, self.name).squares
            pixels = open_pixels(path, (shard.pictures, size, size, 3), self.name)
            return all(
                hashlib.sha256(image).digest() == square.tobytes()
                for image, square in zip(pixels, squares, strict=True)
            )

        return self._fetch(f"{shard.name}.npy", f"{shard.digest}.npy", unchanged)

    def findings(self, each: FileSet) -> Path:
        return self._fetch(f"{each.name}.jsonl", f"{each.digest}.jsonl", lambda path: _digest(path) == each.digest)

    def _path(self, name: str) -> str:
        return f"{self._place.path}/{name}"

    def _fetch(self, name: str, cached: str, unchanged: Callable[[Path], bool]) -> Path:
        """Return the path of a file in the cache. Other processes wait while one downloads it."""
        folder = cache_folder() / "packs"
        path = folder / cached
        if not path.is_file():
            make_folder(folder)
            with _waiting(path.with_name(f"{cached}.lock")):
                if not path.is_file():
                    with atomic_write(path) as part:
                        with access_errors(f"{self.name}/{name}"), full_disk_errors(path):
                            self._place.files.get_file(self._path(name), str(part))
                        if not unchanged(part):
                            raise ImpastoError(
                                f"{name} of the pack {self.name} is not what its {INDEX} says: pack it again."
                            )
                    _make_room(folder, path)
        with contextlib.suppress(OSError):
            os.utime(path)  # the order in which shards are removed from the cache
        return path


@contextlib.contextmanager
def _waiting(lock: Path) -> Iterator[None]:
    """Hold a lock, once no other process does."""
    from filelock import FileLock

    with path_errors(lock.parent), FileLock(lock):
        yield
        with contextlib.suppress(OSError):
            lock.unlink()


def _make_room(folder: Path, kept: Path) -> None:
    """Remove the files that were not used for the longest time, beyond the limit of the cache."""
    text = os.environ.get(LIMIT)
    if not text:
        return
    try:
        room = float(text) * 1e9
    except ValueError as error:
        raise ImpastoError(f"{LIMIT} is {text}: give a number of gigabytes.") from error
    found = [(path.stat(), path) for path in folder.iterdir() if path.suffix in (".npy", ".npz", ".jsonl")]
    for status, path in sorted(found, key=lambda each: -each[0].st_mtime):
        room -= status.st_size
        if room < 0 and path != kept:
            with contextlib.suppress(OSError):  # Windows keeps what is mapped; elsewhere maps of it stay valid
                path.unlink()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
