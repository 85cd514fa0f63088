"""Download the images of a data set on the Hugging Face Hub through the cache of huggingface_hub."""

import hashlib
import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from glob import has_magic
from itertools import islice, takewhile
from pathlib import Path, PurePosixPath
from typing import Self

from pydantic import BaseModel, Field

from impasto.cache import cache_folder
from impasto.data.formats import image_suffixes
from impasto.data.parquet import is_parquet
from impasto.data.tfrecord import is_tfrecord
from impasto.errors import MALFORMED, ImpastoError, require, shorten
from impasto.files import atomic_write, full_disk_errors, make_folder
from impasto.hub_errors import REPOSITORY, UnreachableHubError, hub_errors

_log = logging.getLogger(__name__)

#: Most files of a repository that are listed.
MAX_FILES = 100_000
#: Bytes of a download from which on its size is told.
LARGE = 1_000_000_000
#: Files that are downloaded at a time; of more, the client shows no progress bars.
DOWNLOADS = 8


@dataclass(frozen=True, slots=True)
class Address:
    """A data set on the Hub, or a part of it: ``OWNER/NAME[/PATH][@REVISION][#COLUMN]``.

    What follows the first ``#`` is a column and the first ``@`` a revision, which may contain ``/``. Neither can be
    part of OWNER or NAME. In a PATH, which may be a pattern, ``?`` stands for them.

    Attributes:
        repository: ``OWNER/NAME``.
        path: folder, file or pattern in the repository; empty for all of it.
        revision: branch, tag or commit; empty for the default branch.
        column: column of parquet files; empty for the only one with images.
    """

    repository: str
    path: str
    revision: str
    column: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address that follows ``hf:``. Raises ImpastoError if it is malformed."""
        rest, hash_sign, column = text.partition("#")
        rest, at_sign, revision = rest.partition("@")
        parts = PurePosixPath(rest).parts
        repository, path = "/".join(parts[:2]), "/".join(parts[2:])
        complete = bool(column or not hash_sign) and bool(revision or not at_sign)
        if not complete or ".." in parts or not REPOSITORY.fullmatch(repository):
            raise ImpastoError(
                f"hf:{text} is not a data set on the Hub: write hf:OWNER/NAME[/PATH][@REVISION][#COLUMN]."
            )
        return cls(repository, path, revision, column)

    def __str__(self) -> str:
        """Return the address without the column, as the user writes it."""
        path = f"/{self.path}" if self.path else ""
        return f"hf:{self.repository}{path}{f'@{self.revision}' if self.revision else ''}"

    @property
    def folder(self) -> str:
        """The folders at the beginning of ``path`` that are no pattern."""
        return "/".join(takewhile(lambda part: not has_magic(part), PurePosixPath(self.path).parts))


class Listing(BaseModel, frozen=True):
    """The files of a data set at one commit.

    Attributes:
        commit: SHA-1 of the commit.
        sizes: bytes of each file, by its path in the repository.
    """

    commit: str = Field(pattern="^[0-9a-f]{40}$")
    sizes: dict[str, int]


def download(address: Address) -> dict[str, Path]:
    """Download the images, TFRecords or parquet files, or the zip, of a data set, and return their paths in the cache
    by their paths in the repository.

    Listing and files are those of one commit. Files that are in the cache are not asked for; without a connection they
    are found by the listing of the last time.

    Raises:
        ImpastoError: there is no such data set or path, none for this account, or no image in it; the Hub cannot be
            reached; the disk is too small; or huggingface_hub, or pyarrow for parquet files, is not installed.
    """
    require("huggingface_hub", extra="hub")
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    offline: UnreachableHubError | None = None
    try:
        with hub_errors(str(address)):
            listing = _ask(address)
        _keep(address, listing)
    except UnreachableHubError as error:
        offline, listing = error, _kept(address, error)
    files = _needed(address, list(listing.sizes))
    if any(is_parquet(file) for file in files):
        require("pyarrow.parquet", extra="parquet")

    def cached(file: str) -> str | None:
        found = try_to_load_from_cache(address.repository, file, revision=listing.commit, repo_type="dataset")
        return found if isinstance(found, str) else None

    def fetch(file: str) -> str:
        return hf_hub_download(address.repository, file, revision=listing.commit, repo_type="dataset")

    paths = {file: cached(file) for file in files}
    missing = [file for file, path in paths.items() if path is None]
    if offline is not None:
        if missing:
            raise offline
        _log.info("The Hub cannot be reached: using %s as it was when it was last asked for.", address)
    elif missing:
        cache = Path(constants.HF_HUB_CACHE)
        _require_space(address, cache, len(missing), sum(listing.sizes[file] for file in missing))
        pool = ThreadPoolExecutor(DOWNLOADS, thread_name_prefix="download")
        try:
            with hub_errors(str(address)), full_disk_errors(cache), _bars(len(missing)):
                paths |= zip(missing, pool.map(fetch, missing), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)
    return {file: Path(path) for file, path in paths.items() if path is not None}


def _keep(address: Address, listing: Listing) -> None:
    """Write a listing to the cache."""
    kept = _listing_path(address)
    make_folder(kept.parent)
    with atomic_write(kept) as part:
        part.write_text(listing.model_dump_json(), encoding="utf-8")


def _kept(address: Address, error: UnreachableHubError) -> Listing:
    """Return the last listing from the cache. Raises ``error`` if there is none."""
    try:
        return Listing.model_validate_json(_listing_path(address).read_bytes())
    except (OSError, *MALFORMED):
        raise error from None


def _listing_path(address: Address) -> Path:
    key = hashlib.blake2b(f"{address.repository}@{address.revision}".encode(), digest_size=16).hexdigest()
    return cache_folder() / "hub" / f"{key}.json"


def _ask(address: Address) -> Listing:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api, name = HfApi(), address.repository
    commit = str(api.dataset_info(name, revision=address.revision or None).sha)
    tree = list(islice(api.list_repo_tree(name, revision=commit, recursive=True, repo_type="dataset"), MAX_FILES + 1))
    if len(tree) > MAX_FILES:
        raise ImpastoError(f"{address} has more than {MAX_FILES:,} files: download it, and give its folder.")
    return Listing(commit=commit, sizes={each.path: each.size for each in tree if isinstance(each, RepoFile)})


def _needed(address: Address, files: list[str]) -> list[str]:
    """Return the files of an address to download: its parquet files; else its only zip; else images and TFRecords.

    Raises ImpastoError if there is none of these, or there are several zips.
    """
    there = [file for file in files if _is_safe(file) and _matches(file, address.path)]
    if not files:
        raise ImpastoError(f"{address} is empty: check the name and the revision.")
    if not there:
        held = ", ".join(sorted({file.partition("/")[0] for file in files}))
        raise ImpastoError(f"There is no {address.path} in hf:{address.repository}, which holds {shorten(held, 200)}.")
    images = image_suffixes()
    tables = [file for file in there if is_parquet(file) and PurePosixPath(file).name != "metadata.parquet"]
    zips = [file for file in there if file.lower().endswith(".zip")]
    single = [file for file in there if is_tfrecord(file) or PurePosixPath(file).suffix.lower() in images]
    if address.column and not tables:
        raise ImpastoError(f"{address} has no parquet files, and no column {address.column}: remove #{address.column}.")
    if not tables and len(zips) > 1:
        example = replace(address, path=zips[0])
        raise ImpastoError(
            f"{address} has several zips ({shorten(', '.join(zips), 200)}): choose one, as in {example}."
        )
    if needed := tables or zips or single:
        return needed
    kinds = ", ".join(sorted({PurePosixPath(file).suffix or PurePosixPath(file).name for file in there}))
    raise ImpastoError(f"{address} has no images, TFRecords, parquet files or zip (only {shorten(kinds, 200)}).")


def _is_safe(file: str) -> bool:
    path = PurePosixPath(file)
    return path.as_posix() == file and not path.is_absolute() and ".." not in path.parts


def _matches(file: str, path: str) -> bool:
    """Whether a file is at a path, or in a folder of that path; the path may be a pattern."""
    return (
        not path
        or file == path
        or file.startswith(f"{path}/")
        or any(fnmatchcase(file, pattern) for pattern in (path, f"{path}/*"))
    )


def _require_space(address: Address, cache: Path, files: int, size: int) -> None:
    """Tell the size of a large download, and raise ImpastoError if the disk has not that much space."""
    if size >= LARGE:
        _log.info("Downloading %s: %s files, %.1f GB.", address, f"{files:,}", size / 1e9)
    there = next(each for each in (cache, *cache.absolute().parents) if each.exists())
    if size > (free := shutil.disk_usage(there).free):
        raise ImpastoError(
            f"{address} takes {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free in {there}: free some space, or set "
            "HF_HOME to a folder on another disk."
        )


@contextmanager
def _bars(files: int) -> Iterator[None]:
    """Let the client show no progress bars while it downloads many files."""
    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    decided = constants.HF_HUB_DISABLE_PROGRESS_BARS is not None or are_progress_bars_disabled()
    if files <= DOWNLOADS or decided:
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
