"""A recipe: every choice of a training, typed and checked, read from and written to YAML."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from impasto.errors import ImpastoError

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Settings(BaseModel):
    """A frozen group of settings that refuses names it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Adam(Settings):
    """Adam (Kingma & Ba 2015): step size and the decay rates of its two moments."""

    lr: Positive
    betas: tuple[Fraction, Fraction]

    def architecture(self) -> dict[str, Any]:
        """What the network is made of: all settings but the optimiser's."""
        return self.model_dump(exclude=set(Adam.model_fields))


class Generator(Adam):
    """The network that paints, and how it learns."""

    network: Literal["dcgan"]
    width: int = Field(ge=4, le=1024)
    max_width: int = Field(ge=4, le=4096)
    init_std: Positive


class Discriminator(Adam):
    """The network that judges, and how it learns."""

    network: Literal["dcgan"]
    width: int = Field(ge=4, le=1024)
    max_width: int = Field(ge=4, le=4096)
    slope: float = Field(ge=0, lt=1)
    init_std: Positive


class Schedule(Settings):
    """The learning rate over the budget: constant until the fraction ``decay_from``, then falling to 0 at the end.

    ``decay_from: 1`` keeps it constant.
    """

    decay_from: float = Field(ge=0, le=1)

    def factor(self, progress: float) -> float:
        """What the learning rate is multiplied by, at ``progress`` (0…1) through the budget."""
        if progress <= self.decay_from:
            return 1.0
        return max(0.0, (1.0 - progress) / (1.0 - self.decay_from))


class Ema(Settings):
    """Moving average of the generator: half-life in pictures, shortened at first to ``rampup`` × pictures so far."""

    halflife: Positive
    rampup: Positive


class Augment(Settings):
    """How a picture is varied each time it is seen: mirrored, and a random square of a random scale cut out."""

    flip: bool
    scale: tuple[Annotated[float, Field(ge=0.1, le=1)], Annotated[float, Field(ge=0.1, le=1)]]

    @field_validator("scale")
    @classmethod
    def _ordered(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if scale[0] > scale[1]:
            raise ValueError("the smaller scale comes first")
        return scale


class Recipe(Settings):
    """Every choice of a training. The same recipe, seed and pictures give the same style."""

    name: str
    method: Literal["gan"]
    size: int = Field(ge=16, le=1024)
    batch: int = Field(ge=2, le=4096)
    latent: int = Field(ge=1, le=4096)
    loss: Literal["bce", "lsgan", "hinge"]
    generator: Generator
    discriminator: Discriminator
    schedule: Schedule
    ema: Ema
    augment: Augment
    heldout: Fraction

    @field_validator("size")
    @classmethod
    def _power_of_two(cls, size: int) -> int:
        if size & (size - 1):
            raise ValueError("must be a power of two, such as 64, 128 or 256")
        return size

    @classmethod
    def load(cls, name_or_file: str | Path) -> Self:
        """The recipe of that name, or in that YAML file."""
        path = Path(name_or_file)
        if path.suffix in {".yaml", ".yml"}:
            if not path.is_file():
                raise ImpastoError(f"There is no recipe file {path}.")
            text = path.read_text(encoding="utf-8")
        else:
            known = shipped()
            if str(name_or_file) not in known:
                raise ImpastoError(f"There is no recipe '{name_or_file}'{_nearest(str(name_or_file), known)}")
            text = (resources.files("impasto") / "recipes" / f"{name_or_file}.yaml").read_text(encoding="utf-8")
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ImpastoError(f"{name_or_file} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(values, dict):
            raise ImpastoError(f"{name_or_file} holds no settings: a recipe is 'name: value' lines.")
        return cls.of(values)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The recipe with these values, checked; the first thing wrong is told in one line."""
        for name in names(values):
            if name not in _settings(cls):
                raise ImpastoError(f"There is no setting '{name}'{_nearest(name, _settings(cls))}")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            if first["type"] == "missing":
                raise ImpastoError(f"The recipe lacks '{where}'.") from error
            message = first["msg"].removeprefix("Value error, ")
            raise ImpastoError(f"{where} = {first['input']!r}: {message[0].lower()}{message[1:]}.") from error

    def replace(self, settings: Iterable[str]) -> Self:
        """The recipe with settings such as ``generator.width=96`` changed."""
        values = self.model_dump()
        for setting in settings:
            name, equals, text = setting.partition("=")
            if not equals:
                raise ImpastoError(f"'{setting}' sets nothing: write it as name=value, such as generator.width=96.")
            name = name.strip()
            if name not in _settings(type(self)):
                raise ImpastoError(f"There is no setting '{name}'{_nearest(name, _settings(type(self)))}")
            *groups, last = name.split(".")
            group = values
            for part in groups:
                group = group[part]
            try:
                group[last] = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise ImpastoError(f"'{setting}': the value is not YAML.") from error
        return self.of(values)

    def to_yaml(self) -> str:
        """The recipe as YAML text that :meth:`load` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, default_flow_style=None)


def shipped() -> list[str]:
    """The names of the recipes that come with impasto, in order."""
    files = (resources.files("impasto") / "recipes").iterdir()
    stems = (Path(file.name).stem for file in files if file.name.endswith(".yaml"))
    return sorted(stems, key=lambda stem: (stem.rpartition("-")[0], len(stem), stem))


def names(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted names of the settings in nested ``values``."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from names(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _settings(model: type[BaseModel], prefix: str = "") -> list[str]:
    """The dotted names of all settings that a model knows."""
    found: list[str] = []
    for key, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            found += _settings(field.annotation, f"{prefix}{key}.")
        else:
            found.append(f"{prefix}{key}")
    return found


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not close:
        last = {full.rpartition(".")[2]: full for full in known}
        close = [last[part] for part in difflib.get_close_matches(name.rpartition(".")[2], last, n=1, cutoff=0.5)]
    return f"; did you mean '{close[0]}'?" if close else f": there are {', '.join(known)}."
