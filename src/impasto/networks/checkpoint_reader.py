"""PyTorch and safetensors checkpoints of other people: read without running code, and searched for tensors."""

import pickle
import warnings
import zipfile
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from impasto.errors import MALFORMED, ImpastoError
from impasto.files import mistaken_download

#: Largest checkpoint in bytes, unpacked.
MAX_BYTES = 8_000_000_000
#: First byte of a pickle; torch refuses those of later protocols by their opcodes.
PICKLE = b"\x80"
#: How deeply mappings may be nested.
MAX_DEPTH = 16
#: Characters of a name.
MAX_NAME = 1000
#: Parts of names that wrappers of networks add: DataParallel and torch.compile.
WRAPPERS = ("module", "_orig_mod")


def read_checkpoint(path: Path) -> Any:
    """Return the content of a PyTorch or safetensors file.

    Raises:
        ImpastoError: it is missing, too large, damaged or of another kind, or holds pickled objects, which are never
            loaded.
    """
    _require_checkpoint(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on pickle protocols and TorchScript
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error) or (_first_byte(path) == PICKLE and "Unsupported operand" in str(error)):
            raise ImpastoError(
                f"{path} holds pickled objects, which are not loaded as they may run code; save only the network's "
                "state_dict()."
            ) from error
        raise ImpastoError(f"{path} is not a PyTorch checkpoint, or is damaged: download it again.") from error
    except OSError as error:
        raise ImpastoError(f"{path} cannot be read ({error.strerror or error}).") from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can break its reader in any way
        raise ImpastoError(f"{path} is not a PyTorch checkpoint, or is damaged: download it again.") from error


def _first_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1)


def _require_checkpoint(path: Path) -> None:
    if path.is_dir():
        raise ImpastoError(f"{path} is a folder; give the path of a checkpoint in it.")
    if not path.is_file():
        raise ImpastoError(f"{path} does not exist; check the path.")
    if reason := mistaken_download(path):
        raise ImpastoError(f"{path} is not a checkpoint: {reason}.")
    size = path.stat().st_size
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
                if any(entry.filename.endswith("/constants.pkl") for entry in archive.infolist()):
                    raise ImpastoError(
                        f"{path} is a TorchScript archive, which is a program: save the state_dict() of its network."
                    )
    except (OSError, RuntimeError, zipfile.BadZipFile, *MALFORMED) as error:
        raise ImpastoError(f"{path} is not a PyTorch checkpoint, or is damaged: download it again.") from error
    if size > MAX_BYTES:
        raise ImpastoError(f"{path} is larger than {MAX_BYTES / 1e9:.0f} GB: it is no generator.")


def named_tensors(content: Any) -> dict[str, Tensor]:
    """Return the tensors in nested mappings by dotted name, without the names that wrappers add.

    A mapping that occurs twice, or contains itself, is searched once. Tensors that are not plain numbers in memory
    (sparse, quantised, complex, empty, or repeating a smaller storage) are left out, as are those with names of more
    than :data:`MAX_NAME` characters.
    """
    found: dict[str, Tensor] = {}
    waiting: deque[tuple[tuple[str, ...], Mapping[Any, Any]]] = deque()
    if isinstance(content, Mapping):
        waiting.append(((), content))
    seen = {id(content)}
    while waiting:
        names, mapping = waiting.popleft()
        for key, value in mapping.items():
            here = (*names, *(part for part in str(key).split(".") if part not in WRAPPERS))
            if sum(map(len, here)) > MAX_NAME:
                continue
            if isinstance(value, Tensor) and _is_plain(value):
                found[".".join(here)] = value.detach()
            elif isinstance(value, Mapping) and id(value) not in seen and len(here) < MAX_DEPTH:
                seen.add(id(value))
                waiting.append((here, value))
    return fold_spectral_norm(found)


def _is_plain(tensor: Tensor) -> bool:
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_nested
    if not plain or tensor.is_quantized or tensor.is_complex():
        return False
    return tensor.numel() > 0 and tensor.nbytes <= tensor.untyped_storage().nbytes()


def fold_spectral_norm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors in which each spectrally normalised weight (Miyato et al. 2018, arXiv:1802.05957) is divided by
    its norm, as the network computes it in evaluation mode, in either of torch's formats."""
    folded = dict(tensors)
    for name in tensors:
        for original, u, v in (
            ("weight_orig", "weight_u", "weight_v"),
            ("parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v"),
        ):
            before = name.removesuffix(original)
            if before == name or not {f"{before}{u}", f"{before}{v}"} <= tensors.keys():
                continue
            weight, left, right = (folded.pop(f"{before}{each}").float() for each in (original, u, v))
            norm = _spectral_norm(weight, left, right)
            if norm is not None:
                folded[f"{before}weight"] = weight / norm
    return folded


def _spectral_norm(weight: Tensor, u: Tensor, v: Tensor) -> Tensor | None:
    """Return uᵀ W v, where W has the weight's first dimension as rows, or for a transposed convolution its second; None
    if neither fits. The wrong one of two that fit gives a smaller number, as u and v are its singular vectors."""
    if weight.ndim < 2:
        return None
    fitting = [
        u @ matrix @ v
        for matrix in (weight.transpose(0, dim).flatten(1) for dim in range(2))
        if (u.shape, v.shape) == (matrix.shape[:1], matrix.shape[1:])
    ]
    return max(fitting, key=abs, default=None)
