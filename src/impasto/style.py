"""A style: a trained generator in one safetensors file, with its card in the header."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
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
from impasto.files import atomic_write, mistaken_download, user_path
from impasto.metrics.choice import Choice
from impasto.metrics.results import Content, Scores, Value
from impasto.networks import build_generator
from impasto.notebook import Displayed

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
    target_data: dict[str, Any]  #: the training images of the target domain: name, count, fingerprint
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
        """Source and target: ``photos → paintings``."""
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
        data: bytes = save(tensors, metadata={"impasto": self.card.model_dump_json()})
        return data

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
            found = [file for file in (path / "best.safetensors", path / "last.safetensors") if file.exists()]
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
            network = _loaded(recipe, weights)
            reverse = _loaded(recipe, weights_reverse) if weights_reverse else None
        except ImpastoError as error:  # of the recipe
            raise ImpastoError(f"{path} cannot be used: {error}") from error
        except (RuntimeError, SafetensorError, OSError, *MALFORMED) as error:
            raise ImpastoError(f"{path} does not fit its own description: it is damaged.") from error
        style = cls(network, card, reverse)
        if not style.is_finite:
            raise ImpastoError(f"{path} holds NaN or Inf weights: it is damaged, or its training failed.")
        return style


def build_network(recipe: Recipe) -> nn.Module:
    """Return the generator of a recipe without initial weights, which are to be loaded."""
    return _build(recipe, "cpu")


def _build(recipe: Recipe, device: str) -> nn.Module:
    """Return the generator of a recipe without initial weights; on the device ``meta`` also without memory for them.

    ``to_empty`` from there to the CPU would import a second's worth of torch's symbolic shapes.
    """
    with torch.device(device), _Uninitialised():
        return build_generator(**recipe.generator_kwargs())


def _loaded(recipe: Recipe, weights: dict[str, Tensor]) -> nn.Module:
    """Return the generator with these weights. Memory is taken only for a network that is not larger than they are.

    Raises RuntimeError if they do not fit.
    """
    if _elements(_build(recipe, "meta").state_dict()) > _elements(weights):
        raise RuntimeError("the network of the recipe is larger than the weights")
    network = _build(recipe, "cpu")
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


def bundled_styles() -> dict[str, Path]:
    """Return the styles that are part of the package, by name."""
    return _within(Path(__file__).parent / "styles")


def available_styles() -> dict[str, Path]:
    """Return all styles that can be used by name: the bundled ones, and those in ``styles/`` of a source checkout and
    of the current folder."""
    ours, others = bundled_styles(), _checkout_styles() | _within(Path("styles"))
    return ours | {name: path for name, path in others.items() if name not in ours}


def _checkout_styles() -> dict[str, Path]:
    """Return the styles in ``styles/`` of a source checkout; an installed package has none beside it."""
    package = Path(__file__).parent
    checkout = package.parents[1]
    is_checkout = package == checkout / "src" / "impasto" and (checkout / "pyproject.toml").is_file()
    return _within(checkout / "styles") if is_checkout else {}


def require_name(path: Path) -> None:
    """Raise ImpastoError if a style at ``path`` would be hidden by a bundled style of the same name."""
    if path.stem in bundled_styles() and path.absolute().parent == Path("styles").absolute():
        raise ImpastoError(f"{path.stem} is the name of a bundled style: choose another name (--out).")


def find_style(name: str | Path) -> Path:
    """Return the path of a style: of a bundled one by its name, else a file or run folder, else of an available style
    by its name. Return ``name`` itself if nothing is found. Raises ImpastoError for an impossible path."""
    path = user_path(name)
    return bundled_styles().get(str(name)) or (path if path.exists() else available_styles().get(str(name), path))


def _within(folder: Path) -> dict[str, Path]:
    return dict(sorted((file.stem, file) for file in folder.glob("*.safetensors")))
