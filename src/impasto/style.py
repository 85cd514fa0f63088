"""A style: a learned build_network in one safetensors file that says what it is."""

import json
import tempfile
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
from impasto.errors import ImpastoError, nearest
from impasto.files import atomic_write
from impasto.metrics.results import Content, Scores, Value
from impasto.networks import build_generator

#: Goes up when older styles can no longer be read. A new setting of a recipe has a default, so that they can.
FORMAT = 3
#: Begins the names of the tensors of the network for the reverse direction.
REVERSE = "reverse."


class Card(BaseModel):
    """What a style says of itself."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    task: Literal["generation", "translation"]
    source: str  #: what it begins with: "noise", or the source domain, such as "photos"
    target: str  #: what it makes: the target domain, such as "paintings"
    recipe: dict[str, Any]
    target_data: dict[str, Any]  #: the images of the target domain that it was trained on: name, count, fingerprint
    source_data: dict[str, Any] | None = None  #: the same of the source domain, for translation
    start: str | None = None  #: the style or run whose weights it began with
    steps: int
    pictures: int  #: shown in training, counted as often as shown
    seconds: float
    seed: int
    budget: str = (
        ""  #: of the atomic_write training, which may be longer than what this style took of it; "" if not known
    )
    created: str  #: ISO 8601, UTC
    impasto: str  #: the version that made it
    scores: list[Scores] = []  #: one a network
    scores_reverse: list[Scores] = []  #: the same of the reverse direction, if the style has both
    content: Content | None = None  #: how much of a photo it keeps
    checkerboard: Value | None = None  #: in dB, how far a checkerboard stands out of what it paints
    license: str = ""  #: SPDX identifier
    imported: str | None = (
        None  #: what it was read from, if another tool made it; nothing is known of its training then
    )

    @property
    def domains(self) -> str:
        """Source and target: ``photos → paintings``."""
        return f"{self.source} → {self.target}"

    @classmethod
    def load(cls, path: Path) -> Self:
        """The card of the style in a file; :class:`impasto.errors.ImpastoError` if there is none that can be read."""
        try:
            with safe_open(path, framework="pt") as file:
                text = (file.metadata() or {}).get("impasto")
        except (SafetensorError, OSError) as error:
            raise ImpastoError(f"{path} cannot be read as a style: it is damaged or not a safetensors file.") from error
        if text is None:
            raise ImpastoError(f"{path} holds weights, but not a style of impasto's.")
        try:
            values = migrations.card(json.loads(text))
            made = values.get("format", 0)
            if made != FORMAT:
                age, cure = ("a newer", "update this one") if made > FORMAT else ("an older", "train it again")
                raise ImpastoError(f"{path} was made by {age} impasto: {cure}.")
            return cls.model_validate(values)
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            raise ImpastoError(f"{path} does not fit its own description: it is damaged.") from error


@dataclass(frozen=True)
class Style:
    """A generator, in evaluation mode, and its card; a CycleGAN's style has a generator for each direction."""

    network: nn.Module
    card: Card
    reverse: nn.Module | None = None  #: for the reverse direction, from target to source

    @cached_property
    def recipe(self) -> Recipe:
        return Recipe.of(self.card.recipe)

    def reversed(self) -> Self:
        """The style of the reverse direction: ``network`` and ``reverse`` exchanged, and the card to match. What the
        card says of content and artefacts is left out, as it was measured in this direction only.

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
            "content": None,
            "checkerboard": None,
        }
        return replace(self, network=self.reverse, card=card.model_copy(update=changed), reverse=self.network)

    def save(self, path: Path, dtype: torch.dtype = torch.float32) -> None:
        """Writes one safetensors file: the weights as tensors, the card as JSON in the header.

        With ``dtype=torch.float16`` it is half as large, and paints the same to the eye.
        """
        data = self.to_bytes(dtype)
        with atomic_write(path) as part:
            part.write_bytes(data)

    def to_bytes(self, dtype: torch.dtype = torch.float32) -> bytes:
        """What :meth:`save` writes."""
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
        """What :meth:`to_bytes` made of a style."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "sent.safetensors"
            path.write_bytes(data)
            return cls.load(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The style that is at hand under that name, or in a file, or in a run folder: its best one, or its last one if
        none was judged."""
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
            recipe, weights = Recipe.of(card.recipe), load_file(path)
            names = [name for name in weights if name.startswith(REVERSE)]
            weights_reverse = {name.removeprefix(REVERSE): weights.pop(name) for name in names}
            network = _loaded(recipe, weights)
            reverse = _loaded(recipe, weights_reverse) if weights_reverse else None
        except (ValueError, AttributeError, RuntimeError, SafetensorError, OSError) as error:
            raise ImpastoError(f"{path} does not fit its own description: it is damaged.") from error
        return cls(network, card, reverse)


def build_network(recipe: Recipe) -> nn.Module:
    """The network that a style of this recipe paints with, its weights still to be loaded."""
    with torch.device("meta"), _Uninitialised():
        network = build_generator(**recipe.generator_kwargs())
    return network.to_empty(device="cpu")


def _loaded(recipe: Recipe, weights: dict[str, Tensor]) -> nn.Module:
    network = build_network(recipe)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


class _Uninitialised(TorchFunctionMode):
    """Inside, no weights are drawn: to pretend to draw them takes torch a second."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(function, "__module__", "") == "torch.nn.init" or function in {Tensor.normal_, Tensor.uniform_}:
            return args[0] if args else (kwargs or {})["tensor"]
        return function(*args, **kwargs or {})


def bundled_styles() -> dict[str, Path]:
    """The styles that come with impasto, by name."""
    return _within(Path(__file__).parent / "styles")


def available_styles() -> dict[str, Path]:
    """Those, and more by name: of ``styles/`` beside the sources, if that is where impasto was installed from, and of
    ``styles/`` in the current folder."""
    ours, others = bundled_styles(), _within(Path(__file__).parents[2] / "styles") | _within(Path("styles"))
    return ours | {name: path for name, path in others.items() if name not in ours}


def require_name(path: Path) -> None:
    """Raises ImpastoError if a style there would not be found by its name, as one that comes along has it."""
    if path.stem in bundled_styles() and path.absolute().parent == Path("styles").absolute():
        raise ImpastoError(f"A style called {path.stem} comes along: give this one another name (--out).")


def find_style(name: str | Path) -> Path:
    """Where a style lies: one that comes along, by its name; else what there is of that name, a file or the folder of a
    run; else one that is at hand. The name itself, if there is nothing."""
    path = Path(name)
    return bundled_styles().get(str(name)) or (path if path.exists() else available_styles().get(str(name), path))


def _within(folder: Path) -> dict[str, Path]:
    return {file.stem: file for file in sorted(folder.glob("*.safetensors"))}
