"""A style: a trained generator in one safetensors file, with its card in the header."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from impasto.config import migrations
from impasto.config.recipe import Recipe
from impasto.errors import MALFORMED, ImpastoError, nearest
from impasto.files import atomic_write, mistaken_download, path_errors, user_path
from impasto.hub_styles import CONFIG, WEIGHTS, download, is_repository
from impasto.metrics.choice import Choice
from impasto.metrics.results import Content, Scores, Value
from impasto.networks import build_generator
from impasto.notebook import Displayed
from impasto.style_files import available_styles as available_styles
from impasto.style_files import bundled_styles as bundled_styles

#: Version of the card. Older ones are migrated (config/migrations.py); a new recipe setting has a default.
FORMAT = 3
#: Longest card in characters: those of the bundled styles have 5,000.
MAX_CARD = 1_000_000
#: Prefix of the tensors of the generator for the reverse direction.
REVERSE = "reverse."


class Card(BaseModel):
    """The metadata of a style."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    task: Literal["generation", "translation"]
    source: str  #: the source domain, such as "photos", or "noise"
    target: str  #: the target domain, such as "paintings"
    recipe: dict[str, Any]
    target_data: dict[str, Any]  #: the training images of the target domain (name, count, fingerprint)
    source_data: dict[str, Any] | None = None  #: the same for the source domain; None for generation
    start: str | None = None  #: the style or run whose weights it was fine-tuned from
    steps: int
    pictures: int  #: training images seen, repetitions included
    seconds: float
    seed: int
    budget: str = ""  #: of the whole training, of which this style may have taken only a part; "" if unknown
    plan: str = ""  #: the budget in steps that repeats the training; "" if none does, or of an earlier version
    created: str  #: ISO 8601, UTC
    impasto: str  #: the version that wrote it
    scores: list[Scores] = []  #: one per feature extractor
    choice: Choice | None = None  #: what it was compared by with the other styles of its training
    scores_reverse: list[Scores] = []  #: the same for the reverse direction, if the style has one
    content: Content | None = None  #: content preservation, for translation
    checkerboard: Value | None = None  #: checkerboard artefacts of its outputs, in dB
    license: str = ""  #: SPDX identifier
    imported: str | None = None  #: the checkpoint that it was imported from; its training is unknown then

    @property
    def domains(self) -> str:
        """Source and target, as ``photos → paintings``."""
        return f"{self.source} → {self.target}"

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the card of a style file, migrated to this version. ImpastoError if it is not a readable style."""
        try:
            with safe_open(path, framework="pt") as file:
                text = (file.metadata() or {}).get("impasto")
        except (SafetensorError, OSError) as error:
            reason = mistaken_download(path) or "it is damaged or not a safetensors file"
            raise ImpastoError(f"{path} cannot be read as a style: {reason}.") from error
        if text is None:
            raise ImpastoError(f"{path} holds weights, but not a style of impasto's.")
        if len(text) > MAX_CARD:
            raise ImpastoError(f"{path} has a card of more than {MAX_CARD:,} characters: it is damaged.")
        try:
            values = migrations.card(json.loads(text))
            made = values.get("format", 0)
            if made != FORMAT:
                age, cure = ("a newer", "update this one") if made > FORMAT else ("an older", "train it again")
                raise ImpastoError(f"{path} was made by {age} impasto: {cure}.")
            return cls.model_validate(values)
        except MALFORMED as error:
            raise ImpastoError(f"{path} does not fit its own description: it is damaged.") from error


@dataclass(frozen=True)
class Style(Displayed):
    """A generator in evaluation mode and its card. The style of a CycleGAN has a generator for each direction."""

    network: nn.Module
    card: Card
    reverse: nn.Module | None = None  #: for the reverse direction, from target to source

    @cached_property
    def recipe(self) -> Recipe:
        return Recipe.of(self.card.recipe, recorded=True)

    @property
    def is_finite(self) -> bool:
        """Whether all weights are finite."""
        networks = [self.network] if self.reverse is None else [self.network, self.reverse]
        return all(bool(tensor.isfinite().all()) for each in networks for tensor in each.state_dict().values())

    def reversed(self) -> Self:
        """Return the style of the reverse direction: generators and domains are swapped. Content preservation and
        checkerboard artefacts, measured in the forward direction only, are removed from the card.

        Raises ImpastoError if the style has one direction only.
        """
        card = self.card
        if self.reverse is None:
            raise ImpastoError(
                f"This style has only the direction {card.domains}: choose another (impasto styles), or train a "
                "CycleGAN to have both."
            )
        changed = {
            "source": card.target,
            "target": card.source,
            "target_data": card.source_data,
            "source_data": card.target_data,
            "scores": card.scores_reverse,
            "scores_reverse": card.scores,
            "choice": None,
            "content": None,
            "checkerboard": None,
        }
        return replace(self, network=self.reverse, card=card.model_copy(update=changed), reverse=self.network)

    def save(self, path: Path, dtype: torch.dtype = torch.float32) -> None:
        """Write one safetensors file: the weights as tensors, the card as JSON in the header.

        ``dtype=torch.float16`` halves the size without a visible difference.
        """
        data = self.to_bytes(dtype)
        with atomic_write(path) as part:
            part.write_bytes(data)

    def to_bytes(self, dtype: torch.dtype = torch.float32) -> bytes:
        """Return what :meth:`save` writes."""
        weights = self.network.state_dict()
        if self.reverse is not None:
            weights |= {f"{REVERSE}{name}": tensor for name, tensor in self.reverse.state_dict().items()}
        tensors = {
            name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).contiguous()
            for name, tensor in weights.items()
        }
        return with_metadata(save(tensors), {"impasto": self.card.model_dump_json(), **model_spec(self.card)})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the style that :meth:`to_bytes` serialised."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "sent.safetensors"
            path.write_bytes(data)
            return cls.load(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the style of that name, in that file, or in that run folder: its best one, or its last one if none was
        scored. ImpastoError if there is none, or it is damaged."""
        path = find_style(path)
        if path.is_dir():
            found = [
                path / file for file in ("best.safetensors", "last.safetensors", WEIGHTS) if (path / file).exists()
            ]
            if not found:
                raise ImpastoError(f"There is no style in {path}: no best.safetensors, no last.safetensors.")
            path = found[0]
        if not path.is_file():
            if path.suffix == ".safetensors":
                raise ImpastoError(f"There is no style {path}: the file is not there.")
            raise ImpastoError(f"There is no style {path}{nearest(str(path), available_styles())}")
        card = Card.load(path)
        try:
            recipe, weights = Recipe.of(card.recipe, recorded=True), load_file(path)
            names = [name for name in weights if name.startswith(REVERSE)]
            weights_reverse = {name.removeprefix(REVERSE): weights.pop(name) for name in names}
            network = loaded_network(recipe, weights)
            reverse = loaded_network(recipe, weights_reverse) if weights_reverse else None
        except ImpastoError as error:  # of the recipe
            raise ImpastoError(f"{path} cannot be used: {error}") from error
        except (RuntimeError, SafetensorError, OSError, *MALFORMED) as error:
            raise ImpastoError(f"{path} does not fit its own description: it is damaged.") from error
        style = cls(network, card, reverse)
        if not style.is_finite:
            raise ImpastoError(f"{path} holds NaN or Inf weights: it is damaged, or its training failed.")
        return style

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        token: str | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
    ) -> Self:
        """Return the style of that name, file or folder, as :meth:`load`, or else of that repository on the Hugging
        Face Hub, which is downloaded once.

        Args:
            name: a style, or ``OWNER/NAME`` or ``OWNER/NAME@REVISION`` on the Hub.
            revision: a branch, tag or commit on the Hub.
            token, cache_dir, force_download, local_files_only: as of ``huggingface_hub.hf_hub_download``.

        Raises ImpastoError as :meth:`load`, and if the Hub refuses or cannot be reached.
        """
        if find_style(name).exists() or not is_repository(str(name)):
            return cls.load(name)
        repository, _, within_name = str(name).partition("@")
        try:
            path = download(
                repository,
                revision or within_name or None,
                token=token,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
            )
        except ImpastoError as error:
            raise ImpastoError(f"There is no file or folder {name}. {error}") from error
        return cls.load_downloaded(path, repository)

    @classmethod
    def load_downloaded(cls, path: Path, repository: str) -> Self:
        """Return the style in a downloaded file. Errors name the repository instead of the file's path."""
        try:
            return cls.load(path)
        except ImpastoError as error:
            reason = str(error).removeprefix(f"{path} ")
            raise ImpastoError(f"{path.name} of {repository} {reason}") from error

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``model.safetensors`` and ``config.json``, as they are in a repository on the Hugging Face Hub."""
        folder = user_path(folder)
        with path_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.save(folder / WEIGHTS)
        with atomic_write(folder / CONFIG) as part:
            part.write_text(self.config(), encoding="utf-8")

    def push_to_hub(self, repository: str, *, private: bool = False, token: str | None = None) -> str:
        """Upload the style; see :func:`impasto.push`."""
        hub = import_module("impasto.interop.hub")  # of a layer above this one
        url: str = hub.push(self, repository, private=private, token=token)
        return url

    def config(self) -> str:
        """Return ``config.json``: the file whose requests the Hugging Face Hub counts as downloads. The style itself
        does not need it."""
        about = self.card.model_dump(include={"task", "source", "target", "recipe"})
        return json.dumps({"library_name": "impasto", "impasto_version": self.card.impasto, **about}, indent=2) + "\n"


def model_spec(card: Card) -> dict[str, str]:
    """Return the metadata by which other programs list models (ModelSpec 1.0.0, github.com/Stability-AI/ModelSpec)."""
    network, name, size = card.recipe["generator"]["network"], card.recipe["name"], card.recipe["size"]
    trained = f"{name}, {card.steps:,} steps" if card.imported is None else f"imported from {card.imported}"
    values = {
        "sai_model_spec": "1.0.0",
        "architecture": f"impasto-{network}",
        "implementation": "impasto",
        "implementation_version": card.impasto,
        "title": f"{card.imported or name}: {card.domains}",
        "description": f"{card.domains} ({trained})",
        "date": card.created,
        "license": card.license,
        "resolution": f"{size}x{size}",
    }
    return {f"modelspec.{key}": value for key, value in values.items() if value}


def with_metadata(data: bytes, metadata: Mapping[str, str]) -> bytes:
    """Return a safetensors file with these entries in its header, and ModelSpec's hash of its tensors."""
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    digest = hashlib.sha256(memoryview(data)[begin:]).hexdigest()
    header["__metadata__"] = header.get("__metadata__", {}) | metadata | {"modelspec.hash_sha256": f"0x{digest}"}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    return b"".join((len(text).to_bytes(8, "little"), text, memoryview(data)[begin:]))


def build_network(recipe: Recipe, device: str = "cpu") -> nn.Module:
    """Return the generator of a recipe without initial weights, which are to be loaded; on the device ``meta`` also
    without memory for them.

    ``to_empty`` from there to the CPU would import a second's worth of torch's symbolic shapes.
    """
    with torch.device(device), _Uninitialised():
        return build_generator(**recipe.generator_kwargs())


def loaded_network(recipe: Recipe, weights: dict[str, Tensor]) -> nn.Module:
    """Return the generator with these weights. Memory is taken only for a network that is not larger than they are.

    Raises RuntimeError if they do not fit.
    """
    if _elements(build_network(recipe, "meta").state_dict()) > _elements(weights):
        raise RuntimeError("the network of the recipe is larger than the weights")
    network = build_network(recipe)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def _elements(state: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() for tensor in state.values())


class _Uninitialised(TorchFunctionMode):
    """Within this context weights are not initialised: even on the meta device that takes torch a second."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(function, "__module__", "") == "torch.nn.init" or function in {Tensor.normal_, Tensor.uniform_}:
            return args[0] if args else (kwargs or {})["tensor"]
        return function(*args, **kwargs or {})


def require_name(path: Path) -> None:
    """Raise ImpastoError if a style at ``path`` would be hidden by a bundled style of the same name."""
    if path.stem in bundled_styles() and path.absolute().parent == Path("styles").absolute():
        raise ImpastoError(f"{path.stem} is the name of a bundled style: choose another name (--out).")


def find_style(name: str | Path) -> Path:
    """Return the path of a style: of a bundled one by its name, else a file or run folder, else of an available style
    by its name. Return ``name`` itself if nothing is found. Raises ImpastoError for an impossible path."""
    path = user_path(name)
    return bundled_styles().get(str(name)) or (path if path.exists() else available_styles().get(str(name), path))
