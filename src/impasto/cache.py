"""The cache folder, for downloads and computed features."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from impasto.errors import ImpastoError, nearest
from impasto.files import user_path

#: What the cache holds, by kind: the paths of our files in it, as a pattern. Others may be another program's.
KINDS = {
    "features": r"features/[0-9a-f]{32}\.npz",
    "hub": r"hub/[0-9a-f]{32}\.json",
    "packs": r"packs/[0-9a-f]{32,}\.(npy|npz|jsonl)",
    "weights": r"[\w-]+-[0-9a-f]{8}\.pth",
}


@dataclass(frozen=True)
class Cached:
    """What the cache holds of one kind.

    Attributes:
        kind: a key of :data:`KINDS`.
        files: number of files.
        bytes: their size.
        oldest: time of the last change of the oldest file, in seconds since 1970; None without files.
        newest: the same of the newest file.
    """

    kind: str
    files: int
    bytes: int
    oldest: float | None
    newest: float | None


def cache_folder() -> Path:
    """Return ``$IMPASTO_CACHE`` if it is set, else the system's cache folder. It is not created."""
    named = os.environ.get("IMPASTO_CACHE")
    return user_path(named) if named else platformdirs.user_cache_path("impasto")


def cached() -> list[Cached]:
    """Return what the cache holds, by kind."""
    return [_measured(kind, _files(kind)) for kind in KINDS]


def clear_cache(kind: str | None = None) -> list[Cached]:
    """Remove what the cache holds, or what it holds of one kind, and return what that was.

    Raises ImpastoError for an unknown kind, and for a file that cannot be removed.
    """
    if kind is not None and kind not in KINDS:
        raise ImpastoError(f"The cache has no kind '{kind}'{nearest(kind, KINDS)}")
    removed = []
    for each in KINDS if kind is None else (kind,):
        files = _files(each)
        removed.append(_measured(each, files))
        for file in files:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise ImpastoError(f"{file} cannot be removed ({error.strerror}): check its permissions.") from error
    return removed


def _files(kind: str) -> list[Path]:
    folder = cache_folder()
    below = [file for depth in ("*", "*/*") for file in folder.glob(depth) if file.is_file() and not file.is_symlink()]
    return [file for file in below if re.fullmatch(KINDS[kind], file.relative_to(folder).as_posix())]


def _measured(kind: str, files: list[Path]) -> Cached:
    found = [file.stat() for file in files]
    changed = [status.st_mtime for status in found]
    size = sum(status.st_size for status in found)
    return Cached(kind, len(files), size, min(changed, default=None), max(changed, default=None))
