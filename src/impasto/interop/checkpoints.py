"""Import generators of other tools as styles."""

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from torch import Tensor

from impasto._version import __version__
from impasto.errors import ImpastoError
from impasto.files import user_path
from impasto.inference.output import require_free, require_other, reserve
from impasto.interop.architectures.base import (
    Inferred,
    NormOption,
    Options,
    PaddingOption,
    UnsupportedError,
    build,
    infer,
    require_fit,
    supported,
)
from impasto.interop.keras_files import is_keras, read_keras
from impasto.networks.checkpoint_reader import named_tensors, read_checkpoint
from impasto.style import Card, Style, require_name

_log = logging.getLogger(__name__)

#: How deeply a generator may lie in a checkpoint.
MAX_DEPTH = 6


def import_style(
    file: str | Path,
    out: str | Path | None = None,
    *,
    source: str = "images",
    target: str = "images",
    license: str = "",
    key: str = "",
    norm: NormOption = "auto",
    padding: PaddingOption = "auto",
    overwrite: bool = False,
) -> tuple[Path, str]:
    """Convert a generator checkpoint of another tool into a style.

    What the checkpoint does not tell and is assumed is logged. Of a generator and the moving average of its weights
    (``netG_ema``), the average is imported.

    Args:
        file: ``latest_net_G.pth`` or another PyTorch checkpoint, safetensors, or a Keras file (``.h5``,
            ``.weights.h5``, ``.keras``). It is loaded without running code.
        out: the style file to write; default ``styles/NAME.safetensors``, where it is found by name.
        source, target: the domains, such as ``horses`` and ``zebras``, which the checkpoint does not state.
        license: SPDX identifier.
        key: the generator to import, such as ``netG_A2B``, if the checkpoint holds several.
        norm: ``instance-affine`` lets batch norms use the statistics of each image, as pix2pix does by default;
            ``none`` and ``instance`` override what is inferred.
        padding: of the residual blocks; ``replicate`` cannot be told from ``reflect``.
        overwrite: replace ``out``.

    Returns the style file and a description of the network.
    Raises ImpastoError if the file holds no supported generator or ``out`` exists.
    """
    file = user_path(file)
    out = Path("styles") / f"{_name(file)}.safetensors" if out is None else user_path(out)
    if out.suffix != ".safetensors":
        raise ImpastoError(f"{out} is not a style file name: it must end in .safetensors.")
    require_name(out)
    require_free(out, file=True, overwrite=overwrite)
    require_other(out, file)
    _require_data(file)
    options = Options(norm, padding)
    if is_keras(file):
        tensors, options = read_keras(file, options)
    else:
        tensors = named_tensors(read_checkpoint(file))
    found = _choose(tensors, key, options, file)
    style = Style(build(found), _card(file, found, source=source, target=target, license=license))
    if not style.is_finite:
        raise ImpastoError(f"{file} holds NaN or Inf weights; use an earlier checkpoint.")
    reserve(out, file=True, overwrite=overwrite)
    style.save(out)
    for sentence in found.assumed:
        _log.info("Assumed: %s.", sentence)
    return out, found.description


def _require_data(file: Path) -> None:
    """Raise ImpastoError for kinds of files that cannot be read as mere data."""
    if file.suffix in (".pkl", ".pickle"):
        raise ImpastoError(
            f"{file} is a pickle, which may run any code when it is loaded: save the network's state_dict() with "
            "torch.save, or as safetensors."
        )
    if (file / "saved_model.pb").is_file() or file.name == "saved_model.pb":
        raise ImpastoError(
            f"{file} is a TensorFlow SavedModel, which is a program: load it in Keras and save its weights as "
            "NAME.weights.h5."
        )


def _card(file: Path, found: Inferred, *, source: str, target: str, license: str) -> Card:
    return Card(
        task="translation",
        source=source,
        target=target,
        recipe=found.recipe.values(),
        target_data={"name": file.name, "sha256": _sha256(file), "pictures": 0},
        steps=0,
        pictures=0,
        seconds=0.0,
        seed=0,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        impasto=__version__,
        license=license,
        imported=file.name,
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _name(file: Path) -> str:
    """Return the name of the experiment: of the folder, if the file has a generic name such as ``latest_net_G``."""
    return file.absolute().parent.name if re.fullmatch(r"(latest|\d+)_net_\w+", file.stem) else file.stem


def _choose(tensors: Mapping[str, Tensor], key: str, options: Options, file: Path) -> Inferred:
    """Return the generator of that key, or the only one, or the only moving average of one."""
    generators: dict[str, Inferred] = {}
    reasons: list[str] = []
    for name, found in _search("", tensors, options):
        if isinstance(found, Inferred):
            generators[name] = found
        elif found:
            reasons.append(found)
    if not generators:
        hint = f": {reasons[0]}" if reasons else _hint(tensors)
        raise ImpastoError(f"{file} holds no supported generator{hint}. {supported()}.")
    fitting = {name: found for name, found in generators.items() if not key or f".{key}." in f".{name}."}
    averages = {name: found for name, found in fitting.items() if re.search(r"(^|[._])ema([._]|$)", name.lower())}
    chosen = averages if len(averages) == 1 and not key else fitting
    if len(chosen) != 1:
        missing = f", but no {key}" if not fitting else ""
        names = ", ".join(generators)
        raise ImpastoError(f"{file} holds {_count(len(generators))} ({names}){missing}: choose one with --key NAME.")
    ((name, found),) = chosen.items()
    if len(generators) > 1:
        others = ", ".join(other for other in generators if other != name)
        _log.info("Imported: %s, not %s (--key NAME chooses another).", name, others)
    return found


def _count(generators: int) -> str:
    return {1: "one generator", 2: "two generators"}.get(generators, f"{generators} generators")


def _search(
    name: str, tensors: Mapping[str, Tensor], options: Options, depth: int = 0
) -> Iterator[tuple[str, Inferred | str]]:
    """Yield the generators under a name, or why what resembles one is not supported ("" for other networks)."""
    try:
        found = infer(tensors, options)
        if found is not None:
            require_fit(found)
            yield name, found
            return
        reason = ""
    except UnsupportedError as error:
        reason = str(error)
    parts: dict[str, dict[str, Tensor]] = {}
    for each, tensor in tensors.items():
        part, dot, rest = each.partition(".")
        if dot and depth < MAX_DEPTH:
            parts.setdefault(part, {})[rest] = tensor
    for part, within in parts.items():
        yield from _search(f"{name}.{part}".lstrip("."), within, options, depth + 1)
    yield name, reason


def _hint(tensors: Mapping[str, Tensor]) -> str:
    if not tensors:
        return ", and no state dict"
    if not all(tensor.float().isfinite().all() for tensor in tensors.values()):
        return "; it holds NaN or Inf weights"
    last = [tensor for name, tensor in tensors.items() if name.endswith("weight") and tensor.ndim == 4][-1:]
    return "; it looks like a discriminator" if last and last[0].shape[0] == 1 else ""
